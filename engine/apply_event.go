package engine

import (
	"encoding/binary"
	"math"
	"slices"

	"nudge"
	"nudge/rules"
)

// applyEvent lets an event change the operators that it concerns. An event later than Options.Lateness is history: it enters
// windows and ends waits, but starts none and makes no pulse.
func (s *shard) applyEvent(b *Batch, w *scratch, k *keyRef, in *input, r *reaction) {
	if r.stores {
		if k.i == noEntry {
			s.begin(w, k, in, r)
		} else {
			s.ensure(k)
		}
	}
	timed, late := r.timed, s.engine.isLate(in.row)
	k.t.focusOf(k.i).applyQuick(w, s.program, r, in.row, late)
	if len(w.left) > 1 && k.i != noEntry {
		s.reserve(w, k, in, r)
	}
	for _, i := range w.left {
		timed = s.applyTouch(b, w, k, in, r.touched[i], late) || timed
	}
	if timed && k.i != noEntry && !k.isPast {
		k.t.arm(k.i, s.nextDue(k.t, k.i, in.when.at))
	}
}

// applyTouch lets an event change an operator that it concerns, and says whether the key's deadlines are others now.
func (s *shard) applyTouch(b *Batch, w *scratch, k *keyRef, in *input, t *touch, late bool) (changed bool) {
	op := &s.program.plan.Ops[t.op]
	switch t.kind {
	case rules.OpScore:
		s.ensure(k)
		k.t.addPoints(k.i, t.num, pointsOf(op.Points, t.roles), in.row.Ts, t.window)
	case rules.OpSequence:
		if s.advanceSequence(k, t.num, op, t.roles, in.row.Ts, late) {
			w.pulses = append(w.pulses, pulse{op: int(t.op)})
		}
	case rules.OpAbsent, rules.OpDwell:
		return s.applyWait(b, w, k, in, t, late)
	default:
		s.applyMain(b, w, k, in, t, late)
	}
	return false
}

// begin gives a key that has none an entry, with the slots that an event begins: most keys get most of their slots by their first event.
func (s *shard) begin(w *scratch, k *keyRef, in *input, r *reaction) {
	w.added = w.added[:0]
	for _, i := range r.byNum {
		t := r.touched[i]
		if size, old := firstSlot(t, in.row); size > 0 {
			w.added = appendSlot(w.added, t.num, size, old)
		}
	}
	if len(w.added) > 0 {
		s.touch(k, w.added)
	}
}

// reserve makes the room that an event takes at the operators that are left, all in one go: it spares rewriting the record for each.
func (s *shard) reserve(w *scratch, k *keyRef, in *input, r *reaction) {
	w.added = w.added[:0]
	inFocus := k.t.focusOf(k.i) != nil
	for _, i := range w.left {
		t := r.touched[i]
		slot := k.t.slot(k.i, t.num)
		size, old := 0, slot
		switch {
		case slot == nil:
			size, old = firstSlot(t, in.row)
		case !inFocus: // nobody has tried whether it has room
		case t.kind == rules.OpCount:
			size = ring(slot).larger(int(t.keep))
		case t.kind == rules.OpDistinct:
			size = distinctSet(slot).larger(int(t.keep))
		}
		if size > 0 {
			w.added = insertSlot(w.added, t.num, size, old)
		}
	}
	if len(w.added) < 2 {
		return
	}
	k.t.addSlots(k.i, w.added)
	if !inFocus {
		return
	}
	for _, i := range w.left {
		t := r.touched[i]
		switch slot := k.t.slot(k.i, t.num); {
		case slot == nil:
		case t.kind == rules.OpCount:
			ring(slot).spread()
		case t.kind == rules.OpDistinct:
			distinctSet(slot).spread()
		}
	}
}

// firstSlot is the size of the slot that an event begins for an operator, and what it holds at first, then zeros. The size is 0 where it is not sure to
// begin one.
func firstSlot(t *touch, row *rules.Row) (size int, old []byte) {
	switch t.kind {
	case rules.OpCount:
		if row.Ts > expiredAt(row.At, t.window) {
			size = ringHeader + 8*min(ringFirst, int(t.keep))
		}
	case rules.OpDistinct:
		if row.Ts > expiredAt(row.At, t.window) && (t.day != nil || t.value(row).Present()) {
			size = distinctHeader + distinctEntry*min(distinctFirst, int(t.keep))
		}
	case rules.OpTotal:
		size = 8
	case rules.OpFirst, rules.OpSince:
		size, old = len(noTimeSlot), noTimeSlot[:]
	case rules.OpAbsent, rules.OpDwell:
		if t.roles&roleEnd != 0 {
			size = waitIdleLen
		}
	}
	return size, old
}

// applyWait applies an event that ends a wait, starts one or does both, in this order, and says whether the key's earliest deadline may be another one
// now than its timer is set for: one that is begun sets it.
func (s *shard) applyWait(b *Batch, w *scratch, k *keyRef, in *input, t *touch, late bool) (changed bool) {
	if t.roles&roleEnd != 0 {
		s.ensure(k)
		changed = k.t.endWait(k.i, t.num, in.row.Ts, t.window)
	}
	if t.roles&roleMain != 0 && !late {
		s.ensure(k)
		if k.t.startWait(k.i, t.num, in.row.Ts, in.row.At, t.window, s.keepOf(b, w, k, &s.program.plan.Ops[t.op], in)) && !k.isPast {
			k.t.arm(k.i, min(k.t.entry(k.i).due, wait(k.t.slot(k.i, t.num)).deadline()))
		}
	}
	return changed
}

// applyMain applies an event that matches the test of an operator that does not wait.
func (s *shard) applyMain(b *Batch, w *scratch, k *keyRef, in *input, t *touch, late bool) {
	num, row := t.num, in.row
	expired := expiredAt(row.At, t.window)
	switch t.kind {
	case rules.OpOn:
		if !late {
			w.pulses = append(w.pulses, pulse{op: int(t.op)})
		}
	case rules.OpCount:
		if row.Ts > expired {
			s.ensure(k)
			k.t.addTime(k.i, num, int(t.keep), row.Ts, expired)
		}
	case rules.OpTotal:
		s.ensure(k)
		k.t.addTotal(k.i, num)
	case rules.OpDistinct:
		if row.Ts <= expired {
			break
		}
		if id, has := t.idOf(row, k.t.focus.ids); has {
			s.ensure(k)
			k.t.addValue(k.i, num, int(t.keep), id, row.Ts, expired)
		}
	case rules.OpValues:
		if v := t.value(row); v.Present() && row.Ts > expired {
			s.ensure(k)
			k.t.keepValue(k.i, num, int(t.keep), v, row.Ts, in.when.stamp(), s.keptSource(k, in))
		}
	case rules.OpNumbers:
		if v, ok := micro(t.value(row)); ok && row.Ts > expired {
			s.ensure(k)
			if k.t.addNumber(k.i, num, int(t.keep), v, row.Ts, expired) && b != nil { // nil: only tried on a copy
				s.stats.overflows++
			}
		}
	case rules.OpTally:
		if v, ok := micro(t.value(row)); ok {
			s.ensure(k)
			k.t.addTally(k.i, num, v)
		}
	case rules.OpLast:
		s.ensure(k)
		k.t.noteLast(k.i, num, t.value(row), row.Ts, in.when.stamp(), s.keptSource(k, in))
	case rules.OpSince:
		s.ensure(k)
		noteNewest(k.t.timeSlot(k.i, num), row.Ts)
	case rules.OpFirst:
		s.ensure(k)
		w.noteFirst(s.program, t, k.t.timeSlot(k.i, num), row.Ts, late)
	}
}

// noteFirst notes an event in the slot of OpFirst, which pulses if the pause was long enough for any use, unless the event is late or not the newest.
func (w *scratch) noteFirst(g *program, t *touch, slot []byte, ts nudge.Millis, late bool) {
	prev, had := noteNewest(slot, ts)
	had = had && prev > g.above(t.num, noTime)
	if !late && (!had || ts >= prev && prev <= expiredAt(ts, t.window)) {
		w.pulses = append(w.pulses, pulse{op: int(t.op), had: had, prev: prev, ts: ts})
	}
}

// keepOf is what a wait keeps of the event that opens it: its visitor, its source at a key that is no person's, and the fields that firings
// will need.
func (s *shard) keepOf(b *Batch, w *scratch, k *keyRef, op *rules.Op, in *input) []byte {
	visitor := ""
	if in.from != nil {
		visitor = in.from.visitor
	} else if in.rec >= 0 {
		visitor = b.abouts[in.rec].visitor
	}
	dst := binary.LittleEndian.AppendUint16(w.kept[:0], uint16(len(visitor)))
	dst = append(dst, visitor...)
	if source := s.keptSource(k, in); source != 0 {
		dst = appendKeptSource(dst, source)
	}
	for _, slot := range op.Slots {
		if v := cutText(in.row.Vals[slot]); v.Kind != nudge.Missing {
			dst = binary.LittleEndian.AppendUint64(dst, s.program.fieldHash[slot])
			dst = appendValue(dst, v)
		}
	}
	w.kept = dst
	return dst
}

// noSource is kept at a key that is no person's of what no event of anybody brought: no key has this hash.
const noSource nudge.KeyHash = 1

// keptSource is the source that a key keeps of an input: none where the key is a person's, with whom all of it goes.
func (s *shard) keptSource(k *keyRef, in *input) nudge.KeyHash {
	switch {
	case levelOf(s.program.plan.Scopes[k.scope].Kind) < levels-1:
		return 0
	case in.source == 0:
		return noSource
	}
	return in.source
}

// keptRow makes row that of a firing born of time: what the wait kept, everything else missing.
func (g *program) keptRow(row *rules.Row, kept []byte, at nudge.Millis) (_ *rules.Row, visitor string) {
	*row = rules.Row{Ts: at, At: at, Vals: slices.Grow(row.Vals[:0], len(g.plan.Fields))[:len(g.plan.Fields)]}
	clear(row.Vals)
	if kept == nil {
		return row, ""
	}
	visitor = eachKept(kept, func(hash uint64, field []byte) {
		if slot, ok := g.fieldSlots[hash]; ok {
			row.Vals[slot], _ = readValue(field[8:])
		}
	})
	return row, visitor
}

// addTotal counts an event in the slot of OpTotal: u64 events.
func (t *table) addTotal(i, num uint32) {
	slot := t.slot(i, num)
	if slot == nil {
		slot = t.grow(i, num, 8)
	}
	binary.LittleEndian.PutUint64(slot, readTotal(slot)+1)
}

// mergeTotal adds what an other slot counted.
func (t *table) mergeTotal(i, num uint32, src []byte) {
	slot := t.slot(i, num)
	binary.LittleEndian.PutUint64(slot, readTotal(slot)+readTotal(src))
}

func readTotal(slot []byte) uint64 { return binary.LittleEndian.Uint64(slot) }

// noTime stands in the slot of OpFirst and OpSince between its making and the event that it is made for.
const noTime = nudge.Millis(math.MinInt64)

var noTimeSlot = [8]byte{7: 0x80}

// timeSlot is the slot of OpFirst and OpSince: i64 the newest time, or noTime.
func (t *table) timeSlot(i, num uint32) []byte {
	slot := t.slot(i, num)
	if slot == nil {
		slot = t.grow(i, num, len(noTimeSlot))
		copy(slot, noTimeSlot[:])
	}
	return slot
}

// noteNewest notes an event in such a slot, and returns the newest time before it.
func noteNewest(slot []byte, ts nudge.Millis) (prev nudge.Millis, had bool) {
	prev = nudge.Millis(binary.LittleEndian.Uint64(slot))
	binary.LittleEndian.PutUint64(slot, uint64(max(prev, ts)))
	return prev, prev != noTime
}
