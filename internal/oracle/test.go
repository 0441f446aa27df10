package oracle

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// events are the names that are tests when they stand bare: those that the browser SDK sends by itself, and fired.
var events = map[string]bool{
	"page_view": true, "page_leave": true, "form_view": true, "form_submit": true,
	"popup_shown": true, "popup_clicked": true, "popup_dismissed": true, "fired": true,
}

// unknown is the third value of a test: anything that is not a bool.
var unknown = nudge.Value{}

// matches says whether a test is true for a row. A test that does not contain fired never matches a fired event.
func (r *rule) matches(e *row, test ast.Node) bool {
	if e.firing != nil && !r.mentionsFired(test) {
		return false
	}
	return isTrue(r.eval(e, test))
}

func (r *rule) mentionsFired(test ast.Node) (found bool) {
	walk(test, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.IdentifierNode:
			if let, ok := r.lets[n.Value]; ok {
				found = found || r.mentionsFired(let)
			} else {
				found = found || n.Value == "fired"
			}
		case *ast.CallNode:
			found = found || callee(n) == "event" && n.Arguments[0].(*ast.StringNode).Value == "fired"
		}
	})
	return found
}

// eval is the value of an expression over one row; no row gives no fields. Missing stands for unknown, too.
func (r *rule) eval(e *row, n ast.Node) nudge.Value {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.BoolNode, *ast.NilNode:
		return constant(n)
	case *ast.IdentifierNode:
		return r.name(e, n.Value)
	case *ast.MemberNode:
		return e.field(path(n))
	case *ast.UnaryNode:
		return unary(n.Operator, r.eval(e, n.Node))
	case *ast.BinaryNode:
		return r.binary(e, n)
	case *ast.CallNode:
		return r.function(e, n)
	}
	return unknown
}

func constant(n ast.Node) nudge.Value {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return nudge.NumberValue(float64(n.Value))
	case *ast.FloatNode:
		return nudge.NumberValue(n.Value)
	case *ast.StringNode:
		return nudge.TextValue(n.Value)
	case *ast.BoolNode:
		return nudge.BoolValue(n.Value)
	case *ast.NilNode:
		return nudge.Value{Kind: nudge.Null}
	}
	return unknown
}

// name: "A name means the let, else the event, else the field".
func (r *rule) name(e *row, name string) nudge.Value {
	if let, ok := r.lets[name]; ok {
		return r.eval(e, let)
	}
	if events[name] {
		return isType(e, name)
	}
	return e.field(name)
}

func isType(e *row, name string) nudge.Value {
	if e == nil {
		return unknown
	}
	return nudge.BoolValue(e.field("type").Text == name)
}

// path is a.b of the member access a.b.
func path(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		if p, ok := n.Property.(*ast.StringNode); ok {
			return path(n.Node) + "." + p.Value
		}
	}
	return "?"
}

func unary(op string, v nudge.Value) nudge.Value {
	switch {
	case (op == "not" || op == "!") && v.Kind == nudge.Bool:
		return nudge.BoolValue(v.Num == 0)
	case op == "-" && v.Kind == nudge.Number:
		return nudge.NumberValue(-v.Num)
	case op == "+" && v.Kind == nudge.Number:
		return v
	}
	return unknown
}

func (r *rule) binary(e *row, n *ast.BinaryNode) nudge.Value {
	a := r.eval(e, n.Left)
	if n.Operator == "in" {
		return r.in(e, a, n.Right)
	}
	b := r.eval(e, n.Right)
	switch n.Operator {
	case "and", "&&":
		return and(a, b)
	case "or", "||":
		return not(and(not(a), not(b)))
	case "??":
		if a.Present() {
			return a
		}
		return b
	case "startsWith", "endsWith", "contains", "matches":
		if a.Kind != nudge.Text || b.Kind != nudge.Text {
			return unknown
		}
		return nudge.BoolValue(textTests[n.Operator](a.Text, b.Text))
	case "+", "-", "*", "/":
		if n.Operator == "+" && a.Kind == nudge.Text && b.Kind == nudge.Text {
			return nudge.TextValue(a.Text + b.Text)
		}
		return arithmetic(n.Operator, a, b)
	}
	return compare(n.Operator, a, b)
}

var textTests = map[string]func(s, t string) bool{
	"startsWith": strings.HasPrefix,
	"endsWith":   strings.HasSuffix,
	"contains":   strings.Contains,
	"matches":    func(s, t string) bool { return regexp.MustCompile(t).MatchString(s) }, // compiled once by checkCalls
}

// in is a == x or a == y or ….
func (r *rule) in(e *row, a nudge.Value, list ast.Node) nudge.Value {
	nodes, ok := list.(*ast.ArrayNode)
	if !ok {
		return unknown
	}
	out := nudge.BoolValue(false)
	for _, n := range nodes.Nodes {
		out = not(and(not(out), not(compare("==", a, r.eval(e, n)))))
	}
	return out
}

// and and not are SQL's; or follows from them.
func and(a, b nudge.Value) nudge.Value {
	switch {
	case isFalse(a) || isFalse(b):
		return nudge.BoolValue(false)
	case isTrue(a) && isTrue(b):
		return nudge.BoolValue(true)
	}
	return unknown
}

func not(a nudge.Value) nudge.Value { return unary("not", a) }

func isTrue(v nudge.Value) bool  { return v.Kind == nudge.Bool && v.Num != 0 }
func isFalse(v nudge.Value) bool { return v.Kind == nudge.Bool && v.Num == 0 }

// compare is unknown where a side is missing, null or of another type than the other.
func compare(op string, a, b nudge.Value) nudge.Value {
	if a.Kind != b.Kind {
		return unknown
	}
	sign := 0
	switch a.Kind {
	case nudge.Text:
		sign = strings.Compare(a.Text, b.Text)
	case nudge.Number, nudge.Bool:
		if a.Num < b.Num {
			sign = -1
		} else if a.Num > b.Num {
			sign = 1
		}
	default:
		return unknown
	}
	if a.Kind == nudge.Bool && op != "==" && op != "!=" {
		return unknown
	}
	switch op {
	case "==":
		return nudge.BoolValue(sign == 0)
	case "!=":
		return nudge.BoolValue(sign != 0)
	case "<":
		return nudge.BoolValue(sign < 0)
	case "<=":
		return nudge.BoolValue(sign <= 0)
	case ">":
		return nudge.BoolValue(sign > 0)
	case ">=":
		return nudge.BoolValue(sign >= 0)
	}
	return unknown
}

// arithmetic gives nothing where a side is no number, and after a division by 0.
func arithmetic(op string, a, b nudge.Value) nudge.Value {
	if a.Kind != nudge.Number || b.Kind != nudge.Number || op == "/" && b.Num == 0 {
		return unknown
	}
	switch op {
	case "+":
		return nudge.NumberValue(a.Num + b.Num)
	case "-":
		return nudge.NumberValue(a.Num - b.Num)
	case "*":
		return nudge.NumberValue(a.Num * b.Num)
	}
	return nudge.NumberValue(a.Num / b.Num)
}

func (r *rule) function(e *row, call *ast.CallNode) nudge.Value {
	name := callee(call)
	if name == "event" || name == "field" {
		text := call.Arguments[0].(*ast.StringNode).Value // by checkCalls
		if name == "event" {
			return isType(e, text)
		}
		return e.field(text)
	}
	v := r.eval(e, call.Arguments[0])
	if name == "has" {
		return nudge.BoolValue(v.Present())
	}
	if v.Kind != nudge.Text {
		return unknown
	}
	switch name {
	case "lower":
		return nudge.TextValue(strings.ToLower(v.Text))
	case "upper":
		return nudge.TextValue(strings.ToUpper(v.Text))
	case "trim":
		return nudge.TextValue(strings.TrimSpace(v.Text))
	case "len":
		return nudge.NumberValue(float64(utf8.RuneCountInString(v.Text)))
	}
	return unknown
}
