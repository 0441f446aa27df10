package rules

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// MaxActions bounds the actions of one rule.
const MaxActions = 20

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

// action is a checked action.
type action struct {
	kind nudge.ActionKind
	text *payload // the template's name or the alert's text
	data *payload // a map, nil if the rule gives none
}

const actionExample = `popup("template", {key: "value"}) or alert("text", {key: "value"})`

// actions checks then: one action or a list of them.
func (c *conditions) actions(n ast.Node, kind nudge.Kind) []*action {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.ArrayNode); ok {
		nodes = list.Nodes
	}
	if len(nodes) == 0 {
		c.errorf(nodePos(n), actionExample, "`then` does nothing")
		return nil
	}
	if len(nodes) > MaxActions {
		c.errorf(nodePos(nodes[MaxActions]), "", "a rule has at most %d actions", MaxActions)
		return nil
	}
	var out []*action
	for _, n := range nodes {
		if a := c.action(n, kind); a != nil {
			out = append(out, a)
		}
	}
	return out
}

func (c *conditions) action(n ast.Node, kind nudge.Kind) *action {
	call, ok := n.(*ast.CallNode)
	if !ok {
		c.errorf(nodePos(n), actionExample, "`then` takes an action, or a list of actions")
		return nil
	}
	name, at := callName(call)
	a := &action{}
	switch {
	case name == "popup" && kind == nudge.KindCompany:
		c.errorf(at, `alert("…") for the company, or per: user for the popup`, "a popup goes to one visitor: a company rule has none to show it to")
		return nil
	case name == "popup":
		a.kind = nudge.ActionPopup
	case name == "alert":
		a.kind = nudge.ActionAlert
	case laterActionWords[name]:
		c.errorf(at, "actions of this version: alert popup", "`%s` is not in this version", name)
		return nil
	default:
		fix := actionExample
		if near := closest(name, actionWords); near != "" {
			fix = "did you mean `" + near + "`?"
		}
		c.errorf(at, fix, "there is no action `%s`", name)
		return nil
	}
	if len(call.Arguments) < 1 || len(call.Arguments) > 2 {
		c.errorf(at, actionExample, "`%s` takes a %s and, if needed, a map", name, map[string]string{"popup": "template", "alert": "text"}[name])
		return nil
	}
	a.text = c.actionText(call.Arguments[0], name)
	if len(call.Arguments) == 2 {
		a.data = c.actionData(call.Arguments[1], name)
		if a.data == nil {
			return nil
		}
	}
	if a.text == nil {
		return nil
	}
	return a
}

func (c *conditions) actionText(n ast.Node, name string) *payload {
	p := c.payload(n)
	if p == nil {
		return nil
	}
	switch {
	case p.kind == payloadTerm && (p.term.typ == typeText || p.term.typ == typeAny), p.kind == payloadArith && p.op == "+":
		if p.kind == payloadTerm && p.term.kind == termConst && p.term.val.Text == "" {
			c.errorf(nodePos(n), "", "the text of `%s` is empty", name)
			return nil
		}
		return p
	}
	c.errorf(nodePos(n), map[string]string{"popup": `popup("template")`, "alert": `alert("Visits: " + …)`}[name], "the first argument of `%s` is a text", name)
	return nil
}

func (c *conditions) actionData(n ast.Node, name string) *payload {
	if _, ok := n.(*ast.MapNode); !ok {
		c.errorf(nodePos(n), fmt.Sprintf("%s(\"…\", {key: \"value\"})", name), "the data of `%s` is a map", name)
		return nil
	}
	return c.payload(n)
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
