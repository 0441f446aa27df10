package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"nudge"
)

// applyAll is the applier: it takes sealed batches through the engine, hands out what they fired, and writes checkpoints between them.
func (n *Node) applyAll() error {
	w := &n.writer
	defer w.wait()
	defer n.engine.finishEarly()
	defer n.warmup.stop()
	n.warmup.start()
	wait := time.NewTimer(time.Hour)
	defer wait.Stop()
	sweeping, reading := false, n.options.ReadStep > 0
	var next *sealed // its rows are being read
	for {
		wait.Reset(idleTime)
		if w.serialising() || n.engine.takingOver() || sweeping || reading {
			wait.Reset(stepPause)
		}
		s, ok := next, true
		if s == nil {
			s, ok = n.nextBatch(wait.C)
		}
		if !ok {
			return w.finish()
		}
		records := 0
		if s != nil {
			next = n.readEarly()
			records = s.entry.Count
			if err := n.applySealed(s); err != nil {
				return err
			}
			n.publishDue()
			n.spare <- s
		}
		n.engine.takeOver(takeOverKeys)
		if err := errors.Join(w.work(), n.warmup.failed()); err != nil {
			return err
		}
		sweeping = n.sweep(records)
		if reading {
			reading = n.readOn()
		}
	}
}

// readOn reads a bit more of what the checkpoint holds into memory, and says whether there is more.
func (n *Node) readOn() (more bool) {
	more = n.engine.readOn(n.options.ReadStep)
	n.tellUnread()
	return more
}

func (n *Node) tellUnread() {
	left, of := n.engine.binsLeft()
	n.stats.Bins.Store(uint64(of))
	n.stats.BinsUnread.Store(uint64(left))
}

// sweep lets keys vanish of which there is nothing left to know, and records leave memory, if there is a budget and they take more. It says whether
// there is more to do for the budget.
func (n *Node) sweep(records int) (more bool) {
	n.engine.vanish(records)
	n.stats.KeysVanished.Store(n.engine.vanished())
	more = n.engine.sweep(records)
	m := n.engine.memory()
	n.stats.RecordBytes.Store(uint64(m.bytes))
	n.stats.KeysAway.Store(uint64(m.away))
	n.stats.KeysEvicted.Store(m.evicted)
	n.stats.StoreReads.Store(m.reads)
	n.stats.StoreWaitNanos.Store(m.waited)
	return more
}

// How long the applier waits for a batch before it looks after other work.
const (
	idleTime  = 100 * time.Millisecond
	stepPause = time.Millisecond // between two steps of that work: a core that is never free makes requests wait
)

// nextBatch waits for a batch, until there is other work to do. ok is false when no more come.
func (n *Node) nextBatch(other <-chan time.Time) (s *sealed, ok bool) {
	select {
	case s, ok = <-n.batches:
		return s, ok
	case <-other:
		return nil, true
	}
}

// readEarly begins to read what the batch needs that waits already, and returns it; nil if none does.
func (n *Node) readEarly() *sealed {
	select {
	case s, ok := <-n.batches:
		if ok {
			n.engine.readEarly(s.entry)
			return s
		}
	default:
	}
	return nil
}

// applySealed applies one batch of the sequencer's.
func (n *Node) applySealed(s *sealed) error {
	n.warmup.feed(s.entry)
	s.batch.Reset()
	last, err := n.add(s, s.entry)
	if err != nil {
		return err
	}
	return n.applyAdded(s, last)
}

// add puts an entry's records into the batch, and returns the last of them.
func (n *Node) add(s *sealed, entry nudge.Entry) (last nudge.Record, err error) {
	off, rest := entry.First, entry.Records
	for range entry.Count {
		if len(rest) == 0 {
			return nil, fmt.Errorf("the log's entry at offset %d has fewer records than it says", entry.First)
		}
		last, rest = nudge.SplitRecord(rest)
		if last.Kind() == nudge.RecordPosition {
			n.engine.notePosition(last)
		}
		s.batch.Add(off, entry.At, last)
		off++
	}
	return last, nil
}

// applyAdded applies the batch, be it live or read back. last is its last record: what changes more than keys stands alone.
func (n *Node) applyAdded(s *sealed, last nudge.Record) error {
	firings := n.engine.Apply(&s.batch)
	if err := n.change(s, last); err != nil {
		return fmt.Errorf("offset %d: %w", s.entry.First, err)
	}
	n.hand(s, firings)
	n.writer.records += s.entry.Count
	return nil
}

// changes says whether a record changes more than keys.
func changes(rec nudge.Record) bool {
	switch rec.Kind() {
	case nudge.RecordDeploy, nudge.RecordErase, nudge.RecordReceipt, nudge.RecordLive:
		return true
	}
	return false
}

// change lets a record change more than keys: which rules run, or who is erased. Its instant is the last one of how it was.
func (n *Node) change(s *sealed, rec nudge.Record) error {
	switch rec.Kind() {
	case nudge.RecordDeploy:
		return n.deploy(s, rec)
	case nudge.RecordErase:
		gone, err := n.engine.erase(rec, s.hint)
		s.erased = gone
		return err
	case nudge.RecordReceipt:
		return n.erasures.complete(rec, s.entry.First, s.entry.At)
	case nudge.RecordLive:
		live, err := readLive(rec)
		if err != nil {
			return err
		}
		return n.warmup.goLive(live)
	}
	return nil
}

// deploy makes the record's rules the running ones.
func (n *Node) deploy(s *sealed, rec nudge.Record) error {
	settings, err := readSettings(rec.Field(nudge.NameSettings).Text)
	plan := s.plan
	if err == nil && plan == nil { // read back
		plan, err = settings.compile(rec.Field(nudge.NameRule).Text, n.options.Engine.Names, n.engine.Plan())
	}
	if err != nil {
		return err
	}
	n.engine.use(settings)
	n.engine.deployed = s.entry.First
	n.engine.Deploy(plan)
	n.plan.Store(plan)
	if forward := n.engine.program.forward; len(forward) > 0 && s.plan != nil {
		n.options.Logger.Info("rules count what is fired from now on", "rules", forward)
	}
	n.warmup.deployed()
	return nil
}

// hand gives what a batch fired to the feed, to those who asked, and to the deliverers (I5).
func (n *Node) hand(s *sealed, firings []nudge.Firing) {
	for i := range firings {
		if firings[i].Suppressed != "" {
			n.stats.Suppressed.Add(1)
		} else {
			n.stats.Firings.Add(1)
		}
	}
	stats := n.engine.stats()
	n.stats.Duplicates.Store(stats.duplicates)
	n.stats.NoCompany.Store(stats.noCompany)
	n.stats.Overflows.Store(stats.overflows)
	ids, age := n.engine.dedupReach()
	n.stats.DedupIDs.Store(uint64(ids))
	n.stats.DedupMillis.Store(uint64(age))
	n.feed.add(firings, s.entry.First+nudge.Offset(s.entry.Count))
	n.tellUpTo(n.receipts(s, firings), math.MaxUint64)
	if s.erased != nil {
		n.erasures.begin(s.erased)
		s.erased = nil
	}
	for _, d := range s.waiting {
		d.req.done <- result{firings: caused(firings, d.first, d.next)}
	}
}

// caused are the delivered firings whose first cause is a record in [first, next).
func caused(firings []nudge.Firing, first, next nudge.Offset) []nudge.Firing {
	var out []nudge.Firing
	for _, f := range firings {
		if !f.Timer && f.Delivered() && f.Cursor.Offset >= first && f.Cursor.Offset < next {
			out = append(out, f)
		}
	}
	return out
}

// maxPopupIDBytes is more than a popup's id has: 32 digits of its firing, and a number. What is longer is none, and is not kept: anybody may send it.
const maxPopupIDBytes = 64

// receipts passes on which popups were seen, each after what fired up to then, and returns the firings behind the last one.
func (n *Node) receipts(s *sealed, firings []nudge.Firing) []nudge.Firing {
	for i := range s.batch.records {
		r := &s.batch.records[i]
		if r.rec.Kind() != nudge.RecordEvent || r.duplicate {
			continue
		}
		switch r.rec.Type() {
		case nudge.NamePopupShown, nudge.NamePopupClicked, nudge.NamePopupDismissed:
			if id := r.rec.Field(nudge.NamePopup); id.Kind == nudge.Text && len(id.Text) <= maxPopupIDBytes {
				text := strings.Clone(id.Text)
				n.feed.seen(r.off, text)
				firings = n.tellUpTo(firings, r.off)
				if n.options.OnReceipt != nil {
					n.options.OnReceipt(text)
				}
			}
		}
	}
	return firings
}

// publishDue tells the sequencer the earliest timer.
func (n *Node) publishDue() {
	due, _ := n.engine.NextDue()
	if due < n.clock.Now()-catchUpBehind {
		n.dueSlice.Store(int64(n.engine.sliceFrom(due)))
	}
	if n.due.Swap(int64(due)) != int64(due) {
		select {
		case n.dueChanged <- struct{}{}:
		default:
		}
	}
}
