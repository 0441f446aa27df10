package oracle

import (
	"math"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// mark is a since or score that a comparison holds against a constant: time alone may change the answer.
type mark struct {
	call  *ast.CallNode
	value float64
}

// addMark keeps a comparison of call with a constant, whichever it is.
func (r *rule) addMark(side, other ast.Node) {
	call, ok := side.(*ast.CallNode)
	if !ok || callee(call) != "since" && callee(call) != "score" {
		return
	}
	if v := (&state{}).value(other); v.Kind == nudge.Number && !asksOperator(other) {
		r.marks = append(r.marks, mark{call: call, value: v.Num})
	}
}

// nextTimer is the earliest instant after s.t at which time alone changes something in the rule: a row leaves a window, a reading comes to its
// mark, or a wait is due. 0: never.
func (s *state) nextTimer() (next nudge.Millis) {
	earliest := func(t nudge.Millis) {
		if t > s.t && t < ever/2 && (next == 0 || t < next) {
			next = t
		}
	}
	for _, call := range s.rule.windows {
		length := duration(call.Arguments[windowArg[callee(call)]])
		for _, e := range s.rows {
			if s.rule.test(e, call.Arguments[0]) {
				earliest(e.ts + length)
			}
		}
	}
	for _, m := range s.rule.marks {
		if callee(m.call) == "since" {
			s.sinceReaches(m, earliest)
		} else {
			s.scoreReaches(m, earliest)
		}
	}
	for _, call := range s.rule.waits {
		if w := s.rule.foldWait(call, s.past, s.t); w.open {
			earliest(w.deadline)
		}
	}
	return next
}

// sinceReaches tells the first ms at which since has reached a number of seconds, and the first at which it has passed it: "such instants round
// up to whole ms". A ms too early or too late is told, too: nothing rises there.
func (s *state) sinceReaches(m mark, tell func(nudge.Millis)) {
	newest := s.newest(m.call)
	ms := math.Ceil(m.value * 1000)
	if newest == nil || math.Abs(ms) > float64(ever/4) {
		return
	}
	for near := nudge.Millis(-1); near <= 2; near++ {
		tell(newest.ts + nudge.Millis(ms) + near)
	}
}

// scoreReaches tells the first ms at which a score stands elsewhere than now as seen from its mark. Points only ever fade towards 0, so it may
// come to the mark and later pass it: that is told when it has come there.
func (s *state) scoreReaches(m mark, tell func(nudge.Millis)) {
	score := s.score(m.call)
	from, to, step := s.t, s.t, nudge.Millis(1)
	side := score.side(m.value, from)
	for score.side(m.value, to) == side {
		if score.at(to) == 0 || to > ever/4 {
			return // it stays there
		}
		to, step = to+step, 2*step
	}
	for from+1 < to { // from is on the old side, to on a new one
		if middle := from + (to-from)/2; score.side(m.value, middle) == side {
			from = middle
		} else {
			to = middle
		}
	}
	tell(to)
}
