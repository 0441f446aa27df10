package rules

import (
	"github.com/expr-lang/expr/ast"

	"nudge"
)

type payloadKind uint8

const (
	payloadNull  payloadKind = iota
	payloadTerm              // a value of the causing event
	payloadTest              // a test of the causing event: true, false, null where unknown
	payloadAsk               // an operator's number, truth or list
	payloadCond              // a condition on operators
	payloadArith             // parts[0] op parts[1]; + also joins texts and numbers
	payloadNeg               // -parts[0]
	payloadMap               // keys, parts
	payloadList              // parts
)

// payload is a checked piece of what an action carries.
type payload struct {
	kind  payloadKind
	op    string
	term  *term
	ask   *ask
	cond  *cond
	keys  []string
	parts []*payload
}

// each visits every operator and every term that p uses.
func (p *payload) each(asks func(*ask), terms func(*term)) {
	switch {
	case p == nil:
		return
	case p.term != nil:
		terms(p.term)
	case p.ask != nil:
		asks(p.ask)
	case p.cond != nil:
		p.cond.each(asks)
	}
	for _, part := range p.parts {
		part.each(asks, terms)
	}
}

// payload checks a piece of an action's text or data. Fields are those of the causing event; operators are read at the firing.
func (c *conditions) payload(n ast.Node) *payload {
	switch n := n.(type) {
	case *ast.NilNode:
		return &payload{kind: payloadNull}
	case *ast.MapNode:
		return c.payloadMap(n)
	case *ast.ArrayNode:
		p := &payload{kind: payloadList}
		return p.with(c, n.Nodes...)
	case *ast.UnaryNode:
		if n.Operator == "-" {
			return (&payload{kind: payloadNeg}).with(c, n.Node)
		}
		return c.payloadTest(n)
	case *ast.BinaryNode:
		switch n.Operator {
		case "+", "-", "*", "/":
			return (&payload{kind: payloadArith, op: n.Operator}).with(c, n.Left, n.Right)
		case "??":
		default:
			return c.payloadTest(n)
		}
	case *ast.IdentifierNode:
		if c.lets[n.Value] != nil || c.words.events[n.Value] {
			return c.payloadTest(n)
		}
	case *ast.CallNode:
		name, at := callName(n)
		if operators[name].usage != "" {
			return c.payloadAsk(n, name, at)
		}
		if name == "event" || name == "has" {
			return c.payloadTest(n)
		}
	}
	v := c.value(n)
	if v == nil {
		return nil
	}
	return &payload{kind: payloadTerm, term: v}
}

func (p *payload) with(c *conditions, nodes ...ast.Node) *payload {
	ok := true
	for _, n := range nodes {
		part := c.payload(n)
		if ok = ok && part != nil; !ok {
			continue
		}
		if (p.kind == payloadArith || p.kind == payloadNeg) && !part.single() {
			c.errorf(nodePos(n), "", "a map, a list or a test cannot be calculated with")
			ok = false
		}
		p.parts = append(p.parts, part)
	}
	if !ok {
		return nil
	}
	return p
}

// single says whether p is one text or number, which + may join.
func (p *payload) single() bool {
	switch p.kind {
	case payloadTerm, payloadArith, payloadNeg:
		return true
	case payloadAsk:
		return p.ask.kind != OpValues && p.ask.name != "happened"
	}
	return false
}

func (c *conditions) payloadMap(n *ast.MapNode) *payload {
	p := &payload{kind: payloadMap}
	ok := true
	for _, entry := range c.pairs(n, "key") {
		part := c.payload(entry.value)
		ok = ok && part != nil
		p.keys = append(p.keys, entry.key)
		p.parts = append(p.parts, part)
	}
	if !ok {
		return nil
	}
	return p
}

// payloadTest is something true or false in the data: of the causing event, or, where operators stand in it, of the key.
func (c *conditions) payloadTest(n ast.Node) *payload {
	if !asksOperator(n) {
		if t := c.test(n); t != nil {
			return &payload{kind: payloadTest, term: ofKeptEvent(t)}
		}
		return nil
	}
	k := c.cond(n)
	if k == nil {
		return nil
	}
	if k.pulses() {
		c.errorf(nodePos(n), "", "what is true at one instant only does not go into the data")
		return nil
	}
	return &payload{kind: payloadCond, cond: k}
}

// ofKeptEvent reads the event's type as the field it is, for of an event that opened a wait only fields are kept.
func ofKeptEvent(t *term) *term {
	if t.kind == termTypeIs {
		typ := &term{kind: termField, typ: typeText, name: "type"}
		return &term{kind: termCompare, typ: typeTruth, op: "==", args: []*term{typ, constTerm(nudge.TextValue(t.name))}}
	}
	if len(t.args) == 0 {
		return t
	}
	kept := *t
	kept.args = make([]*term, len(t.args))
	for i, a := range t.args {
		kept.args[i] = ofKeptEvent(a)
	}
	return &kept
}

func (c *conditions) payloadAsk(n *ast.CallNode, name string, at pos) *payload {
	a := c.ask(n)
	switch {
	case a == nil:
		return nil
	case a.pulse:
		c.errorf(at, "happened(…) or count(…)", "`%s` is true at one instant only and does not go into the data", name)
		return nil
	case name == "happened":
		a.keep = 1
	case a.kind == OpValues:
		a.keep = ValuesKept
	default:
		c.wholeAsk(a)
	}
	return &payload{kind: payloadAsk, ask: a}
}

// asksOperator says whether an operator of this version is called somewhere in n.
func asksOperator(n ast.Node) bool {
	found := false
	ast.Walk(&n, visitor(func(n ast.Node) {
		if call, ok := n.(*ast.CallNode); ok {
			name, _ := callName(call)
			found = found || operators[name].usage != ""
		}
	}))
	return found
}

type visitor func(ast.Node)

func (v visitor) Visit(n *ast.Node) { v(*n) }
