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
		k.text = string(text)
		in := input{when: instant{at: due, timer: true}, scope: k.scope, hash: k.hash, key: k.text, rec: -1}
		s.settle(b, w, &k, &in, nil)
	}
	s.leave()
}

// keyOf is the key of an entry, for a timer, still without its text.
func (s *shard) keyOf(t *table, i uint32) keyRef {
	num, _ := t.identity(i)
	if of := s.program.scopeOf; int(num) < len(of) && of[num] >= 0 {
		return keyRef{t: t, i: i, scope: int(of[num]), hash: t.entry(i).hash}
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
				for _, r := range g.opRules[op] {
					w.concern(g.at[r])
				}
			}
			return
		}
		times := timesOf(g.plan.Ops[op].Kind, slot)
		for _, u := range g.wakes[op] {
			if times.after(expiredAt(due-1, u.window)) != times.after(expiredAt(due, u.window)) {
				w.concern(g.at[u.rule])
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
		times := timesOf(g.plan.Ops[op].Kind, slot)
		for _, u := range g.wakes[op] {
			due = min(due, u.next(times, now))
		}
	})
	return due
}

// next is when the use must be looked at: when the entry whose expiry matters leaves the window.
func (u *wakeUse) next(times timeList, now nudge.Millis) nudge.Millis {
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
	slot     []byte
	distinct bool
}

func timesOf(kind rules.OpKind, slot []byte) timeList {
	return timeList{slot, kind == rules.OpDistinct}
}

func (l timeList) after(ts nudge.Millis) int {
	if l.distinct {
		return distinctSet(l.slot).after(ts)
	}
	return ring(l.slot).after(ts)
}

func (l timeList) newest(n int) nudge.Millis {
	if l.distinct {
		return distinctSet(l.slot).newest(n)
	}
	return ring(l.slot).newest(n)
}

// eachTimed calls f for the key's slots whose operators can set timers in the running program.
func (s *shard) eachTimed(t *table, i uint32, f func(op int32, slot []byte)) {
	rec := t.record(i)
	at, n := directory(rec)
	for j := range n {
		num := binary.LittleEndian.Uint32(rec[at+j*dirEntry:])
		if int(num) >= len(s.program.opOf) {
			continue
		}
		if op := s.program.opOf[num]; op >= 0 {
			from, to := slotBounds(rec, at, n, j)
			f(op, rec[from:to])
		}
	}
}
