package engine

import "nudge/rules"

// Keys whose slots are all vacant (vacant.go) vanish: a hand of its own goes over the entries between batches, some at a time, and removes them, as an
// erasure does, from memory at once and from the store with the next checkpoint. Which batch a key vanishes behind is nobody's business: it is the
// same as a key that was never met. Who is who stays: an identity has no window.
//
// A key with a timer is passed by, also where the timer turns out to be nothing: it is looked at again when that is gone. While rules are warming, or keys
// are being taken over, nothing vanishes.

// The hand passes so many entries for each batch, and one more for so many records, so that the traffic hardly notices it. Without traffic it goes on.
const (
	passAtLeast = 4
	passRecords = 8   // records for each entry more
	passIdle    = 256 // entries where there is no batch
)

// vanishing is where the hand of a shard has got to.
type vanishing struct {
	level int
	at    uint32
	gone  uint64 // keys that have vanished
}

// meaning is what the slots of a plan's numbers mean.
type meaning struct {
	plan *rules.Plan
	of   []lasting
}

// vanish lets keys vanish. records is how many were applied since the last call.
func (e *Engine) vanish(records int) {
	passes := passAtLeast + records/passRecords
	if records == 0 {
		passes = passIdle
	}
	e.vanishAmong(passes)
}

// vanishAmong lets the hand of each shard pass so many entries.
func (e *Engine) vanishAmong(passes int) {
	if e.cold() || e.takingOver() {
		return
	}
	e.noteMeaning()
	for _, s := range e.shards {
		s.vanish(passes)
	}
}

// noteMeaning brings what slots mean up to date with the running rules.
func (e *Engine) noteMeaning() {
	if m := &e.meaning; m.plan != e.program.plan {
		m.plan, m.of = e.program.plan, e.program.lastings()
	}
}

// vanish moves the hand on over so many entries, but not twice over the same one.
func (s *shard) vanish(passes int) {
	h, turns := &s.vanishing, 0
	for passes > 0 && turns <= levels {
		t := &s.tables[h.level]
		if h.at >= t.count {
			h.level, h.at = (h.level+1)%levels, 0
			turns++
			continue
		}
		if s.mayVanish(t, h.at) {
			t.remove(h.at)
			h.gone++
		}
		h.at++
		passes--
	}
}

// mayVanish says whether a key is vacant, in memory, and without a timer.
func (s *shard) mayVanish(t *table, i uint32) bool {
	e := t.entry(i)
	return e.used != 0 && e.due == never && *t.armed(i) == never && !e.ref.away() && s.isVacant(t, i)
}

// isVacant says whether all that a key holds is vacant.
func (s *shard) isVacant(t *table, i uint32) bool {
	all, at, late := s.engine.meaning.of, s.engine.clock, s.engine.lateFrom()
	d := directoryOf(t.record(i))
	for j := range d.len() {
		num, slot := d.slot(j)
		if int(num) < len(all) && !all[num].vacant(slot, at, late) {
			return false
		}
	}
	return true
}

// vanished is how many keys have vanished since the engine was made.
func (e *Engine) vanished() (n uint64) {
	for _, s := range e.shards {
		n += s.vanishing.gone
	}
	return n
}
