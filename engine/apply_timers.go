package engine

import (
	"encoding/binary"

	"nudge"
	"nudge/rules"
)

// runKeyTimers runs a key's timers of one millisecond, taken together: waits that reach their deadline pulse, and
// conditions that time can make true are looked at again. Before is one millisecond earlier.
func (s *shard) runKeyTimers(b *Batch, t *table, i uint32, due nudge.Millis) {
	w := s.enter()
	k := s.keyOf(t, i)
	s.collectDue(w, &k, due)
	t.focusOn(i)
	if len(w.rules) > 0 || len(w.pulses) > 0 {
		pulses := w.pulses
		w.pulses = nil
		s.dropTrue(w, &k, due-1)
		w.pulses = pulses
		t.touch(i)
		for _, p := range pulses {
			op := &s.program.plan.Ops[p.op]
			wait(t.slot(i, s.program.nums[p.op])).pulse(due, op.Kind == rules.OpDwell)
		}
		s.keepRisen(w, &k, due)
	}
	t.arm(i, s.nextDue(t, i, due))
	if len(w.rules) > 0 {
		_, text := t.identity(i)
		k.text = s.texts.keepBytes(text)
		in := input{when: instant{at: due, timer: true, off: b.offsetAt(due)}, scope: k.scope, hash: k.hash, key: k.text, rec: -1}
		s.settle(b, w, &k, &in, nil)
	}
	s.leave()
}

// keyOf is the key of an entry, for a timer, still without its text.
func (s *shard) keyOf(t *table, i uint32) keyRef {
	num, _ := t.identity(i)
	if of := s.program.scopeOf; int(num) < len(of) && of[num] >= 0 {
		return keyRef{t: t, i: i, scope: int(of[num]), num: num, hash: t.entry(i).hash}
	}
	return keyRef{t: t, i: i, scope: -1} // no rule watches such keys any more: nothing of it is timed
}

// collectDue finds what a key has due at an instant: the waits that pulse, and the rules whose windows lose an entry.
func (s *shard) collectDue(w *scratch, k *keyRef, due nudge.Millis) {
	g := s.program
	s.eachTimed(k.t, k.i, func(op int32, slot []byte) {
		if isWait(g.plan.Ops[op].Kind) {
			if wait(slot).openUntil() == due {
				w.pulses = append(w.pulses, pulse{op: int(op)})
				w.concern(g, op)
			}
			return
		}
		for j := range g.wakes[op] {
			if u := &g.wakes[op][j]; u.due(&g.plan.Ops[op], slot, due) {
				w.rules = append(w.rules, g.at[u.rule])
			}
		}
	})
	w.sortRules()
}

// nextDue is the earliest instant after now at which a key has something due.
func (s *shard) nextDue(t *table, i uint32, now nudge.Millis) nudge.Millis {
	g, due := s.program, never
	s.eachTimed(t, i, func(op int32, slot []byte) {
		if isWait(g.plan.Ops[op].Kind) {
			due = min(due, wait(slot).openUntil())
			return
		}
		for j := range g.wakes[op] {
			due = min(due, g.wakes[op][j].next(&g.plan.Ops[op], slot, now))
		}
	})
	return due
}

// due says whether the use must be looked at at an instant.
func (u *wakeUse) due(op *rules.Op, slot []byte, at nudge.Millis) bool {
	switch op.Kind {
	case rules.OpSince, rules.OpScore:
		return u.next(op, slot, at-1) == at
	case rules.OpNumbers:
		if numbers(slot).lacks(expiredAt(at-1, u.window)) != numbers(slot).lacks(expiredAt(at, u.window)) {
			return true
		}
	}
	times := timesOf(op.Kind, slot)
	return times.after(expiredAt(at-1, u.window)) != times.after(expiredAt(at, u.window))
}

// next is the earliest instant after now at which the use must be looked at, never if there is none.
func (u *wakeUse) next(op *rules.Op, slot []byte, now nudge.Millis) nudge.Millis {
	switch op.Kind {
	case rules.OpSince:
		return u.marks.next(slot, now)
	case rules.OpScore:
		return score(slot).next(u.mark, op.Window, now)
	case rules.OpNumbers:
		return min(u.nextExpiry(timesOf(op.Kind, slot), now), numbers(slot).droppedExpiry(u.window, now))
	}
	return u.nextExpiry(timesOf(op.Kind, slot), now)
}

// nextExpiry is when the entry whose expiry matters leaves the window.
func (u *wakeUse) nextExpiry(times timeList, now nudge.Millis) nudge.Millis {
	if u.window == rules.Ever {
		return never
	}
	live := times.after(expiredAt(now, u.window))
	n := u.wake
	if n == rules.WakeEvery {
		n = live
	}
	if n == 0 || n > live {
		return never
	}
	return times.newest(n) + u.window
}

// timeList is what rings have in common: times, newest first. A value, because an interface over a slice would allocate for each.
type timeList struct {
	slot []byte
	kind rules.OpKind
}

func timesOf(kind rules.OpKind, slot []byte) timeList { return timeList{slot, kind} }

func (l timeList) after(ts nudge.Millis) int {
	switch l.kind {
	case rules.OpDistinct:
		return distinctSet(l.slot).after(ts)
	case rules.OpNumbers:
		return numbers(l.slot).after(ts)
	}
	return ring(l.slot).after(ts)
}

// reach says whether n entries at least are newer than ts.
func (l timeList) reach(n int, ts nudge.Millis) bool {
	if l.kind == rules.OpDistinct {
		d := distinctSet(l.slot)
		return d.len() >= n && d.newest(n) > ts
	}
	r := ring(l.slot)
	return r.len() >= n && r.newest(n) > ts
}

func (l timeList) newest(n int) nudge.Millis {
	switch l.kind {
	case rules.OpDistinct:
		return distinctSet(l.slot).newest(n)
	case rules.OpNumbers:
		return numbers(l.slot).newest(n)
	}
	return ring(l.slot).newest(n)
}

// eachTimed calls f for the key's slots whose operators can set timers in the running program. Those of a visitor's past set none.
func (s *shard) eachTimed(t *table, i uint32, f func(op int32, slot []byte)) {
	rec := t.record(i)
	visitor := scopeOf(rec) == rules.ScopeVisitor
	opOf := s.program.opOf
	each := func(num uint32, slot []byte) {
		if int(num) >= len(opOf) || opOf[num] < 0 {
			return
		}
		if op := opOf[num]; !visitor || s.program.plan.Ops[op].Scope == rules.ScopeVisitor {
			f(op, slot)
		}
	}
	if _, dir, narrow := narrowDirectory(rec); narrow {
		for end := len(rec); len(dir) >= dirEntry; dir = dir[:len(dir)-dirEntry] {
			e := binary.LittleEndian.Uint32(dir[len(dir)-dirEntry : len(dir) : len(dir)])
			from := int(e >> 16)
			each(e&mostNarrow, rec[from:end])
			end = from
		}
		return
	}
	d := directoryOf(rec)
	for j := range d.len() {
		each(d.slot(j))
	}
}
