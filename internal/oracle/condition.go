package oracle

import (
	"github.com/expr-lang/expr/ast"

	"nudge"
)

// state is what a condition looks at: one key's rows at one instant.
type state struct {
	rule  *rule
	past  past   // what the key took
	rows  []*row // the same, as rows in stamp order
	t     nudge.Millis
	input input
	shows bool // the numbers are shown: of one that is not known how far it is

	erased map[part]nudge.Value // what operators see instead of a row's own value
}

// input says which pulses an instant has.
type input uint8

const (
	noPulse input = iota // before, and unless
	byRow                // the last of rows is what the key takes now
	byTimer              // the key's timers of t
)

// isTrue is the condition's answer. It has two values.
func (s *state) isTrue(n ast.Node) bool { return isTrue(s.value(n)) }

// value is a number, a bool, or nothing.
func (s *state) value(n ast.Node) nudge.Value {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return nudge.BoolValue(!s.isTrue(n.Node))
		}
		return unary(n.Operator, s.value(n.Node))
	case *ast.BinaryNode:
		return s.binary(n)
	case *ast.CallNode:
		return s.operator(n)
	}
	return constant(n)
}

func (s *state) binary(n *ast.BinaryNode) nudge.Value {
	switch n.Operator {
	case "and", "&&":
		return nudge.BoolValue(s.isTrue(n.Left) && s.isTrue(n.Right))
	case "or", "||":
		return nudge.BoolValue(s.isTrue(n.Left) || s.isTrue(n.Right))
	case "+", "-", "*", "/":
		return arithmetic(n.Operator, s.value(n.Left), s.value(n.Right))
	}
	if call, op, k, ok := threshold(n); ok { // known whatever is kept
		return nudge.BoolValue(isTrue(compare(op, nudge.NumberValue(float64(s.howMany(call))), nudge.NumberValue(k))))
	}
	// A comparison with nothing, or of two types, is false.
	return nudge.BoolValue(isTrue(compare(n.Operator, s.value(n.Left), s.value(n.Right))))
}

func (s *state) operator(call *ast.CallNode) nudge.Value {
	switch callee(call) {
	case "count", "distinct", "days":
		return s.counts(call, s.howMany(call))
	case "happened":
		return nudge.BoolValue(len(s.window(call)) >= 1)
	case "sum", "avg", "min", "max":
		return s.fold(call)
	case "last":
		return s.last(call)
	case "since":
		return s.since(call)
	case "score":
		return nudge.NumberValue(s.score(call).at(s.t))
	case "on":
		return nudge.BoolValue(s.on(call))
	case "first":
		return nudge.BoolValue(s.first(call))
	case "absent", "dwell":
		return nudge.BoolValue(s.pulsed(call) != nil)
	case "sequence":
		return nudge.BoolValue(s.completes(call))
	}
	return unknown
}

// howMany is what count, distinct or days counts.
func (s *state) howMany(call *ast.CallNode) int {
	switch callee(call) {
	case "distinct":
		return len(s.newestFirst(call))
	case "days":
		return s.days(call)
	}
	return len(s.window(call))
}
