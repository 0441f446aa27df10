package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// value checks a node that has to be a text, a number or true/false of one event.
func (c *checker) value(n ast.Node) *term {
	switch n := n.(type) {
	case *ast.StringNode:
		return constTerm(nudge.TextValue(n.Value))
	case *ast.IntegerNode:
		return constTerm(nudge.NumberValue(float64(n.Value)))
	case *ast.FloatNode:
		return constTerm(nudge.NumberValue(n.Value))
	case *ast.BoolNode:
		return constTerm(nudge.BoolValue(n.Value))
	case *ast.IdentifierNode:
		return c.valueName(n)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.UnaryNode:
		return c.sign(n)
	case *ast.BinaryNode:
		switch n.Operator {
		case "+", "-", "*", "/":
			return c.arithmetic(n)
		case "??":
			return c.coalesce(n)
		}
		if c.test(n) != nil {
			c.errorf(nodePos(n), "", "this is a test; a value is needed here")
		}
	case *ast.CallNode:
		return c.valueCall(n)
	case *ast.NilNode:
		c.errorf(nodePos(n), nothingFix, "`%s` is not a value", "nil")
	case *ast.ArrayNode:
		c.errorf(nodePos(n), `path in ["/a", "/b"]`, "a list stands only behind `in`")
	case *ast.MapNode:
		c.errorf(nodePos(n), "", "a map is not a value")
	case *ast.BytesNode:
		c.errorf(nodePos(n), "leave out the b before the quote", "byte texts are not part of the language")
	default:
		c.errorf(nodePos(n), "", "this is not part of the language")
	}
	return nil
}

const nothingFix = "has(field), or not has(field)"

func (c *checker) valueName(n *ast.IdentifierNode) *term {
	at := nodePos(n)
	if c.foreignName(n.Value, at) {
		return nil
	}
	if l := c.lets[n.Value]; l != nil {
		l.used = true
		if l.term != nil { // a let with a mistake has been reported
			c.errorf(at, "write the field or the value itself: a let stands for a test", "`%s` is a test; a field or a value is needed here", n.Value)
		}
		return nil
	}
	if c.words.events[n.Value] {
		c.errorf(at, fmt.Sprintf("field(%q) for a field of that name", n.Value), "`%s` is an event; a field or a value is needed here", n.Value)
		return nil
	}
	if isWord(n.Value) {
		c.errorf(at, fmt.Sprintf("field(%q) for a field of that name", n.Value), "`%s` is a word of the language", n.Value)
		return nil
	}
	return c.fieldNamed(n.Value, at)
}

// foreignName reports a bare name that other languages have a meaning for. A field that is really called so is field("null").
func (c *checker) foreignName(name string, at pos) bool {
	switch {
	case c.deployed:
		return false
	case nothings[name]:
		c.errorf(at, nothingFix, "`%s` is not a value", name)
	case foreignNames[name] != "":
		c.errorf(at, "write "+foreignNames[name], "`%s` is written otherwise in this language", name)
	case priced(name) != "":
		c.errorf(at, "write "+priced(name), "`%s` is written otherwise in this language", name)
	case name == "$env":
		c.errorf(at, fmt.Sprintf("field(%q) for a field of that name", name), "`%s` is a word of the language", name)
	default:
		return false
	}
	return true
}

// fieldNamed is a field by its full name.
func (c *checker) fieldNamed(name string, at pos) *term {
	if f, inside := insideKnown(name); inside {
		c.errorf(at, "", "`%s` is %s and has nothing inside it", f, knownFields[f])
		return nil
	}
	t := &term{kind: termField, name: name, typ: c.words.fieldType(name)}
	if c.words.isField(name) || c.words.broken {
		return t
	}
	near := closest(name, c.words.fieldNames)
	switch {
	case c.words.catalog && near != "":
		c.errorf(at, "did you mean `"+near+"`?", "the field `%s` is not in catalog.expr", name)
	case c.words.catalog:
		c.errorf(at, fmt.Sprintf("add it to catalog.expr; a text stands in quotes: %q", name), "the field `%s` is not in catalog.expr", name)
	case near != "" && slipOf(name, near):
		c.warnf(at, "did you mean `"+near+"`?", "`%s` is not a field that the browser SDK sends", name)
	}
	return t
}

// member is a.b, the field that stands as "b" inside "a".
func (c *checker) member(n *ast.MemberNode) *term {
	name, ok := memberName(n)
	base, _, _ := strings.Cut(name, ".")
	at := nodePos(n)
	switch {
	case !ok:
		c.errorf(at, `card.brand, or field("card.brand")`, "only a field inside a field is reached with a dot")
		return nil
	case name == "company.tagged":
		notInThisVersion(c.reporter, at, name)
		return nil
	case c.lets[base] != nil || c.words.events[base]:
		c.errorf(at, fmt.Sprintf("%s and %s …", base, name[len(base)+1:]), "`%s` is a test; fields are used bare, beside it", base)
		return nil
	}
	return c.fieldNamed(name, at)
}

func memberName(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		base, ok := memberName(n.Node)
		if p, isName := n.Property.(*ast.StringNode); ok && isName && !n.Optional {
			return base + "." + p.Value, true
		}
	}
	return "", false
}

func (c *checker) sign(n *ast.UnaryNode) *term {
	if n.Operator == "not" || n.Operator == "!" {
		if c.test(n) != nil {
			c.errorf(nodePos(n), "", "this is a test; a value is needed here")
		}
		return nil
	}
	v := c.number(n.Node)
	switch {
	case v == nil:
		return nil
	case n.Operator == "+":
		return v
	case v.kind == termConst:
		return constTerm(nudge.NumberValue(-v.val.Num))
	}
	return &term{kind: termNeg, typ: typeNumber, args: []*term{v}}
}

// number checks a value that has to be a number.
func (c *checker) number(n ast.Node) *term {
	v := c.value(n)
	if v != nil && v.typ != typeNumber && v.typ != typeAny {
		c.errorf(nodePos(n), "", "%s is %s; a number is needed here", describe(v), v.typ)
		return nil
	}
	return v
}

// text checks a value that has to be a text.
func (c *checker) text(n ast.Node) *term {
	v := c.value(n)
	if v != nil && v.typ != typeText && v.typ != typeAny {
		c.errorf(nodePos(n), "", "%s is %s; a text is needed here", describe(v), v.typ)
		return nil
	}
	return v
}

func (c *checker) arithmetic(n *ast.BinaryNode) *term {
	if n.Operator != "+" {
		l, r := c.number(n.Left), c.number(n.Right)
		if l == nil || r == nil {
			return nil
		}
		return &term{kind: termArith, op: n.Operator, typ: typeNumber, args: []*term{l, r}}
	}
	l, r := c.value(n.Left), c.value(n.Right)
	if l == nil || r == nil {
		return nil
	}
	typ := l.typ
	if typ == typeAny {
		typ = r.typ
	}
	for _, side := range [...]*term{l, r} {
		if side.typ == typeBool || side.typ != typeAny && side.typ != typ {
			c.errorf(pos(n.Location().From), "", "`+` adds two numbers or joins two texts: %s is %s, %s is %s", describe(l), l.typ, describe(r), r.typ)
			return nil
		}
	}
	return &term{kind: termArith, op: "+", typ: typ, args: []*term{l, r}}
}

func (c *checker) coalesce(n *ast.BinaryNode) *term {
	l, r := c.value(n.Left), c.value(n.Right)
	if l == nil || r == nil {
		return nil
	}
	typ := typeAny
	if l.typ == r.typ {
		typ = l.typ
	} else if l.typ != typeAny && r.typ != typeAny {
		c.errorf(nodePos(n), "", "%s is %s, but what replaces it is %s", describe(l), l.typ, r.typ)
		return nil
	}
	return &term{kind: termCoalesce, typ: typ, args: []*term{l, r}}
}

func (c *checker) valueCall(n *ast.CallNode) *term {
	name, at := callName(n)
	switch name {
	case "field":
		if name, ok := c.nameArgument(n, at, "field"); ok {
			return c.fieldNamed(name, at)
		}
	case "lower", "upper", "trim", "len":
		if len(n.Arguments) != 1 {
			c.errorf(at, name+"(path)", "`%s` takes one text", name)
			return nil
		}
		if v := c.text(n.Arguments[0]); v != nil {
			typ := typeText
			if name == "len" {
				typ = typeNumber
			}
			return &term{kind: termCall, op: name, typ: typ, args: []*term{v}}
		}
	case "event", "has":
		if c.test(n) != nil {
			c.errorf(at, "", "`%s` is a test; a value is needed here", name)
		}
	default:
		c.wrongCall(n)
	}
	return nil
}

// describe names a term in a message.
func describe(t *term) string {
	switch t.kind {
	case termField:
		return "`" + fieldText(t.name) + "`"
	case termConst:
		if t.val.Kind == nudge.Text {
			return quote(t.val.Text)
		}
		return "`" + constText(t.val) + "`"
	case termCall:
		return "`" + t.op + "(…)`"
	}
	return "this"
}
