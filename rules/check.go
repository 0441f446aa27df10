package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// checker turns the syntax tree of event tests into terms. Its methods return nil where they have reported an error, and go on with
// what stands beside it, so that one run finds every mistake.
type checker struct {
	*reporter
	words  *vocabulary
	lets   map[string]*let
	below  map[string]bool // lets of the file, those not yet defined among them
	pieces int             // of all tests so far, those of a let as often as it is used
}

// MaxTestPieces bounds the pieces of a rule's tests with each let in the place of its name: lets that use each other twice double with every line.
const MaxTestPieces = 50_000

// let is a named event test. Its term is nil if it has an error.
type let struct {
	letDef
	term   *term
	pieces int
	used   bool
}

// defineLets checks the lets in order; each may use those above it.
func (c *checker) defineLets(defs []letDef) {
	c.lets, c.below = map[string]*let{}, map[string]bool{}
	for _, d := range defs {
		c.below[d.name] = true
	}
	for _, d := range defs {
		switch {
		case c.lets[d.name] != nil:
			c.errorf(d.at, "", "`%s` is defined twice", d.name)
			continue
		case c.words.events[d.name]:
			c.errorf(d.at, "", "`%s` is an event already: give the let another name", d.name)
		case c.words.isField(d.name):
			c.errorf(d.at, "", "`%s` is a field already: give the let another name", d.name)
		case isWord(d.name):
			c.errorf(d.at, "", "`%s` is a word of the language: give the let another name", d.name)
		}
		l := &let{letDef: d}
		if d.node != nil {
			before := c.pieces
			l.term = c.test(d.node)
			l.pieces = c.pieces - before
		}
		c.lets[d.name] = l
	}
}

func (c *checker) warnUnusedLets(defs []letDef) {
	for _, d := range defs {
		if l := c.lets[d.name]; l != nil && !l.used {
			c.warnf(d.at, "", "`%s` is not used", d.name)
		}
	}
}

// isWord says whether name means something in the language, now or in a coming version.
func isWord(name string) bool {
	_, op := operators[name]
	_, inside := operatorWords[name]
	return op || inside || laterWords[name] || slices.Contains(testFunctions, name)
}

// test checks a node that has to be true, false or unknown for one event.
func (c *checker) test(n ast.Node) *term {
	c.pieces++
	switch n := n.(type) {
	case *ast.BoolNode:
		return truth(n.Value)
	case *ast.IdentifierNode:
		return c.testName(n)
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			if t := c.test(n.Node); t != nil {
				return not(t)
			}
			return nil
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return c.joined(termAnd, n)
		case "or", "||":
			return c.joined(termOr, n)
		case "+", "-", "*", "/":
			c.value(n)
			c.errorf(nodePos(n), "", "this is a value, not a test: compare it with something")
			return nil
		case "??":
		default:
			return c.comparison(n)
		}
	case *ast.CallNode:
		switch name, at := callName(n); name {
		case "event":
			return c.eventCall(n, at)
		case "has":
			return c.hasCall(n, at)
		}
	}
	return c.asTest(n)
}

// joined checks both sides of an and or an or. The loop walks down the left side, where a long chain lies.
func (c *checker) joined(kind termKind, n *ast.BinaryNode) *term {
	ok := true
	var parts []*term
	var left ast.Node = n
	for {
		b, chained := left.(*ast.BinaryNode)
		if !chained || joinKind(b.Operator) != kind {
			break
		}
		if t := c.test(b.Right); t != nil {
			parts = append(parts, t)
		} else {
			ok = false
		}
		left = b.Left
	}
	if t := c.test(left); t != nil {
		parts = append(parts, t)
	} else {
		ok = false
	}
	if !ok {
		return nil
	}
	slices.Reverse(parts)
	t := join(kind, parts...)
	if kind == termAnd && c.refuseNever(t, nodePos(n)) {
		return nil
	}
	return t
}

// joinKind is the kind of term that a joining word makes; termConst: it joins nothing.
func joinKind(operator string) termKind {
	switch operator {
	case "and", "&&":
		return termAnd
	case "or", "||":
		return termOr
	}
	return termConst
}

// testName is a bare name that stands as a test: a let, an event, or a field that is true or false.
func (c *checker) testName(n *ast.IdentifierNode) *term {
	if l := c.lets[n.Value]; l != nil {
		l.used = true
		if c.pieces += l.pieces; c.pieces > MaxTestPieces {
			if c.pieces-l.pieces <= MaxTestPieces {
				c.errorf(nodePos(n), "use each let once, or fewer of them", "with `%s` in its place the tests of this rule have more than %d pieces", n.Value, MaxTestPieces)
			}
			return nil
		}
		return l.term
	}
	if c.words.events[n.Value] {
		return typeIs(n.Value)
	}
	at := nodePos(n)
	if !c.words.isField(n.Value) && !isWord(n.Value) {
		if c.words.broken {
			return typeIs(n.Value)
		}
		near := closest(n.Value, c.testNames())
		switch {
		case c.below[n.Value]:
			c.errorf(at, "a `let` may use those above it: move this one above the line", "`%s` is a `let` further down", n.Value)
		case c.words.catalog && near != "":
			c.errorf(at, "did you mean `"+near+"`?", "`%s` is not in catalog.expr", n.Value)
		case c.words.catalog:
			c.errorf(at, "add it to catalog.expr", "`%s` is not in catalog.expr", n.Value)
		case near != "":
			c.errorf(at, fmt.Sprintf("did you mean `%s`? For an event of your own write event(%q), for a field %s == true", near, n.Value, n.Value),
				"`%s` is not a known event", n.Value)
		default:
			c.errorf(at, fmt.Sprintf("event(%q) for an event of your own, %s == true for a field, or list it in catalog.expr", n.Value, n.Value),
				"`%s` is not a known event", n.Value)
		}
		return nil
	}
	return c.asTest(n)
}

func (c *checker) testNames() []string {
	names := slices.Clone(c.words.eventNames)
	for name := range c.lets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// asTest takes a value that is true or false as a test.
func (c *checker) asTest(n ast.Node) *term {
	v := c.value(n)
	if v == nil {
		return nil
	}
	if v.typ == typeBool || v.kind == termCoalesce && v.args[1].typ == typeBool {
		return &term{kind: termCompare, typ: typeTruth, op: "==", args: []*term{v, constTerm(nudge.BoolValue(true))}}
	}
	fix := ""
	if v.kind == termConst && v.typ == typeText {
		fix = fmt.Sprintf("field == %s; one of several texts is path in [\"/a\", \"/b\"]", quote(v.val.Text))
		if _, _, err := parseDuration(v.val.Text); err == nil {
			fix = "write it where it is needed: count(page_view, " + quote(v.val.Text) + ")"
		}
	}
	if v.kind == termField {
		f := fieldText(v.name)
		switch v.typ {
		case typeAny:
			fix = fmt.Sprintf("%s == true, %s == \"…\", or has(%s)", f, f, f)
		case typeNumber:
			fix = fmt.Sprintf("%s > 0, or has(%s)", f, f)
		default:
			fix = fmt.Sprintf("%s == \"…\", or has(%s)", f, f)
		}
	}
	c.errorf(nodePos(n), fix, "%s is %s, not a test: compare it with something", describe(v), v.typ)
	return nil
}

// eventCall is event("Product Viewed").
func (c *checker) eventCall(n *ast.CallNode, at pos) *term {
	name, ok := c.nameArgument(n, at, "event")
	if !ok {
		return nil
	}
	return c.eventNamed(name, at)
}

func (c *checker) eventNamed(name string, at pos) *term {
	if c.words.catalog && !c.words.broken && !c.words.events[name] {
		fix := "add it to catalog.expr"
		if near := closest(name, c.words.eventNames); near != "" {
			fix = "did you mean `" + near + "`?"
		}
		c.errorf(at, fix, "the event %s is not in catalog.expr", quote(name))
		return nil
	}
	return typeIs(name)
}

// nameArgument is the one quoted name of event("…") or field("…").
func (c *checker) nameArgument(n *ast.CallNode, at pos, function string) (string, bool) {
	if len(n.Arguments) == 1 {
		if s, ok := n.Arguments[0].(*ast.StringNode); ok {
			before := len(c.diags)
			c.checkName(at, s.Value)
			return s.Value, len(c.diags) == before
		}
	}
	c.errorf(at, function+`("Product Viewed")`, "`%s` takes one name in quotes", function)
	return "", false
}

func (c *checker) hasCall(n *ast.CallNode, at pos) *term {
	if len(n.Arguments) != 1 {
		c.errorf(at, "has(form)", "`has` takes one field")
		return nil
	}
	f := c.value(n.Arguments[0])
	if f == nil {
		return nil
	}
	if f.kind != termField {
		c.errorf(nodePos(n.Arguments[0]), "has(form)", "`has` takes a field")
		return nil
	}
	return &term{kind: termHas, typ: typeTruth, args: []*term{f}}
}

// callName is the name that a call calls; "" for a call that has none, as in a.b().
func callName(n *ast.CallNode) (string, pos) {
	at := nodePos(n)
	if f, ok := n.Callee.(*ast.IdentifierNode); ok {
		return f.Value, at
	}
	return "", at
}

// wrongCall reports a function that event tests do not have.
func (c *checker) wrongCall(n *ast.CallNode) {
	name, at := callName(n)
	_, isOperator := operators[name]
	switch {
	case name == "":
		if whole, _ := memberName(n.Callee); whole == "company.tagged" {
			notInThisVersion(c.reporter, nodePos(n.Callee), whole)
			return
		}
		c.errorf(nodePos(n.Callee), "lower(path), for instance", "fields have no functions of their own")
	case isAction(name):
		c.errorf(at, "then: "+name+"(…)", "`%s` is an action: it goes into `then`", name)
	case laterFunctions[name]:
		notInThisVersion(c.reporter, at, name)
	case isOperator:
		c.errorf(at, "a test, in a `let` too, looks at one event: `"+name+"` goes into `when`, `unless` or the data of `then`",
			"`%s` looks at many events and cannot stand inside an event test", name)
	case operatorWords[name] != "":
		c.errorf(at, operators[operatorWords[name]].usage, "`%s` belongs into `%s`", name, operatorWords[name])
	default:
		fix := "functions of event tests: " + strings.Join(testFunctions, " ")
		if near := closest(name, slices.Concat(testFunctions, operatorNames())); near != "" { // in data operators stand beside functions
			fix = "did you mean `" + near + "`?"
		}
		c.errorf(at, fix, "there is no function `%s`", name)
	}
}
