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
	quickFirst                 // a newer time
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
	case t.kind == rules.OpFirst:
		return quickFirst
	}
	return quickNone
}

// sort puts the touches in order, those of a kind by number, and notes in which order their numbers are.
func (r *reaction) sort() {
	slices.SortFunc(r.touched, func(a, b *touch) int { return cmp.Or(cmp.Compare(quickOf(a), quickOf(b)), cmp.Compare(a.num, b.num)) })
	r.behind = [quickNone]int32{}
	for i := range r.touched {
		for q := quickOf(r.touched[i]); q < quickNone; q++ {
			r.behind[q] = int32(i) + 1
		}
	}
	r.byNum = appendRest(nil, 0, len(r.touched))
	slices.SortFunc(r.byNum, func(a, b int32) int { return cmp.Compare(r.touched[a].num, r.touched[b].num) })
}

// applyQuick does to the key in focus, if there is one, what can be done quickly, and notes in w.left the places of the touches that are left.
func (f *focus) applyQuick(w *scratch, g *program, r *reaction, row *rules.Row, late bool) {
	left := w.left[:0]
	if cap(left) < len(r.touched) {
		left = make([]int32, 0, len(r.touched))
	}
	if f == nil {
		w.left = appendRest(left, 0, len(r.touched))
		return
	}
	ends, totals, counts, distincts := int(r.behind[quickEnd]), int(r.behind[quickTotal]), int(r.behind[quickCount]), int(r.behind[quickDistinct])
	if ends > 0 {
		left = f.endQuick(r.touched[:ends], row.Ts, left)
	}
	for i := ends; i < totals; i++ {
		if slot := f.slot(r.touched[i].num); slot != nil {
			binary.LittleEndian.PutUint64(slot, readTotal(slot)+1)
		} else {
			left = append(left, int32(i))
		}
	}
	for i := totals; i < counts; i++ {
		t := r.touched[i]
		if slot := f.slot(t.num); slot == nil || !ring(slot).note(int(t.keep), row.Ts, expiredAt(row.At, t.window)) {
			left = append(left, int32(i))
		}
	}
	for i := counts; i < distincts; i++ {
		t := r.touched[i]
		if slot := f.slot(t.num); slot == nil || !distinctSet(slot).noteOf(t, row, f.ids) {
			left = append(left, int32(i))
		}
	}
	firsts := int(r.behind[quickFirst])
	for i := distincts; i < firsts; i++ {
		t := r.touched[i]
		if slot := f.slot(t.num); slot != nil {
			w.noteFirst(g, t, slot, row.Ts, late)
		} else {
			left = append(left, int32(i))
		}
	}
	w.left = appendRest(left, firsts, len(r.touched))
}

// noteOf adds what a row has of the value, if it does and that does not take room for more; in that case it says so.
func (d distinctSet) noteOf(t *touch, row *rules.Row, ids *longIDs) bool {
	expired := expiredAt(row.At, t.window)
	if row.Ts <= expired {
		return true
	}
	id, has := t.idOf(row, ids)
	return !has || d.note(int(t.keep), id, row.Ts, expired)
}

// idOf is the id of the value that a row has, if it has one. Mostly that is the day, or a short text that is a field as it stands.
func (t *touch) idOf(row *rules.Row, ids *longIDs) (id valueID, has bool) {
	switch {
	case t.day != nil && ids != nil:
		return ids.ofDay(t.day, row.Ts), true
	case t.field >= 0:
		if v := &row.Vals[t.field]; v.Kind == nudge.Text && len(v.Text) <= shortText {
			return idOfShort(v.Text), true
		}
	}
	if v := t.value(row); v.Present() {
		return ids.of(v), true
	}
	return valueID{}, false
}

func appendRest(left []int32, from, to int) []int32 {
	for i := from; i < to; i++ {
		left = append(left, int32(i))
	}
	return left
}

// endQuick ends the waits that are not open, and notes the others in left.
func (f *focus) endQuick(ends []*touch, ts nudge.Millis, left []int32) []int32 {
	places, mark, rec := f.places, f.mark, f.rec
	for i := range ends {
		if num := int(ends[i].num); num < len(places) && places[num].isOf(mark) {
			from := places[num].from()
			if w := wait(rec[from : from+waitIdleLen : from+waitIdleLen]); w.endIdle(ts) {
				continue
			}
		}
		left = append(left, int32(i))
	}
	return left
}
