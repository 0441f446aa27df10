package rules

import (
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// MaxSteps bounds the steps of one sequence.
const MaxSteps = 16

// sequenceStep is one step of a sequence and what must not come between it and the next.
type sequenceStep struct {
	test *term
	no   *term // nil: anything may
}

// sequence checks sequence(a, no(x), b, …, W).
func (c *checker) sequence(n *ast.CallNode, at pos) *ask {
	op := operators["sequence"]
	a := &ask{kind: OpSequence, at: at, name: "sequence", pulse: true}
	if len(n.Arguments) < 3 {
		c.errorf(at, op.usage, "`sequence` takes two steps or more and how long all of it may take")
		return nil
	}
	last := len(n.Arguments) - 1
	ok := true
	for i, arg := range n.Arguments[:last] {
		if call, isCall := arg.(*ast.CallNode); isCall {
			if name, at := callName(call); name == "no" {
				ok = c.forbidden(a, call, at, i == last-1) && ok
				continue
			}
		}
		t := c.eventArgument(arg, op)
		ok = ok && t != nil
		if u, is := arg.(*ast.UnaryNode); is && t != nil && (u.Operator == "not" || u.Operator == "!") {
			c.warnf(nodePos(arg), "no(…) between two steps forbids an event", "this step is any event that the test behind `%s` does not match", u.Operator)
		}
		a.steps = append(a.steps, sequenceStep{test: t})
	}
	if a.window = c.window(n.Arguments[last], op); a.window == 0 || !ok {
		return nil
	}
	if len(a.steps) < 2 || len(a.steps) > MaxSteps {
		c.errorf(at, op.usage, "`sequence` takes 2 to %d steps; here it has %d", MaxSteps, len(a.steps))
		return nil
	}
	return a
}

// forbidden adds no(x) to the step before it. Several of them forbid each.
func (c *checker) forbidden(a *ask, call *ast.CallNode, at pos, isLast bool) bool {
	if len(call.Arguments) != 1 {
		c.errorf(at, "no(form_submit)", "`no` takes one event test")
		return false
	}
	t := c.eventArgument(call.Arguments[0], operators["sequence"])
	if len(a.steps) == 0 || isLast {
		c.errorf(at, `sequence(page_view, no(form_submit), page_leave, "30m")`, "`no` stands between two steps")
		return false
	}
	if t == nil {
		return false
	}
	step := &a.steps[len(a.steps)-1]
	if step.no != nil {
		t = joined(termOr, []*term{step.no, t})
	}
	step.no = t
	return true
}

// sequenceText is the canonical text of a sequence, window included: its partial matches depend on it.
func (a *ask) sequenceText() string {
	var b strings.Builder
	b.WriteString("sequence(")
	for _, s := range a.steps {
		b.WriteString(s.test.String() + ", ")
		if s.no != nil {
			b.WriteString("no(" + s.no.String() + "), ")
		}
	}
	b.WriteString(strconv.Quote(durationText(a.window)) + ")")
	return b.String()
}
