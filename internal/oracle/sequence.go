package oracle

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// steps are what a sequence asks for: events in order, and what must not come between each and the next.
type steps struct {
	tests  []ast.Node
	no     []ast.Node // by step; nil: anything may come
	within nudge.Millis
}

// stepsOf reads sequence(a, no(c), b, …, W).
func stepsOf(call *ast.CallNode) (s steps, err error) {
	last := len(call.Arguments) - 1
	for _, n := range call.Arguments[:last] {
		c, isCall := n.(*ast.CallNode)
		if !isCall || callee(c) != "no" {
			s.tests, s.no = append(s.tests, n), append(s.no, nil)
			continue
		}
		reached := len(s.tests) - 1
		if reached < 0 || s.no[reached] != nil {
			return s, fmt.Errorf("sequence: one no(…) may stand between two steps")
		}
		s.no[reached] = c.Arguments[0]
	}
	s.within = duration(call.Arguments[last])
	if s.within <= 0 || len(s.tests) < 2 || s.no[len(s.tests)-1] != nil {
		return s, fmt.Errorf("sequence wants two steps at least, and at the end how long")
	}
	return s, nil
}

// partial is a match that has reached some step: the ts of its first and of its newest event.
type partial struct {
	first, newest nudge.Millis
}

// match is one sequence of one key: a partial by step reached (nil: none), and whether the last row that it took was the last step.
type match struct {
	steps
	partials  []*partial
	completed bool
}

// foldSequence runs a sequence over all that a key took.
func (r *rule) foldSequence(call *ast.CallNode, p past) *match {
	m := &match{steps: r.steps[call]}
	m.partials = make([]*partial, len(m.tests)-1)
	for _, taken := range p {
		if taken.row == nil {
			m.merge(r.foldSequence(call, taken.merged))
		} else {
			m.take(r, taken.row)
		}
	}
	return m
}

// take lets one event extend, start and remove partials. "Steps are tried from the last to the first, so that one event never serves two steps
// of one match." A step's event is one that extends before a no(…) removes.
func (m *match) take(r *rule, e *row) {
	last := len(m.tests) - 1
	created := make([]bool, last)
	m.completed = false
	for i := last; i > 0; i-- {
		p := m.partials[i-1]
		if p == nil || e.ts < p.newest || e.ts-p.first >= m.within || !r.test(e, m.tests[i]) {
			continue
		}
		if i < last {
			created[i] = m.arrive(i, partial{first: p.first, newest: e.ts})
		} else if !e.history {
			m.completed = true
			clear(m.partials) // "After a pulse all partials are cleared, and the completing event starts nothing"
			return
		}
	}
	if !e.history && r.test(e, m.tests[0]) {
		created[0] = m.arrive(0, partial{first: e.ts, newest: e.ts})
	}
	for i, p := range m.partials {
		if p != nil && !created[i] && m.no[i] != nil && e.ts >= p.newest && r.test(e, m.no[i]) {
			m.partials[i] = nil
		}
	}
}

// arrive: "A partial that arrives replaces the one standing there when its first is not older, else it is dropped".
func (m *match) arrive(step int, p partial) bool {
	if standing := m.partials[step]; standing != nil && p.first < standing.first {
		return false
	}
	m.partials[step] = &p
	return true
}

// merge takes in what an anonymous visitor had reached: "per step the one with the newer first, on a tie the visitor's".
func (m *match) merge(visitor *match) {
	for i, p := range visitor.partials {
		if p != nil && (m.partials[i] == nil || p.first >= m.partials[i].first) {
			m.partials[i] = p
		}
	}
}

// completes says whether the row that the key takes at this instant is the last step of a sequence.
func (s *state) completes(call *ast.CallNode) bool {
	return s.input == byRow && s.rule.foldSequence(call, s.past).completed
}
