package rules

import (
	"fmt"
	"math"
)

// span is what a part of a condition says of one count: it lies from low to high, both included.
type span struct {
	ask       *ask
	low, high float64
}

// warnNever warns of an and whose comparisons of counts contradict each other: they look at the same events, and no numbers are as they say.
func (c *conditions) warnNever(k *cond) {
	if c.deployed {
		return
	}
	spans := spansOf(k, true, nil)
	for i := range spans {
		for j := range spans {
			few, many := spans[j], spans[i]
			if many.low > few.high && many.ask.atMost(few.ask) {
				at := max(few.ask.at, many.ask.at)
				c.warnf(at, "other numbers, or `or` between them", "this can never be true: %s, but %s", many.lowText(), few.highText())
				return
			}
		}
	}
}

// spansOf lists what must be so of counts for k to be true, or, where holds is false, for it to be false.
func spansOf(k *cond, holds bool, spans []span) []span {
	switch {
	case k.kind == condNot:
		return spansOf(k.args[0], !holds, spans)
	case k.kind == condAnd && holds, k.kind == condOr && !holds:
		for _, a := range k.args {
			spans = spansOf(a, holds, spans)
		}
	case k.kind == condAsk && k.ask.countable():
		if holds {
			return append(spans, span{k.ask, 1, math.Inf(1)})
		}
		return append(spans, span{k.ask, 0, 0})
	case k.kind == condCompare && k.left.kind == numberAsk && k.right.kind == numberConst && k.left.ask.countable():
		if s, ok := spanOf(k.left.ask, choose(holds, k.op, opposite[k.op]), k.right.val); ok {
			return append(spans, s)
		}
	}
	return spans
}

// spanOf is the whole numbers for which a comparison is true; ok is false where they are no range.
func spanOf(a *ask, op string, k float64) (s span, ok bool) {
	s = span{a, 0, math.Inf(1)}
	switch op {
	case ">=":
		s.low = math.Ceil(k)
	case ">":
		s.low = math.Floor(k) + 1
	case "<=":
		s.high = math.Floor(k)
	case "<":
		s.high = math.Ceil(k) - 1
	case "==":
		s.low, s.high = k, k
	default:
		return s, false
	}
	return s, s.high >= 0 // below 0 there is a warning already
}

// countable says whether a's number is how many events, values or days there are.
func (a *ask) countable() bool {
	return !a.pulse && (a.kind == OpCount || a.kind == OpTotal || a.kind == OpDistinct)
}

// atMost says whether a's number is never more than b's: it counts the same in a window that is no longer, or only different ones of b's events.
func (a *ask) atMost(b *ask) bool {
	if a.window > b.window || a.test.String() != b.test.String() {
		return false
	}
	if b.kind != OpDistinct {
		return true
	}
	return a.kind == OpDistinct && a.days == b.days && (a.days || a.value.String() == b.value.String())
}

func (s span) lowText() string {
	if s.ask.name == "happened" {
		return s.ask.shown()
	}
	return fmt.Sprintf("%s is at least %s", s.ask.shown(), numberText(s.low))
}

func (s span) highText() string {
	if s.ask.name == "happened" {
		return "not " + s.ask.shown()
	}
	return fmt.Sprintf("%s is at most %s", s.ask.shown(), numberText(s.high))
}

// shown is a call as messages show it, its window alone.
func (a *ask) shown() string { return fmt.Sprintf("`%s(…, %q)`", a.name, durationText(a.window)) }
