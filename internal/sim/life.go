package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing/synctest"
	"time"

	"nudge"
	"nudge/deliver"
	"nudge/engine"
	"nudge/state"
)

// life is one process, from opening the folder to its end.
type life struct {
	*world
	number int
	disk   *disk
	names  *nudge.Names
	dir    *state.Dir
	node   *engine.Node
	hub    *deliver.Hub

	stop   context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	runErr error
	busy   context.Context // ends when consumers are to go
	halt   context.CancelFunc

	lost     nudge.Offset // the log failed at the entry that begins here; 0: it did not
	lastTold cursor
}

// dataDir is the data folder on each disk.
const dataDir = "data"

var errDead = errors.New("the process is dead, though it does not know")

// watchedLog is the log, of which the ledger is kept.
type watchedLog struct {
	*state.Log
	l *life
}

func (w watchedLog) Append(e nudge.Entry) error {
	facts, err := factsOf(e, w.l.names)
	w.l.disk.seen(func() {
		if err == nil {
			err = w.l.ledger.append(e.First, facts)
		}
		if err != nil {
			w.l.problem("append: %v", err)
		}
	})
	err = w.Log.Append(e)
	if errors.Is(err, nudge.ErrFull) {
		w.l.disk.seen(func() { w.l.ledger.cut(e.First) })
		return err
	}
	return w.failed(e.First, err)
}

func (w watchedLog) Sync() error {
	next := w.Next()
	return w.failed(next-1, w.Log.Sync()) // the last record is in the entry that is synced
}

// failed notes where the log failed.
func (w watchedLog) failed(at nudge.Offset, err error) error {
	if err != nil {
		w.l.disk.seen(func() {
			if w.l.lost == 0 {
				w.l.lost = at
			}
		})
	}
	return err
}

// mortalStore is the store; it takes no checkpoint that nobody would see.
type mortalStore struct {
	*state.Store
	l *life
}

func (s mortalStore) Commit(write func(w engine.Writer) error) error {
	if s.l.disk.over() {
		return errDead
	}
	return s.Store.Commit(write)
}

// live is one process from its start to its end.
func (w *world) live(n int) {
	l := &life{world: w, number: n, names: nudge.NewNames(), ended: make(chan struct{})}
	l.busy, l.halt = context.WithCancel(context.Background())
	l.disk = newDisk(w.medium, w.rng.Uint64())
	last := n == w.lives-1
	l.fate(last)
	if w.damages && n > 0 {
		w.damage(l.actor("damage"))
	}
	w.report.Starts++
	err := l.open()
	switch {
	case err == nil && l.disk.over():
		l.run() // to its end: a checkpoint may be under way
	case err == nil:
		l.checkRecovered()
		l.run()
		l.work(last)
	}
	l.close(err)
	if !last {
		time.Sleep(w.downtime(w.rng))
		if w.steps && w.rng.IntN(2) == 0 {
			w.step()
		}
	}
}

// fate decides what the disk does to the process. The last process meets no fault.
func (l *life) fate(last bool) {
	l.disk.slow, l.disk.lazy, l.disk.erases = l.slow, l.lazy, l.erases
	if last {
		return
	}
	r := l.rng
	switch r.IntN(4) {
	case 0:
		l.disk.crashAt = 1 + r.IntN(70) // while it opens, or soon after
	case 1, 2:
		l.disk.crashAt = 1 + r.IntN(400)
	}
	if end := l.actor("end"); l.dies {
		switch end.IntN(3) {
		case 0:
			l.disk.killAt = 1 + end.IntN(5)
		case 1:
			l.disk.tearAt = 1 + end.IntN(5)
		}
	}
	if mix := l.actor("mix"); l.mixes && l.number > 0 && mix.IntN(3) > 0 { // the first process has nothing to lose yet
		l.disk.mixAt = 1 + mix.IntN(4) // most of these are the store's while it opens
	}
	if l.fails {
		switch r.IntN(4) {
		case 0, 1:
			l.disk.failAt = 1 + r.IntN(250)
		case 2:
			l.disk.failRead = 1 + r.IntN(60)
		}
	}
}

// open opens the folder and recovers.
func (l *life) open() (err error) {
	l.dir, err = state.Open(dataDir, state.Options{FS: l.disk.fs(), SegmentBytes: l.segmentBytes, LogMaxBytes: l.logMaxBytes, Names: l.names, CacheBytes: 1 << 20})
	if err != nil {
		return err
	}
	r := l.rng
	o := l.options
	l.node, err = engine.NewNode(engine.NodeOptions{
		Engine: engine.Options{
			Names: l.names, Shards: 1 + r.IntN(8), Lateness: o.Lateness, DedupEvents: o.DedupEvents, Location: o.Location,
		},
		Log: watchedLog{l.dir.Log, l}, Store: mortalStore{l.dir.Store, l}, Wall: l.now, Logger: slog.New(slog.DiscardHandler),
		Recall: millisOf(l.popupTTL), CheckpointRecords: 3 + r.IntN(60), CheckpointEvery: pick(r, time.Second, time.Minute),
		Memory:    pick[int64](l.actor("memory"), 0, 0, 1, 1<<15),                                            // that of a few keys, so that records leave and come back all the time
		ReadFirst: pick(l.actor("first"), -1, -1, -1, 5, 0), ReadStep: pick(l.actor("step"), -1, 1, 1, 3, 0), // so that most is met before it has been read
		OnFirings: l.deliver, OnReceipt: func(id string) { l.hub.Receipt(id) },
		OnErase: func(isVisitor func(string) bool) { l.hub.Erase(isVisitor) },
	})
	if err != nil {
		return err
	}
	l.hub, err = deliver.New(deliver.Options{Feed: l.node, PopupTTL: l.popupTTL, MaxPopupsPerVisitor: l.popupsKept, Now: l.node.Now})
	if err != nil {
		return err
	}
	return l.node.Recover()
}

// deliver is what the node tells the deliverers.
func (l *life) deliver(firings []nudge.Firing) {
	l.hub.Publish(firings)
	l.disk.seen(func() {
		for _, f := range firings {
			if !l.lastTold.Less(f.Cursor) {
				l.problem("I5: the deliverers are told of %v after %v", f.Cursor, l.lastTold)
			}
			l.lastTold = f.Cursor
			old, again := l.told[f.Cursor]
			if again && old.ID != f.ID {
				l.problem("I4: the firing at %v was %s and is %s", f.Cursor, old.ID, f.ID)
			}
			if !again || !l.erases { // what is told again may lack what an erasure has taken since
				l.told[f.Cursor] = f
			}
			l.known = max(l.known, f.Cursor.Offset)
		}
	})
}

// run lets the node run until it is stopped.
func (l *life) run() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go func() {
		l.runErr = l.node.Run(ctx)
		close(l.ended)
	}()
}

// work lets the process live among clients and consumers until it ends by itself, by a signal or by a crash.
func (l *life) work(last bool) {
	if len(l.node.Plan().Rules) == 0 && !l.deploy() {
		return // somebody who sends before rules run finds none that read it back: that is another test
	}
	var clients, consumers sync.WaitGroup
	for _, c := range l.clients {
		quota, r := 4+l.rng.IntN(10), l.actor(c.name)
		if last {
			quota = len(c.todo)
		}
		clients.Go(func() { l.client(c, quota, r) })
	}
	for _, c := range l.walkers {
		r := l.actor(c.name)
		consumers.Go(func() { l.walker(c, r) })
	}
	if l.rewrites {
		r := l.actor("rewriter")
		consumers.Go(func() { l.rewriter(r) })
	}
	if l.fills {
		r := l.actor("filler")
		consumers.Go(func() { l.filler(r) })
	}
	if l.erases {
		r := l.actor("eraser")
		clients.Go(func() { l.eraser(r) })
	}
	l.manage()
	if last {
		clients.Wait()
		l.awaitErasures()
		time.Sleep(pick(l.rng, 0, 3*time.Second, 30*time.Second)) // for timers
		l.settle()
		l.checkEnd()
	}
	l.halt()
	consumers.Wait()
	l.end(last)
	clients.Wait()
}

// settle waits until all that is in the log is applied, at a moment at which nobody does anything.
func (l *life) settle() {
	for range 10_000 {
		synctest.Wait()
		if l.node.Stats().LogNext.Load() == uint64(l.dir.Log.Next()) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	l.problem("the log does not come to rest")
}

// manage lets the process live for a while, deploys rules, and sets the clock.
func (l *life) manage() {
	for range l.rng.IntN(5) {
		select {
		case <-time.After(pause(l.rng, 4*time.Second)):
		case <-l.disk.crashed:
			return
		case <-l.ended:
			return
		}
		if l.late && l.rng.IntN(2) == 0 {
			l.rules.change(l.rng)
			l.deploy()
		}
		if l.steps && l.rng.IntN(3) == 0 {
			l.step()
		}
	}
}

// deploy makes the wanted rules the running ones, and says whether that was answered.
func (l *life) deploy() bool {
	diags, err := l.node.Deploy(context.Background(), l.rules.sources())
	for errors.Is(err, nudge.ErrFull) {
		time.Sleep(300 * time.Millisecond)
		diags, err = l.node.Deploy(context.Background(), l.rules.sources())
	}
	if err == nil && !diags.HasErrors() {
		return l.disk.seen(func() {})
	}
	if !errors.Is(err, nudge.ErrStopped) {
		l.problem("Deploy: %v %v", err, diags.Err())
	}
	return false
}

// end ends the process: by a signal, by a crash, or it has ended already.
func (l *life) end(last bool) {
	if !last && l.rng.IntN(3) > 0 {
		l.disk.pull()
	}
	if failed := l.disk.failure(); failed.fatal() && !l.disk.over() {
		select {
		case <-l.ended:
		case <-time.After(10 * time.Second):
			l.problem("I9: %v failed, and the process goes on", failed)
		}
	}
	l.dir.Store.Hurry()
	l.stop()
	<-l.ended
	if l.runErr != nil && !l.excused() {
		l.problem("Run: %v", l.runErr)
	}
}

// excused says whether an error is no wonder: the disk failed, or all that happens since is seen by nobody.
func (l *life) excused() bool { return l.disk.over() || l.disk.failure() != nil }

// filler lets the disk be full for a while, now and then.
func (l *life) filler(r *rand.Rand) {
	for range 1 + r.IntN(3) {
		for _, full := range []bool{true, false} {
			select {
			case <-l.disk.crashed:
				return
			case <-time.After(pause(r, 3*time.Second)):
				l.disk.fill(full)
			}
		}
		l.disk.seen(func() { l.report.Full++ })
	}
}

// rewriter writes segments of the log anew beside the traffic: that changes no record.
func (l *life) rewriter(r *rand.Rand) {
	for {
		select {
		case <-l.busy.Done():
			return
		case <-time.After(pause(r, 2*time.Second)):
		}
		o := state.RewriteOptions{From: nudge.Offset(r.IntN(10)), Hurry: r.IntN(2) == 0}
		if l.slow == 0 && r.IntN(2) == 0 { // else it would wait for a lock while a sync takes its time
			o.Through = o.From + nudge.Offset(r.IntN(40))
		}
		_, err := l.dir.Log.Rewrite(l.busy, o)
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, nudge.ErrFull) && !l.excused() {
			l.problem("rewrite the log: %v", err)
		}
	}
}

// close frees the folder and leaves to the next process what is on the disk.
func (l *life) close(openErr error) {
	if l.stop != nil {
		l.stop()
		<-l.ended
	}
	if l.hub != nil {
		l.hub.Close()
	}
	if openErr != nil && !l.excused() {
		l.problem("I7: the folder does not open: %v", openErr)
	}
	if l.dir != nil {
		if err := l.dir.Close(); err != nil && !l.excused() {
			l.problem("close the folder: %v", err)
		}
	}
	if l.disk.failure() != nil {
		l.report.Failures++
	}
	l.report.Trace = l.report.Trace*31 + l.disk.trace.Sum64()
	if l.disk.left != nil {
		l.report.Crashes++
		l.medium = l.disk.left
	}
}

// actor is the chance of somebody in this process.
func (l *life) actor(name string) *rand.Rand { return l.chance(fmt.Sprint(name, " ", l.number)) }
