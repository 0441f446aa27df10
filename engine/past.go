package engine

import (
	"encoding/binary"
	"slices"

	"nudge"
	"nudge/rules"
)

// A visitor without a user has a past that rules of users will want to know. What concerns their operators is kept under the
// visitor, in a table of its own, and joins the user at the identifying event: the record that gives the visitor its first user.
//
// A past decides nothing and sets no timer. A deadline that passes in it is noticed when its wait is looked at next, which no answer
// can tell from the deadline's own instant. At the identifying event it leaves the table, and travels up to the user as bytes with that
// record, whether a rule listens to the record or not: the user's key takes both as one input.

const (
	// tablePasts is the table of pasts, beside those of the levels.
	tablePasts = levels

	// scopePast is the scope number under which pasts are stored. No other scope gets it: the dictionary counts up from 0.
	scopePast = 0xffff
)

// remember applies an input that would be a user's to its visitor's past: state only.
func (s *shard) remember(b *Batch, visitor string, in input) {
	w := s.enter()
	in.scope = rules.ScopeUser
	if s.collect(w, in.scope, in.tests) {
		t := &s.tables[tablePasts]
		k := keyRef{t: t, i: t.find(in.hash, scopePast, visitor), scope: in.scope, num: scopePast, hash: in.hash, text: visitor}
		for _, touched := range w.touched {
			s.passDeadline(&k, int(touched.op), in.when.at)
		}
		s.applyEvent(b, w, &k, &in)
	}
	s.leave()
}

// passDeadline ends a wait whose deadline has come by an instant. Nobody sees the pulse.
func (s *shard) passDeadline(k *keyRef, op int, at nudge.Millis) {
	kind := s.program.plan.Ops[op].Kind
	if !isWait(kind) {
		return
	}
	slot := wait(k.t.slot(k.i, s.program.nums[op]))
	if due := slot.openUntil(); due <= at {
		s.ensure(k)
		slot.pulse(due, kind == rules.OpDwell)
	}
}

// takePast takes the past of a visitor out of its table; nil if it has none.
func (s *shard) takePast(hash nudge.KeyHash, visitor string) []byte {
	t := &s.tables[tablePasts]
	i := t.find(hash, scopePast, visitor) // with what was read back for it, which must not come after the past is gone
	if i == noEntry {
		return nil
	}
	past := slices.Clone(t.record(i))
	t.remove(i)
	return past
}

// eachPast calls f for the slots of a past that belong to operators of the running program.
func (s *shard) eachPast(past []byte, f func(op int32, slot []byte)) {
	at, n := directory(past)
	for j := range n {
		num := binary.LittleEndian.Uint32(past[at+j*dirEntry:])
		if int(num) >= len(s.program.userOp) {
			continue
		}
		if op := s.program.userOp[num]; op >= 0 {
			from, to := slotBounds(past, at, n, j)
			f(op, past[from:to])
		}
	}
}

// concernPast adds the rules that a past concerns.
func (s *shard) concernPast(w *scratch, past []byte) {
	s.eachPast(past, func(op int32, _ []byte) { s.concernRules(w, op) })
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
		k.t.newestTime(k.i, num, nudge.Millis(binary.LittleEndian.Uint64(src)))
	case rules.OpAbsent, rules.OpDwell:
		k.t.mergeWait(k.i, num, op.Window, wait(src))
	default:
		panic("BUG: an operator whose state cannot be merged")
	}
}
