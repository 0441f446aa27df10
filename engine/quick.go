package engine

import (
	"cmp"
	"encoding/binary"
	"slices"

	"nudge"
	"nudge/rules"
)

// Most events find the slots that they concern there, with room, and change a few bytes of each. That is done here, kind by kind: no table is asked,
// nothing moves, no timer is set. What is more than that is left to applyTouch.

// quick is what of a touch is done so. In this order the touches of a reaction stand.
type quick uint8

const (
	quickEnd      quick = iota // the end of a wait, where none is open
	quickTotal                 // one more
	quickCount                 // a time for a ring
	quickDistinct              // a value for a set
	quickNone
)

func quickOf(t *touch) quick {
	switch {
	case isWait(t.kind) && t.roles == roleEnd:
		return quickEnd
	case t.kind == rules.OpTotal:
		return quickTotal
	case t.kind == rules.OpCount:
		return quickCount
	case t.kind == rules.OpDistinct:
		return quickDistinct
	}
	return quickNone
}

// sort puts the touches in order, those of a kind by number.
func (r *reaction) sort() {
	slices.SortFunc(r.touched, func(a, b touch) int { return cmp.Or(cmp.Compare(quickOf(&a), quickOf(&b)), cmp.Compare(a.num, b.num)) })
	r.behind = [quickNone]int{}
	for i := range r.touched {
		for q := quickOf(&r.touched[i]); q < quickNone; q++ {
			r.behind[q] = i + 1
		}
	}
}

// applyQuick does to the key in focus what can be done quickly, and notes the places of the touches that are left, for which there is room.
func (f *focus) applyQuick(r *reaction, row *rules.Row, left []int32) []int32 {
	left = left[:len(r.touched)]
	ends, totals, counts, distincts := r.behind[quickEnd], r.behind[quickTotal], r.behind[quickCount], r.behind[quickDistinct]
	n := f.endQuick(r.touched[:ends], row.Ts, left)
	for i := ends; i < totals; i++ {
		if slot := f.slot(r.touched[i].num); slot != nil {
			binary.LittleEndian.PutUint64(slot, readTotal(slot)+1)
			continue
		}
		left[n] = int32(i)
		n++
	}
	for i := totals; i < counts; i++ {
		t := &r.touched[i]
		if slot := f.slot(t.num); slot != nil && ring(slot).note(int(t.keep), row.Ts, expiredAt(row.At, t.window)) {
			continue
		}
		left[n] = int32(i)
		n++
	}
	for i := counts; i < distincts; i++ {
		t := &r.touched[i]
		if slot := f.slot(t.num); slot != nil {
			v, expired := t.value(row), expiredAt(row.At, t.window)
			if !v.Present() || row.Ts <= expired || distinctSet(slot).note(int(t.keep), idOfValue(v), row.Ts, expired) {
				continue
			}
		}
		left[n] = int32(i)
		n++
	}
	for i := distincts; i < len(r.touched); i++ {
		left[n] = int32(i)
		n++
	}
	return left[:n]
}

// endQuick ends the waits that are not open, and notes the others in left; it returns how many they are.
func (f *focus) endQuick(ends []touch, ts nudge.Millis, left []int32) (n int) {
	places, mark, rec := f.places, f.mark, f.rec
	for i := range ends {
		if num := int(ends[i].num); num < len(places) && places[num].isOf(mark) {
			from := places[num].from()
			if w := wait(rec[from : from+waitIdleLen : from+waitIdleLen]); w.endIdle(ts) {
				continue
			}
		}
		left[n] = int32(i)
		n++
	}
	return n
}

// areMet says whether all needs are met, none of which is a pulse. That too little is kept, which is what is found most, is found here.
func (f *focus) areMet(g *program, needs []need, at nudge.Millis) bool {
	for i := range needs {
		n := &needs[i]
		if int(n.num) >= len(f.places) || !f.places[n.num].isOf(f.mark) {
			return false
		}
		from, to := f.places[n.num].from(), f.places[n.num].to()
		slot := f.rec[from:to:to]
		if n.kind != rules.OpTotal && entriesOf(slot) < n.atLeast || !n.isMet(g, slot, at) {
			return false
		}
	}
	return true
}

// entriesOf is how many entries are kept in a ring or a set.
func entriesOf(slot []byte) int { return int(binary.LittleEndian.Uint16(slot)) }
