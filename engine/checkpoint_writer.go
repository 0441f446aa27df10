package engine

import (
	"errors"
	"fmt"
	"time"

	"nudge"
)

// Limits of what a checkpoint may hold (I8): it begins when the keys changed since the last one, or the firings, take so much memory.
const (
	maxDirtyBytes = 64 << 20
	maxTailBytes  = 64 << 20
)

// writer writes the node's checkpoints, on the applier's goroutine but for the commit.
type writer struct {
	node    *Node
	records int         // since the last one began
	began   time.Time   // of the last one
	current *checkpoint // being serialised
	commit  chan error  // being committed; nil if none is
	wanted  bool        // begin one as soon as can be
	over    bool        // none is begun any more: the process ends, and the disk is full
}

// serialising says whether there is work that does not wait for anybody.
func (w *writer) serialising() bool { return w.current != nil && w.commit == nil }

// work begins a checkpoint when one is due, goes on with the one that is being serialised, and looks after the one that is being
// committed.
func (w *writer) work() error {
	switch {
	case w.commit != nil:
		select {
		case err := <-w.commit:
			return w.committed(err)
		default:
		}
	case w.current != nil:
		if w.node.engine.step(stepKeys) {
			w.hand()
		}
	case !w.over && w.due() && !w.node.engine.takingOver():
		w.begin()
	}
	return nil
}

func (w *writer) due() bool {
	o := &w.node.options
	if w.began.IsZero() {
		w.began = o.Wall()
	}
	return w.wanted || w.records >= o.CheckpointRecords || w.records > 0 && o.Wall().Sub(w.began) >= o.CheckpointEvery ||
		w.node.engine.dirtyBytes() >= w.node.engine.maxDirty() || w.node.feed.bytes() >= maxTailBytes
}

// recovered is told that the log was read from a checkpoint of the given log time: the time since then counts, or a process that is killed again and
// again before its first checkpoint is due would read more and more.
func (w *writer) recovered(from nudge.Millis) {
	now := w.node.options.Wall()
	if w.began = time.UnixMilli(int64(from)); w.records == 0 || w.began.After(now) {
		w.began = now
	}
}

func (w *writer) begin() {
	w.records, w.began, w.wanted = 0, w.node.options.Wall(), false
	w.current = w.node.engine.freeze()
	w.current.logFirst = w.node.options.Log.First()
	w.node.feed.freeze(w.current)
	w.node.erasures.freeze(w.current)
}

// hand gives the serialised checkpoint to a goroutine that commits it.
func (w *writer) hand() {
	c, keys, st, beside := w.current, w.node.engine.takeRows(), w.node.options.Store, w.node.options.Beside
	w.commit = make(chan error, 1)
	done := w.commit
	go func() {
		if planted(bugRowsLater) {
			bare := *c
			bare.firings = firingList{}
			_ = st.Commit(func(out Writer) error { return bare.write(out, keys) })
		}
		var err error
		beside(func() { err = st.Commit(func(out Writer) error { return c.write(out, keys) }) })
		done <- err
	}()
}

// wait waits for the goroutine that commits, if there is one: behind it nobody touches the store.
func (w *writer) wait() {
	if w.commit != nil {
		<-w.commit
	}
}

func (w *writer) committed(err error) error {
	w.commit = nil
	if errors.Is(err, nudge.ErrFull) { // the store waits for room until the process is to end
		w.node.options.Logger.Warn("the disk is full: the last checkpoint is not written, the next start reads the log",
			"from", w.node.stats.CheckpointNext.Load())
		w.current, w.over = nil, true
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the checkpoint at offset %d: %w", w.current.meta.Next, err)
	}
	w.node.engine.committed()
	next := w.current.meta.Next
	w.node.feed.committed(next)
	w.node.stats.Checkpoints.Add(1)
	w.node.stats.CheckpointNext.Store(uint64(next))
	w.current = nil
	o := &w.node.options
	keepFrom := w.node.warmup.keepFrom(next)
	w.node.erasures.committed(next)
	if err := o.Log.Trim(keepFrom, w.node.engine.clock); err != nil && !errors.Is(err, nudge.ErrFull) {
		return fmt.Errorf("trim the log: %w", err)
	}
	return nil
}

// finish completes what is under way and writes a last checkpoint, so that the next start has nothing to read.
func (w *writer) finish() error {
	for {
		switch {
		case w.commit != nil:
			if err := w.committed(<-w.commit); err != nil {
				return err
			}
		case w.current != nil:
			w.node.engine.step(1 << 30)
			w.hand()
		case !w.over && w.node.engine.next > nudge.Offset(w.node.stats.CheckpointNext.Load()):
			w.begin()
		default:
			return nil
		}
	}
}
