package engine

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nudge"
	"nudge/rules"
)

// Options of New. The zero value of each but Names is its default.
type Options struct {
	Names          *nudge.Names   // required: the names of the process
	Shards         int            // default: the number of cores; at most nudge.Groups
	Lateness       nudge.Millis   // an event later than this is history; default DefaultLateness
	DedupEvents    int            // de-duplication window in events; default DefaultDedupEvents
	Location       *time.Location // time zone of days(); default UTC
	DropSuppressed bool           // suppressed firings are not made at all: for a replay that does not print them
	Observe        func(Decision) // is told how conditions are decided: for tests of rules; with many shards, by several goroutines
	Replay         bool           // offsets are lines of a file: causes are printed as "line:17" rather than "offset:17"
}

// smallBatch is the number of records, or timers, up to which the shards run one after the other: handing over would cost more
// than it gains.
const smallBatch = 64

// partRecords is how many records of each shard are applied at once. What is made of so many, some 500 bytes of each record, stays in the cache nearest but
// one of the processor that works on them; it is gone through several times.
const partRecords = 1024

// Engine is the state and how records change it. One goroutine calls its methods.
type Engine struct {
	options    Options
	shards     []*shard
	program    *program
	settings   Settings
	dict       *dictionary
	ordinal    uint64       // event records so far
	lateBefore nudge.Millis // events before it are history, however late they may be now
	meaning    meaning
	forgotten  uint64       // ids of ordinals before this one are forgotten, whatever the window is now
	next       nudge.Offset // offset after the last record
	clock      nudge.Millis // log time of the last record

	positions map[string]string // newest place of everybody who logs positions; as many as were ever configured
	deployed  nudge.Offset      // of the record that made the running rules the running ones
	shelf     *shelf            // nil: there is no memory budget
	unread    Store             // what was restored and nobody has read yet stands there; nil: all is read

	restoredAt nudge.Millis // the clock of the checkpoint that was restored

	warms    bool // a log is there to be read back for operators that lack a past
	part     int  // partRecords, less in tests
	serial   bool // one core is enough
	firings  []nudge.Firing
	merged   []*settled
	fault    atomic.Pointer[Fault] // of the shard that panicked first
	failed   atomic.Pointer[storeFault]
	unsorted bool // leaves forwards in the order of arrival: only for the test that shows why they are sorted
}

// New returns an engine without rules.
func New(o Options) (*Engine, error) {
	if o.Names == nil {
		return nil, fmt.Errorf("engine: Options.Names is required")
	}
	if o.Shards < 0 || o.Shards > nudge.Groups {
		return nil, fmt.Errorf("engine: %d shards: the number must be between 1 and %d", o.Shards, nudge.Groups)
	}
	if o.Location != nil {
		if _, err := time.LoadLocation(o.Location.String()); err != nil {
			return nil, fmt.Errorf("engine: the time zone %q has no name that a deployment could carry: %w", o.Location, err)
		}
	}
	if o.Lateness < 0 || o.DedupEvents < 0 {
		return nil, fmt.Errorf("engine: lateness and the de-duplication window must not be negative")
	}
	if o.Shards == 0 {
		o.Shards = runtime.GOMAXPROCS(0)
	}
	e := &Engine{options: o, dict: newDictionary(), positions: make(map[string]string), part: partRecords}
	for i := range o.Shards {
		e.shards = append(e.shards, newShard(nudge.ShardID(i), e, o.Shards))
	}
	e.adopt(o.settings())
	plan, diags := rules.Compile(nil, rules.Options{Names: o.Names})
	if plan == nil {
		return nil, fmt.Errorf("engine: the empty plan does not compile: %v", diags)
	}
	e.Deploy(plan)
	return e, nil
}

// Plan is the running plan.
func (e *Engine) Plan() *rules.Plan { return e.program.plan }

// Apply takes a batch through the levels and returns its firings, suppressed and shadow ones too, in order; they are valid until
// the next call, their texts for ever. The order of the steps is the whole guarantee: nothing here runs before the batch is
// durable (I1, Node sees to it), nothing leaves before every level is done (I5).
func (e *Engine) Apply(b *Batch) []nudge.Firing {
	clear(e.firings)
	e.firings = e.firings[:0]
	b.eachPart(e.partRecords(b), e.applyPart)
	return e.firings
}

// partRecords is how many records of a batch are applied at once.
func (e *Engine) partRecords(b *Batch) int {
	if e.shelf != nil { // what a batch needs of the store is read in one go
		return b.Len()
	}
	return e.part * len(e.shards)
}

// applyPart takes a part of a batch through the levels.
func (e *Engine) applyPart(b *Batch) {
	e.readDue(b.until)
	e.identify(b)
	work := max(b.Len(), e.timersDue(b.until))
	e.onEveryShard(work, func(s *shard) { s.runVisitors(b, b.lists[s.id]) })
	for level := 1; level < levels; level++ {
		e.onEveryShard(work, func(s *shard) { s.runLevel(level, b) })
	}
	e.passed(b)
	e.mergeFirings()
}

// identify settles who each record of a batch is about.
func (e *Engine) identify(b *Batch) {
	e.ordinal = b.split(len(e.shards), e.ordinal)
	e.onEveryShard(b.Len(), func(s *shard) { s.identifyVisitors(b, b.lists[s.id]) })
	if e.anyUser() {
		e.onEveryShard(b.Len(), func(s *shard) { s.identifyUsers(b) })
	}
}

// passed notes that the batch is behind.
func (e *Engine) passed(b *Batch) {
	e.next, e.clock = b.records[len(b.records)-1].off+1, b.until
}

// AdvanceTo runs the timers that are due at or before an instant, as if a record had been stamped then.
func (e *Engine) AdvanceTo(at nudge.Millis) []nudge.Firing {
	var tick nudge.RecordBuilder
	tick.Begin(nudge.RecordTick, nudge.NameNone)
	tick.End(0)
	var b Batch
	b.Add(e.next, max(at, e.clock), nudge.Record(tick.Buf))
	return e.Apply(&b)
}

// Drain runs every pending timer, and those that they set.
func (e *Engine) Drain() []nudge.Firing { return e.AdvanceTo(never - 1) }

// NextDue is the earliest instant at which something is due, and whether there is one.
func (e *Engine) NextDue() (nudge.Millis, bool) {
	due := never
	for _, s := range e.shards {
		due = min(due, s.nextTimer())
	}
	return due, due != never
}

// Memory is how many keys there are, and the bytes that their records, entries and index take; identities and ids are not counted.
func (e *Engine) Memory() (keys, bytes int) {
	for _, s := range e.shards {
		for l := range s.tables {
			t := &s.tables[l]
			keys += int(t.count) - len(t.gone)
			bytes += t.slabs.held + len(t.entries)*chunkEntries*entryBytes + t.index.bytes()
		}
	}
	return keys, bytes
}

// timersDue is how many timers may be due by then, counted up to smallBatch: a tick is one record, but may be much work.
func (e *Engine) timersDue(until nudge.Millis) int {
	n := 0
	for _, s := range e.shards {
		for l := range s.tables {
			n += s.tables[l].timersDue(until, smallBatch-n)
		}
	}
	return n
}

// onEveryShard runs f for all shards and waits for them: the barrier between levels. Small batches run on the caller's goroutine.
func (e *Engine) onEveryShard(records int, f func(*shard)) {
	if len(e.shards) == 1 || records < smallBatch || e.serial {
		for _, s := range e.shards {
			s.guarded(f)
		}
		e.passOn()
		return
	}
	var wg sync.WaitGroup
	for _, s := range e.shards[1:] {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.guarded(f)
		}()
	}
	e.shards[0].guarded(f)
	wg.Wait()
	e.passOn()
}

// mergeFirings puts the firings of all shards into the one order and numbers them per offset (I4), behind those of the batch's parts before.
func (e *Engine) mergeFirings() {
	e.merged = e.merged[:0]
	for _, s := range e.shards {
		for i := range s.firings {
			e.merged = append(e.merged, &s.firings[i])
		}
	}
	slices.SortFunc(e.merged, func(a, b *settled) int { return bytes.Compare(a.path, b.path) })
	n := uint32(0)
	for i, m := range e.merged {
		if i > 0 && m.firing.Cursor.Offset == e.merged[i-1].firing.Cursor.Offset || planted(bugNumbering) {
			n++
		} else {
			n = 0
		}
		e.firings = append(e.firings, m.firing)
		e.firings[len(e.firings)-1].Cursor.N = n
	}
	clear(e.merged)
	for _, s := range e.shards {
		clear(s.firings)
		s.firings = s.firings[:0]
	}
}

// stats sums what the shards counted.
func (e *Engine) stats() (sum shardStats) {
	for _, s := range e.shards {
		sum.duplicates += s.stats.duplicates
		sum.noCompany += s.stats.noCompany
		sum.overflows += s.stats.overflows
	}
	return sum
}
