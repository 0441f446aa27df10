package rules

import (
	"math"
	"slices"
)

type (
	condFunc   = func([]Reading) bool
	numberFunc = func([]Reading) float64 // NaN is nothing
)

// useSet collects the readings that one condition or action needs, equal ones once.
type useSet struct {
	planner *planner
	scope   int
	uses    []Use
}

func (s *useSet) add(a *ask, wake int) int { return s.addUse(a, Use{Wake: wake}) }

// addUse adds a use of which it fills in what the operator's call says.
func (s *useSet) addUse(a *ask, u Use) int {
	u.Op = s.planner.op(s.scope, a)
	switch a.kind {
	case OpCount, OpDistinct, OpValues, OpFirst:
		u.Window = a.window
	case OpNumbers:
		u.Window, u.Fold = a.window, a.fold
	case OpTally:
		u.Window, u.Fold = Ever, a.fold
	case OpTotal:
		u.Window = Ever
	}
	if u.Window == Ever {
		u.Wake = WakeNever // nothing ever leaves
	}
	for i, old := range s.uses {
		if old == u {
			return i
		}
	}
	s.uses = append(s.uses, u)
	return len(s.uses) - 1
}

// waking says whether a condition's uses wake their key. In unless and in actions nothing does, and neither does a condition that is true
// only when something happens: the pulse is an instant by itself.
func waking(c *cond) bool { return !c.pulses() }

// condFunc compiles a condition. wake says whether uses can wake at all; under an odd number of nots positive is false.
func (s *useSet) condFunc(c *cond, wake, positive bool) condFunc {
	switch c.kind {
	case condNot:
		f := s.condFunc(c.args[0], wake, !positive)
		return func(r []Reading) bool { return !f(r) }
	case condAnd, condOr:
		parts := make([]condFunc, len(c.args))
		for i, a := range c.args {
			parts[i] = s.condFunc(a, wake, positive)
		}
		stop := c.kind == condOr // what decides it at once
		return func(r []Reading) bool {
			for _, f := range parts {
				if f(r) == stop {
					return stop
				}
			}
			return !stop
		}
	case condAsk:
		return s.askFunc(c.ask, wake, positive)
	case condLast:
		return s.lastFunc(c)
	}
	return s.compareFunc(c, wake, positive)
}

func (s *useSet) askFunc(a *ask, wake, positive bool) condFunc {
	if a.pulse {
		i := s.add(a, WakeNever)
		return func(r []Reading) bool { return r[i].Pulse }
	}
	w := WakeNever
	if wake {
		w = wakeAt(">=", 1, positive)
	}
	i := s.addUse(a, Use{Wake: w, AtLeast: 1})
	return func(r []Reading) bool { return r[i].N >= 1 }
}

func (s *useSet) compareFunc(c *cond, wake, positive bool) condFunc {
	want := wanted(c.op)
	if c.left.kind == numberAsk && c.right.kind == numberConst && c.left.ask.drifts() {
		return s.driftFunc(c.left.ask, want, c.right.val, wake)
	}
	if c.left.kind == numberAsk && c.right.kind == numberConst && c.left.ask.isCount() {
		w := WakeNever
		if wake {
			w = wakeAt(c.op, c.right.val, positive)
		}
		u, k := Use{Wake: w}, c.right.val
		u.AtLeast = atLeast(c.op, k)
		i := s.addUse(c.left.ask, u)
		return func(r []Reading) bool { return want.of(compareNumbers(r[i].N, k)) == True }
	}
	l, r := s.numberFunc(c.left, wake), s.numberFunc(c.right, wake)
	return func(rs []Reading) bool { return want.of(compareNumbers(l(rs), r(rs))) == True }
}

// driftFunc compiles since and score compared with a constant.
func (s *useSet) driftFunc(a *ask, want outcomes, k float64, wake bool) condFunc {
	i := 0
	if wake {
		i = s.addUse(a, Use{Wake: WakeAtMark, Mark: k})
	} else {
		i = s.add(a, WakeNever)
	}
	return func(r []Reading) bool { return !r[i].None && want.of(compareNumbers(r[i].N, k)) == True }
}

// numberFunc compiles a number whose very value is used: with more entries than are kept it is nothing.
func (s *useSet) numberFunc(n *number, wake bool) numberFunc {
	switch n.kind {
	case numberConst:
		v := n.val
		return func([]Reading) float64 { return v }
	case numberAsk:
		w := WakeNever
		if wake && !n.ask.drifts() {
			w = WakeEvery
		}
		i := s.add(n.ask, w)
		return func(r []Reading) float64 {
			if r[i].More || r[i].None {
				return math.NaN()
			}
			return r[i].N
		}
	case numberNeg:
		f := s.numberFunc(n.args[0], wake)
		return func(r []Reading) float64 { return -f(r) }
	}
	op, a, b := n.op, s.numberFunc(n.args[0], wake), s.numberFunc(n.args[1], wake)
	return func(r []Reading) float64 { return arith(op, a(r), b(r)) }
}

// isAll is Cond.All.
func (c *cond) isAll() bool {
	switch c.kind {
	case condAnd:
		return !slices.ContainsFunc(c.args, func(a *cond) bool { return !a.isAll() })
	case condAsk:
		return true
	case condCompare:
		least := c.op == ">=" || c.op == ">"
		return least && c.left.kind == numberAsk && c.left.ask.isCount() && c.right.kind == numberConst && atLeast(c.op, c.right.val) > 0
	}
	return false
}

// atLeast is the n for which "number op k" is the same for all numbers from n on, and the same for all below; 0 if there is none above 0.
func atLeast(op string, k float64) int {
	n := 0.0
	switch op {
	case ">=", "<":
		n = math.Ceil(k)
	case ">", "<=":
		n = math.Floor(k) + 1
	}
	return int(max(n, 0))
}

// wakeAt is which entry's leaving the window can make "number op k" true, or, where positive is false, can make it false: the n-th newest.
// When that entry leaves, the number falls from n to n − 1.
func wakeAt(op string, k float64, positive bool) int {
	if !positive {
		op = map[string]string{"<": ">=", "<=": ">", "==": "!=", "!=": "==", ">=": "<", ">": "<="}[op]
	}
	n := float64(WakeNever)
	whole := k == math.Trunc(k)
	switch {
	case op == "<":
		n = math.Ceil(k)
	case op == "<=":
		n = math.Floor(k) + 1
	case op == "==" && whole:
		n = k + 1
	case op == "!=" && whole:
		n = k
	}
	if n < 1 {
		return WakeNever
	}
	return int(n)
}
