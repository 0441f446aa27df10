package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"nudge"
	"nudge/rules"
)

// Log is the durable, ordered log. One goroutine appends; reading may go on beside it. Append and Trim return nudge.ErrFull where the disk is
// full: then they have changed nothing, and may be called again.
type Log interface {
	Append(e nudge.Entry) error
	Sync() error
	Next() nudge.Offset
	LastAt() nudge.Millis
	Read(from nudge.Offset, f func(nudge.Entry) error) error
	ReadAhead(from nudge.Offset, f func([]nudge.Entry) error) error // Read, some entries at once; reads on while f works
	Confirm(last nudge.Offset) error                                // I7: the record at last must be in the log
	Trim(keepFrom nudge.Offset, now nudge.Millis) error
	First() nudge.Offset

	// Drop makes the records between two offsets that drop names voids, in files that no record is appended to any more, and returns how many
	// files it has written anew. When it returns no file holds one of them. It may run beside everything else.
	Drop(ctx context.Context, from, through nudge.Offset, drop func(nudge.Offset, nudge.Record) bool) (files int, err error)
	AwaitRemoval(ctx context.Context) error // until what was trimmed is on no disk any more
}

// NodeOptions of NewNode.
type NodeOptions struct {
	Engine Options
	Log    Log
	Store  Store
	Wall   func() time.Time // default time.Now
	Logger *slog.Logger     // default slog.Default

	// OnFirings is called after each batch that fired, in order, by one goroutine; while recovering with the firings that come
	// out again.
	OnFirings func([]nudge.Firing)
	// OnReceipt is called, in the same order and by the same goroutine, for each event that says a popup was seen.
	OnReceipt func(popupID string)

	// OnErase is called, by the same goroutine, when a person is erased: what is to be delivered to its visitors is not any more.
	OnErase func(isVisitor func(text string) bool)

	// Recall is how far back OnFirings is told, while recovering, what the checkpoint's firings were: popups that may still be wanted.
	Recall nudge.Millis

	// Beside runs work that lasts seconds beside the traffic, the reading back of the log for new rules and the commit of a checkpoint, and
	// returns when it is done. Default: it just runs. A server lets the work give way (internal/beside).
	Beside func(work func())

	// LogKeep is how long the log is kept, 0 if that is not known: rules that look further back are warned of.
	LogKeep nudge.Millis

	// Memory is how many bytes the keys may take: records that were not needed lately are read from the store when they are. 0: all stay in memory.
	Memory int64

	// ReadFirst is how many rows of the checkpoint each shard reads before the node is ready; the others are read when they are needed, or behind.
	// ReadStep is how many rows each shard reads between two batches. 0: DefaultReadFirst and DefaultReadStep; less: none.
	ReadFirst, ReadStep int

	CheckpointRecords int           // begin a checkpoint after so many records; default 2,000,000
	CheckpointEvery   time.Duration // or after so long; default 60 s
}

// Limits of the sequencer (I8). A request is never split, so a batch may exceed the first two by one request.
const (
	maxBatchRecords = 4096
	maxBatchBytes   = 1 << 20
	maxQueue        = 4096     // requests that wait
	maxQueueBytes   = 64 << 20 // their bytes
	maxRequestBytes = nudge.MaxRecordBytes
	minTick         = 5 * time.Millisecond
)

// Node is an engine with a log, a clock and checkpoints: what a server runs. Three goroutines share the work: the sequencer,
// which alone appends to the log; the applier, which alone touches the engine; and, now and then, one that commits a checkpoint.
type Node struct {
	options NodeOptions
	engine  *Engine
	clock   *Clock
	feed    feed

	queue       chan *request
	queuedBytes atomic.Int64
	batches     chan *sealed
	spare       chan *sealed
	due         atomic.Int64  // earliest timer, as the applier knows it
	dueSlice    atomic.Int64  // where that was long ago, an instant up to which few timers are due
	dueChanged  chan struct{} // wakes the sequencer
	behind      atomic.Int64  // how far back the timers lie that are worked off before all else; 0: none do
	stopping    chan struct{} // closed when Run begins to stop
	stopped     chan struct{} // closed when nothing will be answered any more
	full        fullDisk      // the sequencer's
	unanswered  []*request    // when the sequencer has ended: those of its last batch, if that failed, and one that did not fit
	requests    sync.Pool     // *request of Submit that were answered
	stats       NodeStats
	plan        atomic.Pointer[rules.Plan]
	warming     atomic.Pointer[[]string]   // ids of the rules that are
	compiled    atomic.Pointer[rules.Plan] // the last plan that was made, whether it runs or not

	writer          writer
	warmup          warmup
	erasures        erasures
	settingsChanged bool
}

// NodeStats are the node's counters since it was opened.
type NodeStats struct {
	Records, Batches, Ticks, Firings, Suppressed, Duplicates, NoCompany, Overflows, Busy, Checkpoints, Bytes atomic.Uint64
	LogNext, CheckpointNext                                                                                  atomic.Uint64
	RulesWarming, WarmupOffset                                                                               atomic.Uint64
	DedupIDs, DedupMillis                                                                                    atomic.Uint64 // ids that are remembered, and the age of the oldest
	Erasures, ErasuresOpen                                                                                   atomic.Uint64 // complete; under way
	Full, FullRefused                                                                                        atomic.Uint64 // 1 while the disk is full; requests refused for it

	// How much of the checkpoint that was restored is still in the store alone: bins, and of how many; 0 when all is in memory.
	BinsUnread, Bins atomic.Uint64

	// Of the keys' records: bytes of memory that they take; keys whose records are in the store alone, and how many have gone there; reads that brought them
	// back, and the nanoseconds that shards waited for these.
	RecordBytes, KeysAway, KeysEvicted, KeysVanished, StoreReads, StoreWaitNanos atomic.Uint64
}

// Loading says whether a part of the checkpoint that was restored is still in the store alone.
func (s *NodeStats) Loading() bool { return s.BinsUnread.Load() > 0 }

// Loaded is which part of it is in memory.
func (s *NodeStats) Loaded() float64 {
	left, of := s.BinsUnread.Load(), s.Bins.Load()
	if left == 0 {
		return 1
	}
	return float64(of-left) / float64(of)
}

// request is what one call of Submit or Deploy hands to the sequencer.
type request struct {
	records []byte
	count   int
	decide  bool
	alone   bool        // it changes what rules run: nothing else is in its batch
	plan    *rules.Plan // a deployment
	done    chan result
	hint    string       // the id of whom its record erases
	first   nudge.Offset // of its records; set before it is answered
}

type result struct {
	firings []nudge.Firing
	err     error
}

// sealed is a batch that is in the log.
type sealed struct {
	entry   nudge.Entry
	durable []*request // requests that are answered when the batch is durable
	waiting []decision // requests that want to know what they fired
	alone   bool
	plan    *rules.Plan
	hint    string  // the id of whom its record erases, "" when it is read back
	erased  *erased // by its last record
	batch   Batch
}

type decision struct {
	req         *request
	first, next nudge.Offset
}

// NewNode returns a node that has yet to Recover and then Run.
func NewNode(o NodeOptions) (*Node, error) {
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Beside == nil {
		o.Beside = func(work func()) { work() }
	}
	if o.ReadFirst == 0 {
		o.ReadFirst = DefaultReadFirst
	}
	if o.ReadStep == 0 {
		o.ReadStep = DefaultReadStep
	}
	if o.CheckpointRecords == 0 {
		o.CheckpointRecords = 2_000_000
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = time.Minute
	}
	e, err := New(o.Engine)
	if err != nil {
		return nil, err
	}
	n := &Node{
		options: o, engine: e, queue: make(chan *request, maxQueue), batches: make(chan *sealed, 1), spare: make(chan *sealed, 3),
		dueChanged: make(chan struct{}, 1), stopping: make(chan struct{}), stopped: make(chan struct{}),
	}
	n.requests.New = func() any { return &request{done: make(chan result, 1)} }
	n.clock = NewClock(o.Wall, 0) // until the log's own time is known
	n.feed.init(o.Store)
	n.writer.node, n.warmup.node = n, n
	n.erasures.init(n)
	e.warms = true
	if o.Memory > 0 {
		e.keepWithin(o.Memory, o.Store, o.Wall)
	}
	for range cap(n.spare) {
		n.spare <- &sealed{}
	}
	return n, nil
}

// Recover restores the newest checkpoint and reads the log from there to its end; firings come out again with the same ids and
// cursors. I7 stops it where checkpoint and log do not fit. Where it succeeds Run must follow, if only with a context that has ended: a
// checkpoint may be under way.
func (n *Node) Recover() error {
	err := withStore(n.recoverAll)
	if err != nil {
		n.writer.wait()
	}
	return err
}

func (n *Node) recoverAll() error {
	e, o := n.engine, &n.options
	if err := e.restore(o.Store); err != nil {
		return err
	}
	if err := o.Log.Confirm(e.next - 1); err != nil {
		return err
	}
	if first := o.Log.First(); first > e.next {
		return fmt.Errorf("the log begins at offset %d, behind the checkpoint's end %d: records are missing; restore both from one backup", first, e.next)
	}
	n.stats.CheckpointNext.Store(uint64(e.next))
	if o.ReadFirst > 0 {
		e.readOn(o.ReadFirst)
	}
	n.warmup.deployed()
	if err := n.feed.load(e.next, o.Log.First()); err != nil {
		return err
	}
	if err := n.erasures.load(o.Store); err != nil {
		return err
	}
	verified := sync.OnceValue(n.feed.verify())
	defer verified() // also where reading the log panics: the store is not closed under it
	from := e.clock
	err := n.recall()
	if err == nil {
		err = n.readLog()
	}
	if damage := verified(); err == nil {
		err = damage
	}
	if err != nil {
		return err
	}
	n.writer.recovered(from)
	n.stats.LogNext.Store(uint64(e.next))
	n.plan.Store(e.Plan())
	n.compiled.Store(e.Plan())
	n.tellUnread()
	n.settingsChanged = e.settings != o.Engine.settings()
	n.publishDue()
	newest := max(o.Log.LastAt(), e.clock)
	if planted(bugClockAnew) {
		newest = 0
	}
	n.clock.atLeast(newest)
	return nil
}

// Now is the log time. Whoever compares with instants of firings and events, such as when a popup expires, needs this and not the wall clock, from which
// it may be hours away after somebody has set that.
func (n *Node) Now() nudge.Millis { return n.clock.Now() }

// readLog applies what the log holds behind the checkpoint.
func (n *Node) readLog() error {
	s := &sealed{}
	return n.options.Log.ReadAhead(n.engine.next, func(entries []nudge.Entry) error {
		for len(entries) > 0 {
			once := atOnce(entries)
			if err := n.applyRead(s, entries[:once]); err != nil {
				return err
			}
			if err := n.writer.work(); err != nil {
				return err
			}
			n.sweep(s.entry.Count)
			entries = entries[once:]
		}
		return nil
	})
}

// atOnce is how many of some entries can be one batch: where it ends changes no answer (I2), and a batch for each of many small entries takes
// longer than what is in them.
func atOnce(entries []nudge.Entry) int {
	for i := range entries {
		if rec, _ := nudge.SplitRecord(entries[i].Records); changes(rec) {
			return max(i, 1)
		}
	}
	return len(entries)
}

// applyRead applies entries that were read back as one batch.
func (n *Node) applyRead(s *sealed, entries []nudge.Entry) error {
	s.entry = nudge.Entry{First: n.engine.next}
	s.batch.Reset()
	var last nudge.Record
	for _, entry := range entries {
		if due := s.entry.First + nudge.Offset(s.entry.Count); entry.First != due {
			return fmt.Errorf("the log goes on at offset %d where %d is due: records are missing", entry.First, due)
		}
		var err error
		if last, err = n.add(s, entry); err != nil {
			return err
		}
		s.entry.At = entry.At
		s.entry.Count += entry.Count
	}
	return n.applyAdded(s, last)
}

// Plan is the plan that was deployed last, the empty one if none ever was.
func (n *Node) Plan() *rules.Plan { return n.plan.Load() }

// Inspect is Engine.Inspect for a node that does not run: between Recover and Run.
func (n *Node) Inspect(ruleID, key string, at nudge.Millis) []UseState {
	return n.engine.Inspect(ruleID, key, at)
}

// SettingsChanged says, after Recover, whether the node was started with other settings than the log's: they count from the next
// deployment on.
func (n *Node) SettingsChanged() bool { return n.settingsChanged }

// Stats are the node's counters.
func (n *Node) Stats() *NodeStats { return &n.stats }

// Submit hands records to the sequencer and returns when they are durable (I1); with decide when the rules have seen them, with
// the firings whose first cause is one of them. It returns nudge.ErrBusy at the bound and nudge.ErrFull on a full disk, when nothing
// was taken, and nudge.ErrStopped. records must stay as they are until then. ctx is looked at before they are taken: afterwards nothing can take
// them back.
func (n *Node) Submit(ctx context.Context, records []byte, count int, decide bool) ([]nudge.Firing, error) {
	r := n.requests.Get().(*request)
	r.records, r.count, r.decide = records, count, decide
	firings, err := n.submit(ctx, r)
	if !errors.Is(err, nudge.ErrStopped) { // else it may still be in the queue
		r.records = nil
		n.requests.Put(r)
	}
	return firings, err
}

// Deploy makes rules the running ones. It returns their errors, and leaves the old ones running, if they do not compile;
// otherwise it returns when they run: live, or warming (Rules says which).
func (n *Node) Deploy(ctx context.Context, sources []rules.Source) (rules.Diagnostics, error) {
	plan, diags := rules.Compile(sources, rules.Options{
		Names: n.options.Engine.Names, Location: n.options.Engine.Location, LogRetention: n.options.LogKeep, Previous: n.compiled.Load(),
	})
	if plan == nil {
		return diags, nil
	}
	n.compiled.Store(plan)
	for scope, slots := range slotsPerScope(plan) {
		if slots > maxSlots {
			return diags, fmt.Errorf("the rules per %s have %d operators and cooldowns together; a key holds at most %d",
				plan.Scopes[scope].Per, slots, maxSlots)
		}
	}
	rec := deployment(sources, n.options.Engine.settings())
	if len(rec) > nudge.MaxRecordBytes {
		return diags, fmt.Errorf("the rules have %d bytes together; a deployment holds at most %d", len(rec), nudge.MaxRecordBytes)
	}
	_, err := n.submit(ctx, &request{records: rec, count: 1, decide: true, alone: true, plan: plan})
	return diags, err
}

func (n *Node) submit(ctx context.Context, r *request) ([]nudge.Firing, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.count < 1 {
		return nil, fmt.Errorf("a request of %d records: hand in one at least", r.count)
	}
	if len(r.records) > maxRequestBytes {
		return nil, fmt.Errorf("a request of %d bytes of records: at most %d can be taken at once", len(r.records), maxRequestBytes)
	}
	select {
	case <-n.stopping: // before the bound is looked at: what waits now waits for ever
		return nil, nudge.ErrStopped
	default:
	}
	if n.queuedBytes.Add(int64(len(r.records))) > maxQueueBytes {
		n.queuedBytes.Add(-int64(len(r.records)))
		n.stats.Busy.Add(1)
		return nil, nudge.ErrBusy
	}
	if r.done == nil {
		r.done = make(chan result, 1)
	}
	select {
	case n.queue <- r:
	default:
		n.queuedBytes.Add(-int64(len(r.records)))
		n.stats.Busy.Add(1)
		return nil, nudge.ErrBusy
	}
	return n.answer(r)
}

// answer waits for that of a request in the queue.
func (n *Node) answer(r *request) ([]nudge.Firing, error) {
	if !r.decide {
		select {
		case <-n.stopped: // nobody may have seen it in the queue
			n.turnAway()
		default:
		}
		res := <-r.done // alone: to wait for the end as well costs as much again, and the sequencer answers all that it has
		return res.firings, res.err
	}
	select {
	case res := <-r.done:
		return res.firings, res.err
	case <-n.stopped:
	}
	select {
	case res := <-r.done: // it was answered before the end
		return res.firings, res.err
	default:
		return nil, nudge.ErrStopped
	}
}

// turnAway answers who is in the queue when nothing is done any more.
func (n *Node) turnAway() {
	for {
		select {
		case r := <-n.queue:
			r.done <- result{err: nudge.ErrStopped}
		default:
			return
		}
	}
}

// Run works until ctx ends, and then finishes what is in flight and writes a checkpoint. It returns the first failure: a log that
// cannot be written or synced ends the process (I9).
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var applier, eraser sync.WaitGroup
	var applyErr error
	applier.Go(func() {
		if applyErr = withStore(n.applyAll); applyErr != nil {
			cancel(applyErr)
			for s := range n.batches { // let the sequencer end
				n.spare <- s
			}
		}
	})
	eraseCtx, stopErasing := context.WithCancel(ctx)
	defer stopErasing()
	eraser.Go(func() { n.erasures.run(eraseCtx) })
	seqErr := n.sequence(ctx)
	stopErasing()
	close(n.batches)
	applier.Wait()
	close(n.stopped) // before the eraser is waited for: its receipt may be one of those that nobody takes from the queue any more
	for _, r := range n.unanswered {
		r.done <- result{err: nudge.ErrStopped}
	}
	n.turnAway()
	eraser.Wait()
	return errors.Join(seqErr, applyErr)
}
