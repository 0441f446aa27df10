package engine

import (
	"math"

	"nudge"
)

// When rules go live, what was read back for their operators lies in the tables of the engine that read it. A table takes it over key by
// key: a key that is looked up or due is taken over first, the others follow in steps between batches. So nobody waits for millions of keys, and
// nobody sees one that is not whole (I2).
//
// In a warmed table an entry is dirty until it is taken over: it never sees a checkpoint.

// takeOverKeys is how many keys of each shard are taken over between two batches.
const takeOverKeys = 128

// uniter makes one slot of what a key had, nil if it had none, and of what was read back for it. nil: it is to have none.
type uniter func(num uint32, had, read []byte) []byte

// takeFrom begins to take over a warmed table.
func (t *table) takeFrom(warmed *table, unite uniter) {
	if warmed.count > 0 {
		t.warmed, t.taken, t.unite = warmed, 0, unite
	}
}

// takeOverKey takes over what was read back for a key, if it still waits.
func (t *table) takeOverKey(hash nudge.KeyHash, scope uint16, key string) {
	if j := t.warmed.lookup(hash, scope, key); j != noEntry {
		t.takeOver(j, t.warmed.entry(j).due)
	}
}

// takeOverDue takes over the keys that have a timer due at or before until.
func (t *table) takeOverDue(until nudge.Millis) {
	for {
		j, due, ok := t.warmed.popDue(until)
		if !ok {
			return
		}
		t.takeOver(j, due)
	}
}

// takeOverSome looks at up to n more keys of the warmed table, and returns how many of n are left.
func (t *table) takeOverSome(n int) int {
	for ; n > 0 && t.warmed != nil; n-- {
		t.bringSome()
		if t.taken == t.warmed.count {
			t.warmed, t.unite = nil, nil
			break
		}
		t.takeOver(t.taken, t.warmed.entry(t.taken).due)
		t.taken++
	}
	return n
}

// bringSome brings back, for a step of keys, those that have something to take over.
func (t *table) bringSome() {
	if t.shelf == nil || t.taken%takeOverKeys != 0 {
		return
	}
	for j := t.taken; j < min(t.taken+takeOverKeys, t.warmed.count); j++ {
		if e := t.warmed.entry(j); e.marks&t.warmed.markDirty() != 0 {
			scope, text := t.warmed.identity(j)
			t.want([]query{{hash: e.hash, scope: scope, key: string(text)}})
		}
	}
	t.bring()
}

// takeOver moves a warmed entry's slots into the key's record. due is its earliest timer. The key's own may turn out to be too early
// now, and is then found to be nothing.
func (t *table) takeOver(j uint32, due nudge.Millis) {
	e := t.warmed.entry(j)
	if e.marks&t.warmed.markDirty() == 0 {
		return
	}
	e.marks &^= t.warmed.markDirty()
	e.due = never
	scope, text := t.warmed.identity(j)
	rec := t.warmed.record(j)
	i := t.lookup(e.hash, scope, string(text))
	if i == noEntry && t.unite == nil {
		i = t.load(e.hash, rec)
		t.touch(i)
	} else {
		if i == noEntry {
			i = t.add(e.hash, scope, string(text))
		}
		t.touch(i)
		d := directoryOf(rec)
		for j := range d.len() {
			num, slot := d.slot(j)
			t.putSlot(i, num, slot)
		}
	}
	t.arm(i, min(t.entry(i).due, due))
}

// putSlot gives the key a slot that was read back.
func (t *table) putSlot(i uint32, num uint32, read []byte) {
	slot := t.slot(i, num)
	if t.unite != nil {
		if read = t.unite(num, slot, read); read == nil {
			return
		}
	}
	if len(slot) != len(read) {
		slot = t.grow(i, num, len(read))
	}
	copy(slot, read)
}

// takeOver looks at up to so many more keys of every shard, and says whether all are done.
func (e *Engine) takeOver(keys int) bool {
	done := true
	for _, s := range e.shards {
		n := keys
		for l := range s.tables {
			n = s.tables[l].takeOverSome(n)
			done = done && s.tables[l].warmed == nil
		}
	}
	return done
}

// takingOver says whether keys still wait.
func (e *Engine) takingOver() bool {
	for _, s := range e.shards {
		for l := range s.tables {
			if s.tables[l].warmed != nil {
				return true
			}
		}
	}
	return false
}

// finishTakeOver takes over all that still waits.
func (e *Engine) finishTakeOver() {
	for !e.takeOver(math.MaxInt) {
	}
}

// timersDue counts the timers that may be due by then, up to limit.
func (t *table) timersDue(until nudge.Millis, limit int) int {
	n := t.timers.due(0, until, limit)
	if t.warmed != nil {
		n += t.warmed.timers.due(0, until, limit-n)
	}
	return n
}
