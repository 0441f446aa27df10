package oracle

import (
	"math"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// Up to how many events an operator's number is known that is used as it is, beside no constant: Options.MaxKept, or more where another comparison of the
// same scope with a constant keeps more. Of sums, averages, least and most it is how many numbers the window may hold.

// maxThreshold is what a ring keeps at most.
const maxThreshold = 10_000

// kept is, by the text of an operator's events and values, how many of them a key of one scope keeps.
type kept map[string]int

// keepText tells apart what is kept together, whatever the window; "" where one number stands for all.
func keepText(call *ast.CallNode, exact bool) string {
	name := callee(call)
	always := expiring[name] && duration(call.Arguments[windowArg[name]]) == ever
	switch name {
	case "count", "happened":
		if exact && always {
			return ""
		}
		return "count " + call.Arguments[0].String()
	case "days":
		return "days " + call.Arguments[0].String()
	case "distinct":
		return "distinct " + call.Arguments[0].String() + ", " + call.Arguments[1].String()
	case "sum", "avg", "min", "max":
		if always {
			return ""
		}
		return "numbers " + call.Arguments[0].String() + ", " + call.Arguments[1].String()
	}
	return ""
}

// note notes what the operators of an expression need.
func (k kept) note(n ast.Node, most int) {
	walkExact(n, func(call *ast.CallNode, entries float64) {
		if text := keepText(call, entries == 0); text != "" {
			switch {
			case entries > maxThreshold: // only of "ever", where one number stands for all
			case entries > 0:
				k[text] = max(k[text], int(entries))
			case expiringCount[callee(call)]:
				k[text] = max(k[text], most+1) // one more says that there are more
			default:
				k[text] = max(k[text], most)
			}
		}
	})
}

var expiringCount = map[string]bool{"count": true, "distinct": true, "days": true}

// walkExact calls f for the operators of an expression with how many entries decide the comparison with a constant that they stand in; 0: their very number
// is used.
func walkExact(n ast.Node, f func(call *ast.CallNode, entries float64)) {
	switch n := n.(type) {
	case *ast.BinaryNode:
		if call, op, k, ok := threshold(n); ok {
			entries := math.Floor(k) + 1
			if op == ">=" || op == "<" {
				entries = math.Ceil(k)
			}
			f(call, max(entries, 1))
			return
		}
		walkExact(n.Left, f)
		walkExact(n.Right, f)
	case *ast.UnaryNode:
		walkExact(n.Node, f)
	case *ast.ArrayNode:
		for _, a := range n.Nodes {
			walkExact(a, f)
		}
	case *ast.MapNode:
		for _, p := range n.Pairs {
			walkExact(p.(*ast.PairNode).Value, f)
		}
	case *ast.CallNode:
		switch {
		case callee(n) == "happened":
			f(n, 1)
		case operators[callee(n)]:
			f(n, 0)
		}
	}
}

var swapped = map[string]string{"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

// threshold takes a comparison of a count with a constant apart, whichever stands first.
func threshold(n *ast.BinaryNode) (call *ast.CallNode, op string, k float64, ok bool) {
	if swapped[n.Operator] == "" {
		return nil, "", 0, false
	}
	for _, side := range [...]struct {
		op          string
		call, other ast.Node
	}{{n.Operator, n.Left, n.Right}, {swapped[n.Operator], n.Right, n.Left}} {
		count := side.call
		for u, is := count.(*ast.UnaryNode); is && u.Operator == "+"; u, is = count.(*ast.UnaryNode) {
			count = u.Node
		}
		if call, is := count.(*ast.CallNode); is && expiringCount[callee(call)] && !asksOperator(side.other) {
			if v := (&state{}).value(side.other); v.Kind == nudge.Number {
				return call, side.op, v.Num, true
			}
		}
	}
	return nil, "", 0, false
}

// counts is a count whose very number is used: nothing where it is more than is known.
func (s *state) counts(call *ast.CallNode, n int) nudge.Value {
	if most := s.rule.kept[keepText(call, true)]; most > 0 && n >= most {
		if s.shows {
			return nudge.NumberValue(float64(most - 1))
		}
		return unknown
	}
	return nudge.NumberValue(float64(n))
}
