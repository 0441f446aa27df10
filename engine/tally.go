package engine

import "nudge/rules"

// The slot of OpTally, sum, avg, min and max over all numbers there ever were:
//
//	0 i128 sum in 10⁻⁶ · 16 u64 numbers · 24 i64 the least · 32 i64 the most, both in 10⁻⁶

// addTally counts a number.
func (t *table) addTally(i, num uint32, v int64) {
	slot := t.slot(i, num)
	if slot == nil {
		slot = t.grow(i, num, totalsBytes)
	}
	var sum totals
	sum.read(slot)
	sum.add(v)
	sum.write(slot)
}

// mergeTally adds what another slot counted. Both have counted something.
func (t *table) mergeTally(i, num uint32, src []byte) {
	slot := t.slot(i, num)
	var a, b totals
	a.read(slot)
	b.read(src)
	a.merge(b)
	a.write(slot)
}

func readTally(slot []byte, f rules.Fold) rules.Reading {
	var sum totals
	sum.read(slot)
	return sum.reading(f)
}
