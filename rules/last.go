package rules

import (
	"github.com/expr-lang/expr/ast"

	"nudge"
)

// isLast says whether n is a call of last.
func isLast(n ast.Node) bool {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return false
	}
	name, _ := callName(call)
	return name == "last"
}

// compareLast checks a comparison of last(…) with a constant or another last(…).
func (c *conditions) compareLast(n *ast.BinaryNode) *cond {
	l, okLeft := c.lastValue(n.Left)
	r, okRight := c.lastValue(n.Right)
	if !okLeft || !okRight {
		return nil
	}
	op := n.Operator
	if l.ask == nil {
		l, r, op = r, l, swapped[op]
	}
	if l.typ != typeAny && r.typ != typeAny && l.typ != r.typ {
		c.errorf(nodePos(n), "", "the one side is %s and the other is %s: they are never equal, and neither is larger", l.typ, r.typ)
		return nil
	}
	if (l.typ == typeBool || r.typ == typeBool) && op != "==" && op != "!=" {
		c.errorf(nodePos(n), "== or !=", "true and false have no order")
		return nil
	}
	return &cond{kind: condLast, op: op, last: [2]lastValue{l, r}}
}

func (c *conditions) lastValue(n ast.Node) (lastValue, bool) {
	if isLast(n) {
		a := c.ask(n.(*ast.CallNode))
		if a == nil {
			return lastValue{}, false
		}
		return lastValue{ask: a, typ: a.value.typ}, true
	}
	if u, ok := n.(*ast.UnaryNode); isPlain(n) || ok && isPlain(u.Node) {
		if t := c.value(n); t != nil && t.kind == termConst {
			return lastValue{val: t.val, typ: t.typ}, true
		} else if t == nil {
			return lastValue{}, false
		}
	}
	c.errorf(nodePos(n), `last(page_view, path) == "/pricing"`, "`last` is compared with a constant or another `last`, and nothing else")
	return lastValue{}, false
}

// lastFunc compiles a comparison of last values. With nothing, and between two types, it is false.
func (s *useSet) lastFunc(c *cond) condFunc {
	want := wanted(c.op)
	l := s.lastSide(c.last[0])
	if c.last[1].ask == nil {
		val := c.last[1].val
		return func(r []Reading) bool { return compareValues(l(r), val, want) == True }
	}
	other := s.lastSide(c.last[1])
	return func(r []Reading) bool { return compareValues(l(r), other(r), want) == True }
}

func (s *useSet) lastSide(v lastValue) func([]Reading) nudge.Value {
	i := s.add(v.ask, WakeNever)
	return func(r []Reading) nudge.Value { return r[i].Value }
}
