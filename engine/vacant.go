package engine

import (
	"nudge"
	"nudge/rules"
)

// A slot is vacant from the instant on at which no record to come can tell it from none: its entries have left every window, nothing is open, its
// cooldown is over. A key all of whose slots are vacant is the same as one that was never met (vanish.go), so it changes no answer when it goes (I2).
//
// What is without a window never becomes vacant: total, tally, last, since and what is asked about "ever"; nor does a score, of which a little is left
// for ever, and a dwell that has pulsed and waits for an end.
//
// Windows lie in event time, and events may be late. One that enters a window may be as late as it likes: it does not make older ones count. A
// pulse, the start of a wait and the end of a sequence want an event that is no history: for these the latest window begins lateness ago.

// lasting says how long what a slot holds can matter.
type lasting struct {
	kind   lastingKind
	op     *rules.Op
	window nudge.Millis // of a cooldown or a pool
	floor  nudge.Millis // what is not newer counts for nothing (floor.go)
}

type lastingKind uint8

const (
	lastsNot      lastingKind = iota // no rule uses it
	lastsOperator                    // as the operator has it
	lastsCooldown
	lastsPool
)

// lastings are what the slots of a program's numbers mean.
func (g *program) lastings() []lasting {
	all := make([]lasting, len(g.live))
	for i, num := range g.nums {
		if num != 0 {
			all[num] = lasting{kind: lastsOperator, op: &g.plan.Ops[i]}
		}
	}
	for i := range g.plan.Rules {
		r, info := &g.plan.Rules[i], &g.rules[i]
		all[info.cooldown] = lasting{kind: lastsCooldown, window: r.Cooldown}
		if r.Limit != nil {
			all[info.limit] = lasting{kind: lastsPool, window: r.Limit.Window}
		}
	}
	for num := range all {
		all[num].floor = g.above(uint32(num), noTime)
	}
	return all
}

// vacant says whether a slot is vacant when the log's time is at, and events before late are history.
func (l *lasting) vacant(slot []byte, at, late nudge.Millis) bool {
	switch l.kind {
	case lastsOperator:
		return l.opVacant(slot, at, late)
	case lastsCooldown:
		return sinceNewest(slot) <= l.expired(at, l.window) || planted(bugVacantCooldown)
	case lastsPool:
		return ring(slot).after(l.expired(at, l.window)) == 0
	}
	return true
}

// expired is the newest instant that a window does not reach, or the floor.
func (l *lasting) expired(at, window nudge.Millis) nudge.Millis {
	return max(expiredAt(at, window), l.floor)
}

func (l *lasting) opVacant(slot []byte, at, late nudge.Millis) bool {
	op := l.op
	expired := l.expired(at, op.Window)
	if planted(bugVacantEarly) {
		expired, late = expired+1, late+1
	}
	switch op.Kind {
	case rules.OpCount, rules.OpDistinct:
		return timesOf(op.Kind, slot).after(expired) == 0
	case rules.OpNumbers:
		return numbers(slot).after(expired) == 0 && !numbers(slot).lacks(expired)
	case rules.OpValues:
		return valuesVacant(slot, expired)
	case rules.OpFirst:
		return sinceNewest(slot) <= l.expired(late, op.Window)
	case rules.OpSequence:
		return sequence(slot).vacant(l.expired(late, op.Window))
	case rules.OpAbsent, rules.OpDwell:
		return wait(slot).vacant(l.expired(late, op.Window))
	}
	return false
}
