package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// MaxActions bounds the actions of one rule.
const MaxActions = 20

// action is a checked action.
type action struct {
	kind nudge.ActionKind
	text *payload // the template's name, the alert's text, the name of a webhook or tag, the type of an event
	data *payload // a map, nil if the rule gives none
}

// actionForm is how an action is written.
type actionForm struct {
	kind   nudge.ActionKind
	first  string // what the first argument is
	named  bool   // the first argument is a name: a constant
	second string // what the second one is, "" if there is none
	usage  string
}

// actionForms is data, so that a new action is one row here.
var actionForms = map[string]actionForm{
	"popup":   {kind: nudge.ActionPopup, first: "template", second: "a map", usage: `popup("template", {key: "value"})`},
	"alert":   {kind: nudge.ActionAlert, first: "text", second: "a map", usage: `alert("Visits: " + …, {key: "value"})`},
	"webhook": {kind: nudge.ActionWebhook, first: "name", named: true, second: "a map", usage: `webhook("crm", {key: "value"})`},
	"tag":     {kind: nudge.ActionTag, first: "name", named: true, second: "how long it stays", usage: `tag("hot", "7d")`},
	"untag":   {kind: nudge.ActionUntag, first: "name", named: true, usage: `untag("hot")`},
	"emit":    {kind: nudge.ActionEmit, first: "type", named: true, second: "a map", usage: `emit("lead_scored", {key: "value"})`},
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

const severalActions = `several actions stand in a list: then: [popup("…"), alert("…")]`

func (c *conditions) action(n ast.Node, kind nudge.Kind) *action {
	call, ok := n.(*ast.CallNode)
	if !ok {
		fix := actionExample
		if b, is := n.(*ast.BinaryNode); is && (b.Operator == "and" || b.Operator == "&&") {
			fix = severalActions
		}
		c.errorf(nodePos(n), fix, "`then` takes an action, or a list of actions")
		return nil
	}
	name, at := callName(call)
	form, ok := actionForms[name]
	switch {
	case !ok:
		fix := "the actions are " + strings.Join(actionWords, " ")
		if near := closest(name, actionWords); near != "" {
			fix = "did you mean `" + near + "`?"
		}
		c.errorf(at, fix, "there is no action `%s`", name)
		return nil
	case form.kind == nudge.ActionPopup && kind == nudge.KindCompany:
		c.errorf(at, `alert("…") for the company, or per: user for the popup`, "a popup goes to one visitor: a company rule has none to show it to")
		return nil
	case len(call.Arguments) < 1, len(call.Arguments) > 2, len(call.Arguments) == 2 && form.second == "":
		c.errorf(at, form.usage, "`%s` takes %s", name, form.argumentsText())
		return nil
	}
	a := &action{kind: form.kind, text: c.actionText(call.Arguments[0], name, form)}
	if len(call.Arguments) == 2 {
		if form.kind == nudge.ActionTag {
			a.data = c.tagData(call.Arguments[1])
		} else {
			a.data = c.actionData(call.Arguments[1], name)
		}
		if a.data == nil {
			return nil
		}
	}
	if a.text == nil {
		return nil
	}
	return a
}

func (f *actionForm) argumentsText() string {
	switch {
	case f.second == "":
		return "a " + f.first
	case f.named && f.kind != nudge.ActionTag:
		return "a " + f.first + " and, if needed, a map"
	}
	return "a " + f.first + " and, if needed, " + f.second
}

// actionText checks the first argument: a text that may be joined of texts, fields and operators, or, where it names something, a constant.
func (c *conditions) actionText(n ast.Node, name string, form actionForm) *payload {
	p := c.payload(n)
	if p == nil {
		return nil
	}
	constant := p.kind == payloadTerm && p.term.kind == termConst && p.term.typ == typeText
	switch {
	case constant && p.term.val.Text == "":
		c.errorf(nodePos(n), "", "the %s of `%s` is empty", form.first, name)
		return nil
	case constant && len(p.term.val.Text) > nudge.MaxNameBytes && form.named:
		c.errorf(nodePos(n), "", "a name has at most %d bytes", nudge.MaxNameBytes)
		return nil
	case constant && form.kind == nudge.ActionEmit && !c.mayEmit(p.term.val.Text):
		c.errorf(nodePos(n), "a type of your own", "`%s` comes from outside; an event that a rule emits cannot have its type", p.term.val.Text)
		return nil
	case constant, !form.named && p.kind == payloadTerm && (p.term.typ == typeText || p.term.typ == typeAny),
		!form.named && p.kind == payloadArith && p.op == "+":
		return p
	case form.named:
		c.errorf(nodePos(n), form.usage, "the first argument of `%s` is a name in quotes", name)
		return nil
	}
	c.errorf(nodePos(n), form.usage, "the first argument of `%s` is a text", name)
	return nil
}

// mayEmit says whether a rule may emit events of a type: those types are refused from outside, so none that the browser sends can be one.
func (c *conditions) mayEmit(typ string) bool {
	return typ != firedEvent && !slices.Contains(browserEvents, typ)
}

// tagData is how long a tag stays, as the data of its action.
func (c *conditions) tagData(n ast.Node) *payload {
	d := c.window(n, operator{})
	if d == 0 {
		return nil
	}
	ttl := &payload{kind: payloadTerm, term: constTerm(nudge.TextValue(durationText(d)))}
	return &payload{kind: payloadMap, keys: []string{"ttl"}, parts: []*payload{ttl}}
}

func (c *conditions) actionData(n ast.Node, name string) *payload {
	if _, ok := n.(*ast.MapNode); !ok {
		c.errorf(nodePos(n), fmt.Sprintf("%s(\"…\", {key: \"value\"})", name), "the data of `%s` is a map", name)
		return nil
	}
	return c.payload(n)
}
