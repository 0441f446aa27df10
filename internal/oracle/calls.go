package oracle

import (
	"fmt"
	"regexp"

	"github.com/expr-lang/expr/ast"
)

// many is an arity without a bound.
const many = 1 << 30

// arity is how many arguments every function of the language takes, least and most.
var arity = map[string][2]int{
	"count": {2, 2}, "distinct": {3, 3}, "days": {2, 2}, "happened": {2, 2}, "values": {3, 3},
	"sum": {3, 3}, "avg": {3, 3}, "min": {3, 3}, "max": {3, 3}, "last": {2, 2}, "since": {1, 1}, "score": {2, 2}, "half_life": {1, 1},
	"on": {1, 1}, "first": {2, 2}, "absent": {3, 3}, "dwell": {3, 3}, "after": {1, 1}, "until": {1, 1}, "sequence": {3, many}, "no": {1, 1},
	"event": {1, 1}, "field": {1, 1}, "lower": {1, 1}, "upper": {1, 1}, "trim": {1, 1}, "len": {1, 1}, "has": {1, 1},
	"popup": {1, 2}, "alert": {1, 2}, "webhook": {1, 2}, "tag": {1, 2}, "untag": {1, 1}, "emit": {1, 2}, "cap": {3, 3},
}

// operators are the functions that look at a key over time.
var operators = map[string]bool{
	"count": true, "distinct": true, "days": true, "happened": true, "values": true, "sum": true, "avg": true, "min": true, "max": true,
	"last": true, "since": true, "score": true, "on": true, "first": true, "absent": true, "dwell": true, "sequence": true,
}

// windowArg is the place of the length of time among a function's arguments; that of a sequence is the last.
var windowArg = map[string]int{
	"count": 1, "distinct": 2, "days": 1, "happened": 1, "values": 2, "sum": 2, "avg": 2, "min": 2, "max": 2, "first": 1, "absent": 1, "dwell": 1,
	"half_life": 0, "cap": 2,
}

// expiring are the operators whose value changes when an event leaves their window.
var expiring = map[string]bool{
	"count": true, "distinct": true, "days": true, "happened": true, "sum": true, "avg": true, "min": true, "max": true,
}

// collect lists the operators of when that timers concern. A tree is walked in the order of the text.
func (r *rule) collect(n ast.Node) {
	walk(n, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallNode:
			switch name := callee(n); {
			case name == "absent" || name == "dwell":
				r.waits = append(r.waits, n)
			case expiring[name]:
				r.windows = append(r.windows, n)
			}
		case *ast.BinaryNode:
			r.addMark(n.Left, n.Right)
			r.addMark(n.Right, n.Left)
		}
	})
}

// prepare reads what score and sequence are made of, once.
func (r *rule) prepare(n ast.Node) (err error) {
	walk(n, func(n ast.Node) {
		call, ok := n.(*ast.CallNode)
		if !ok || err != nil {
			return
		}
		switch callee(call) {
		case "score":
			r.points[call], err = r.pointsOf(call)
		case "sequence":
			r.steps[call], err = stepsOf(call)
		}
	})
	return err
}

// checkCalls refuses what would make no sense later: unknown functions, wrong numbers of arguments, windows and patterns that do not read.
func checkCalls(n ast.Node) (err error) {
	walk(n, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallNode:
			if e := checkCall(n); e != nil {
				err = e
			}
		case *ast.BinaryNode:
			if n.Operator == "matches" {
				pattern, ok := n.Right.(*ast.StringNode)
				if !ok {
					err = fmt.Errorf("matches wants a constant pattern")
				} else if _, e := regexp.Compile(pattern.Value); e != nil {
					err = e
				}
			}
		}
	})
	return err
}

func checkCall(n *ast.CallNode) error {
	name := callee(n)
	limits, known := arity[name]
	if !known || len(n.Arguments) < limits[0] || len(n.Arguments) > limits[1] {
		return fmt.Errorf("%s with %d arguments is not a function", name, len(n.Arguments))
	}
	if _, text := n.Arguments[0].(*ast.StringNode); !text && (name == "event" || name == "field") {
		return fmt.Errorf("%s wants a text", name)
	}
	if i, ok := windowArg[name]; ok && duration(n.Arguments[i]) <= 0 {
		return fmt.Errorf("%s: argument %d is not a length of time", name, i+1)
	}
	return nil
}

func callee(call *ast.CallNode) string {
	if id, ok := call.Callee.(*ast.IdentifierNode); ok {
		return id.Value
	}
	return "a method"
}
