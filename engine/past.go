package engine

import (
	"encoding/binary"
	"slices"

	"nudge"
	"nudge/rules"
)

// A visitor without a user has a past that rules of users will want to know. What concerns their operators is kept in slots of the visitor's
// own record, and joins the user at the identifying event: the record that gives the visitor its first user.
//
// A past decides nothing and sets no timer. A deadline that passes in it is noticed when its wait is looked at next, which no answer
// can tell from the deadline's own instant. At the identifying event it leaves the visitor, and travels up to the user as bytes with that
// record, whether a rule listens to the record or not: the user's key takes both as one input.

// remember applies an input that would be a user's to its visitor's past: state only. k is the visitor's.
func (s *shard) remember(b *Batch, k *keyRef, in *input) {
	r := in.met.at(rules.ScopeUser)
	if r == nil {
		return
	}
	w := s.enter()
	k.scope, k.isPast = rules.ScopeUser, true
	k.t.focusOn(k.i)
	if r.waits {
		for i := range r.touched {
			s.passDeadline(k, r.touched[i], in.when.at)
		}
	}
	s.applyEvent(b, w, k, in, r)
	k.scope, k.isPast = rules.ScopeVisitor, false
	s.leave()
}

// passDeadline ends a wait whose deadline has come by an instant. Nobody sees the pulse.
func (s *shard) passDeadline(k *keyRef, t *touch, at nudge.Millis) {
	if !isWait(t.kind) {
		return
	}
	slot := wait(k.t.slot(k.i, t.num))
	if due := slot.openUntil(); due <= at {
		s.ensure(k)
		slot.pulse(due, t.kind == rules.OpDwell)
	}
}

// takePast takes the past out of a visitor's record; nil if it has none. It is a copy of the record of which only the slots of operators
// of users mean anything.
func (s *shard) takePast(hash nudge.KeyHash, visitor string) []byte {
	t := &s.tables[0]
	i := t.find(hash, rules.ScopeVisitor, visitor) // with what was read back for it, which must not come after the past is gone
	if i == noEntry {
		return nil
	}
	var past []byte
	s.eachPast(t.record(i), func(int32, []byte) { past = t.record(i) })
	if past == nil {
		return nil
	}
	past = slices.Clone(past)
	t.touch(i)
	t.strip(i, func(num uint32) bool { return s.program.opOfUser(num) >= 0 })
	return past
}

// eachPast calls f for the slots of a past that belong to operators of the running program.
func (s *shard) eachPast(past []byte, f func(op int32, slot []byte)) {
	d := directoryOf(past)
	for j := range d.len() {
		num, slot := d.slot(j)
		if op := s.program.opOfUser(num); op >= 0 {
			f(op, slot)
		}
	}
}

// opOfUser is the operator of users that has a number, -1 if none has.
func (g *program) opOfUser(num uint32) int32 {
	if int(num) >= len(g.userOp) {
		return -1
	}
	return g.userOp[num]
}

// concernPast adds the rules that a past concerns. sortRules comes after it.
func (s *shard) concernPast(w *scratch, past []byte) {
	s.eachPast(past, func(op int32, _ []byte) { w.concern(s.program, op) })
}

// mergePast lets a past join the user's key. What the identifying event itself changes comes after it.
func (s *shard) mergePast(k *keyRef, past []byte, at nudge.Millis) {
	s.eachPast(past, func(op int32, slot []byte) {
		s.ensure(k)
		s.mergeSlot(k, op, slot, at)
	})
	if k.i != noEntry {
		k.t.arm(k.i, s.nextDue(k.t, k.i, at))
	}
}

// mergeSlot merges one operator's slot of a past into the key's.
func (s *shard) mergeSlot(k *keyRef, opID int32, src []byte, at nudge.Millis) {
	op, num := &s.program.plan.Ops[opID], s.program.nums[opID]
	if isWait(op.Kind) {
		if due := wait(src).openUntil(); due <= at {
			wait(src).pulse(due, op.Kind == rules.OpDwell)
		}
	}
	if k.t.slot(k.i, num) == nil {
		copy(k.t.grow(k.i, num, len(src)), src)
		return
	}
	switch op.Kind {
	case rules.OpCount:
		k.t.mergeTimes(k.i, num, op.Keep, ring(src), expiredAt(at, op.Window))
	case rules.OpTotal:
		k.t.mergeTotal(k.i, num, src)
	case rules.OpDistinct:
		k.t.mergeDistinct(k.i, num, op.Keep, distinctSet(src), expiredAt(at, op.Window))
	case rules.OpValues:
		k.t.mergeValues(k.i, num, op.Keep, src)
	case rules.OpNumbers:
		if k.t.mergeNumbers(k.i, num, op.Keep, numbers(src), expiredAt(at, op.Window)) {
			s.stats.overflows++
		}
	case rules.OpTally:
		k.t.mergeTally(k.i, num, src)
	case rules.OpLast:
		k.t.mergeLast(k.i, num, src)
	case rules.OpScore:
		k.t.mergePoints(k.i, num, score(src), op.Window)
	case rules.OpSequence:
		sequence(k.t.slot(k.i, num)).merge(sequence(src), len(op.Steps)-1)
	case rules.OpFirst, rules.OpSince:
		noteNewest(k.t.timeSlot(k.i, num), nudge.Millis(binary.LittleEndian.Uint64(src)))
	case rules.OpAbsent, rules.OpDwell:
		k.t.mergeWait(k.i, num, op.Window, wait(src))
	default:
		panic("BUG: an operator whose state cannot be merged")
	}
}
