package engine

import "time"

// The memory budget bounds what records, entries, index and timers of all shards take together, each shard its part. Where they take more, the records of keys
// that were not looked for lately leave memory for the store (away.go): a clock hand goes over the entries, takes the mark of those that were met
// since it came by, and lets those go that have none. Some entries at a time, between batches.
//
// A record may leave if the last committed checkpoint holds it: the key was not changed since the last one began, and if that one is still being
// written, it did not take the key.
//
// What has left leaves gaps. So that these do not add up, chunks with few ranges are emptied on the way: what is left in them moves.

const (
	entryBytes = 40 // with what its chunk has of it
	timerBytes = 16

	// leastShare is the part of the budget that records have where entries and index alone would take all of it.
	leastShare = 8

	// minDirtyBytes is how many bytes of changed keys a checkpoint is worth, however small the budget is.
	minDirtyBytes = 1 << 20

	// A sweep does so much for each record that was applied meanwhile: letting go of a record is as much as passing by leaveWork entries.
	leaveWork    = 64
	sweepLeaves  = 4
	sweepAtLeast = 16
)

// hand is where the sweep of a shard has got to.
type hand struct {
	level   int
	at      uint32
	limit   int // bytes that records may take
	checked int // sweeps until the limit is worked out again
	idle    int // entries passed since one left or moved
}

// keepWithin sets the memory budget, in bytes. It is called before there are keys, with the store that checkpoints go to. By wall, where given, reads
// are timed.
func (e *Engine) keepWithin(bytes int64, st Store, wall func() time.Time) {
	e.shelf = &shelf{engine: e, store: st, budget: int(bytes) / len(e.shards), wall: wall}
	for _, s := range e.shards {
		for l := range s.tables {
			s.tables[l].shelf = e.shelf
		}
	}
}

// maxDirty is how many bytes of changed keys begin a checkpoint.
func (e *Engine) maxDirty() int {
	if e.shelf == nil {
		return maxDirtyBytes
	}
	return min(max(e.shelf.budget*len(e.shards)/4, minDirtyBytes), maxDirtyBytes)
}

// committed notes that the checkpoint that was begun last is in the store.
func (e *Engine) committed() {
	if e.shelf != nil {
		e.shelf.commits++
	}
	for _, s := range e.shards {
		s.hand.idle = 0
		for l := range s.tables {
			s.tables[l].writing = false
		}
	}
}

// sweep lets records leave, if they take more than they may, and says whether there is more to do. records is how many were applied since the last call.
func (e *Engine) sweep(records int) (more bool) {
	if e.shelf == nil {
		return false
	}
	over := false
	for _, s := range e.shards {
		s.keepLimit()
		over = over || s.over()
	}
	if !over {
		return false
	}
	e.onEveryShard(records, func(s *shard) { s.sweep(leaveWork * (sweepAtLeast + sweepLeaves*records)) })
	for _, s := range e.shards {
		more = more || s.over() && !s.fruitless()
	}
	return more
}

// limitEvery is for how many sweeps the limit stays, as working it out looks at the whole index.
const limitEvery = 64

// keepLimit works out how much of the shard's budget is left for records.
func (s *shard) keepLimit() {
	if s.hand.checked > 0 {
		s.hand.checked--
		return
	}
	s.hand.checked = limitEvery
	budget := s.engine.shelf.budget
	s.hand.limit = budget
	for l := range s.tables {
		s.hand.limit -= s.tables[l].fixedBytes()
	}
	s.hand.limit = max(s.hand.limit, budget/leastShare)
}

// fixedBytes is what a table takes besides records.
func (t *table) fixedBytes() int {
	return len(t.entries)*chunkEntries*entryBytes + t.index.bytes() + cap(t.timers)*timerBytes
}

// target is how many bytes records are brought down to: with chunks three quarters full they take what they may.
func (h *hand) target() int { return h.limit / 4 * sparse }

func (s *shard) held() (held, live int) {
	for l := range s.tables {
		held += s.tables[l].slabs.held
		live += s.tables[l].slabs.live
	}
	return held, live
}

func (s *shard) over() bool {
	held, live := s.held()
	return live > s.hand.target() || held > s.hand.limit
}

// fruitless says whether the hand has gone round twice and found nothing that may leave or move: most records have changed since the last checkpoint.
func (s *shard) fruitless() bool {
	n := 0
	for l := range s.tables {
		n += int(s.tables[l].count)
	}
	return s.hand.idle > 2*n+levels
}

// sweep moves the hand on, by so much work.
func (s *shard) sweep(work int) {
	if s.fruitless() {
		work /= leaveWork
	}
	h := &s.hand
	for ; work > 0; work-- {
		held, live := s.held()
		if live <= h.target() && held <= h.limit {
			return
		}
		t := &s.tables[h.level]
		if h.at == 0 && held > h.limit {
			t.slabs.tidy()
		}
		h.idle++
		if h.at >= t.count {
			h.level, h.at = (h.level+1)%levels, 0
			continue
		}
		if t.pass(h.at, live > h.target()) {
			h.idle = 0
			work -= leaveWork
		}
		h.at++
	}
}

// pass is the hand passing an entry: its record leaves, moves, or stays. It says whether anything was done.
func (t *table) pass(i uint32, leaves bool) bool {
	e := t.entry(i)
	if e.used == 0 || e.ref.away() {
		return false
	}
	if leaves && t.mayLeave(e) {
		if e.marks&markMet == 0 {
			_, text := t.identity(i)
			d := digestOf(string(text))
			t.leave(i, awayRef(d[:]))
			t.shelf.evicted.Add(1)
			return true
		}
		e.marks &^= markMet
	}
	if t.slabs.drains(e.ref) {
		t.move(i)
		return true
	}
	return false
}

// mayLeave says whether the last committed checkpoint holds the record of an entry.
func (t *table) mayLeave(e *entry) bool {
	switch {
	case e.marks&t.markDirty() != 0 && !planted(bugLeavesDirty), e.marks&t.markFrozen() != 0:
		return false
	}
	return !t.writing || e.marks/markRound != t.round || planted(bugLeavesEarly)
}

// leave lets a record go. ref says where its row stands.
func (t *table) leave(i uint32, ref slabRef) {
	e := t.entry(i)
	if t.focus.entry == i+1 {
		t.focus.unfocus()
	}
	t.slabs.free(e.ref)
	e.ref = ref
	t.away++
}

// move moves a record to another chunk.
func (t *table) move(i uint32) {
	e := t.entry(i)
	if t.focus.entry == i+1 {
		t.focus.unfocus()
	}
	old, rec := e.ref, t.record(i)
	e.ref = t.slabs.alloc(len(rec))
	copy(t.record(i), rec)
	t.slabs.free(old)
}

// readInStep is called for each key that is read before anybody looks for it. Where the records of before take the budget, it leaves again, and some of those do:
// the more entries there are, the less is left for records.
func (s *shard) readInStep(t *table, i uint32, key []byte) {
	if t.shelf == nil {
		return
	}
	if t.count%chunkEntries == 1 {
		s.hand.checked = 0
	}
	s.keepLimit()
	if _, live := s.held(); live > s.hand.target() {
		t.leave(i, awayRef(key[rowPrefix:]))
		s.sweep(leaveWork * sweepLeaves)
	}
}

// memoryStats say what the memory budget does.
type memoryStats struct {
	bytes, away            int
	evicted, reads, waited uint64
	early                  uint64 // reads of rows that were there when they were needed
}

func (e *Engine) memory() (m memoryStats) {
	for _, s := range e.shards {
		for l := range s.tables {
			m.bytes += s.tables[l].slabs.held
			m.away += s.tables[l].away
		}
	}
	if x := e.shelf; x != nil {
		m.evicted, m.reads, m.waited, m.early = x.evicted.Load(), x.reads.Load(), x.waited.Load(), x.early.Load()
	}
	return m
}
