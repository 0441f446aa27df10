package rules

import (
	"fmt"
	"math"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

type condKind uint8

const (
	condAnd     condKind = iota // args
	condOr                      // args
	condNot                     // args[0]
	condCompare                 // left op right
	condLast                    // last[0] op last[1]
	condAsk                     // ask: a pulse, or happened
)

// cond is a checked condition.
type cond struct {
	kind        condKind
	args        []*cond
	op          string
	left, right *number
	last        [2]lastValue
	ask         *ask
}

// lastValue is one side of a comparison of what events had last: what an operator keeps, or a constant.
type lastValue struct {
	ask *ask // nil: val
	val nudge.Value
	typ valueType
}

type numberKind uint8

const (
	numberConst numberKind = iota
	numberAsk              // how many an operator counts
	numberArith            // args[0] op args[1]
	numberNeg              // -args[0]
)

// number is a checked number inside a condition. Constant arithmetic is computed when it is checked.
type number struct {
	kind numberKind
	val  float64
	ask  *ask
	op   string
	args []*number
}

// pulses says whether c is true only at instants that bring a pulse.
func (c *cond) pulses() bool {
	if c.kind == condAsk {
		return c.ask.pulse
	}
	for _, a := range c.args {
		if a.pulses() {
			return true // under or, every part does: the checker sees to it
		}
	}
	return false
}

// each visits every operator that c asks.
func (c *cond) each(f func(*ask)) {
	if c.ask != nil {
		f(c.ask)
	}
	for _, n := range [...]*number{c.left, c.right} {
		if n != nil {
			n.each(f)
		}
	}
	for _, l := range c.last {
		if l.ask != nil {
			f(l.ask)
		}
	}
	for _, a := range c.args {
		a.each(f)
	}
}

func (n *number) each(f func(*ask)) {
	if n.ask != nil {
		f(n.ask)
	}
	for _, a := range n.args {
		a.each(f)
	}
}

// conditions checks the world of conditions. A condition is read at the instants of one key, so nothing in it names a field.
type conditions struct {
	*checker
	unless bool // the condition is that of unless, where a pulse makes no sense

	later []func() // warnings that are none where the whole condition asks nothing
}

// condition checks a whole condition.
func (c *conditions) condition(n ast.Node) *cond {
	k := c.cond(n)
	if k == nil {
		return nil
	}
	asked := false
	k.each(func(*ask) { asked = true })
	if !asked {
		c.errorf(nodePos(n), `happened(page_view, "7d")`, "this is always the same: a condition asks at least one operator")
		return nil
	}
	for _, warn := range c.later {
		warn()
	}
	if !c.unless && !c.wakes(k, k.pulses()) {
		return nil
	}
	return k
}

// wakes reports since and score where nothing says when to look: time changes them at every moment, and only of a comparison with a constant it is
// known when that matters. pulsed: the condition is read at pulses only.
func (c *conditions) wakes(k *cond, pulsed bool) bool {
	if k.kind == condCompare && !pulsed {
		alone := k.left.kind == numberAsk && k.right.kind == numberConst
		ok := true
		k.each(func(a *ask) {
			if ok && a.drifts() && !alone {
				c.errorf(a.at, "on(page_view) and …, so that it is looked at then", "`%s` changes all the time: in arithmetic, or beside another number, nothing says when to look",
					a.name)
				ok = false
			}
		})
		return ok
	}
	for _, part := range k.args {
		if !c.wakes(part, pulsed) {
			return false
		}
	}
	return true
}

func (c *conditions) cond(n ast.Node) *cond {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return c.not(n)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return c.joined(condAnd, n)
		case "or", "||":
			return c.joined(condOr, n)
		case "==", "!=", "<", "<=", ">", ">=":
			return c.compare(n)
		}
	case *ast.CallNode:
		if name, at := callName(n); operators[name].usage != "" {
			return c.askAlone(n, name, at)
		}
	}
	c.notACondition(n)
	return nil
}

func (c *conditions) askAlone(n *ast.CallNode, name string, at pos) *cond {
	a := c.ask(n)
	switch {
	case a == nil:
		return nil
	case a.kind == OpValues:
		c.errorf(at, "then: alert(\"…\", {people: values(…)})", "`values` is a list, for the data of `then` only")
		return nil
	case a.pulse && c.unless:
		c.errorf(at, "ask for a state: happened(…), count(…) > 0", "`%s` is true at one instant only and cannot stand in `unless`", name)
		return nil
	case a.pulse || name == "happened":
		a.keep = 1
		return &cond{kind: condAsk, ask: a}
	case a.kind == OpLast:
		c.errorf(at, operators[name].usage+` == "/pricing"`, "`last` is a value, not a condition: compare it with a constant")
		return nil
	}
	c.errorf(at, operators[name].usage+" >= 3", "`%s` is a number, not a condition: compare it with something", name)
	return nil
}

func (c *conditions) not(n *ast.UnaryNode) *cond {
	k := c.cond(n.Node)
	if k == nil {
		return nil
	}
	if k.pulses() {
		c.errorf(nodePos(n), "split the rule: what it waits for in one, what must not have been as happened(…) under `not` or in `unless`",
			"what is true at one instant only cannot stand under `%s`", n.Operator)
		return nil
	}
	return &cond{kind: condNot, args: []*cond{k}}
}

// joined checks the sides of an and or an or; like that of tests it walks down the left side.
func (c *conditions) joined(kind condKind, n *ast.BinaryNode) *cond {
	word := termAnd
	if kind == condOr {
		word = termOr
	}
	var nodes []ast.Node
	var left ast.Node = n
	for {
		b, chained := left.(*ast.BinaryNode)
		if !chained || joinKind(b.Operator) != word {
			break
		}
		nodes = append(nodes, b.Right)
		left = b.Left
	}
	nodes = append(nodes, left)
	k := &cond{kind: kind}
	ok, pulses := true, 0
	for i := len(nodes) - 1; i >= 0; i-- {
		part := c.cond(nodes[i])
		if part == nil {
			ok = false
			continue
		}
		if part.pulses() {
			pulses++
		}
		k.args = append(k.args, part)
	}
	if kind == condOr && pulses > 0 && pulses < len(k.args) {
		c.errorf(pos(n.Location().From), "split it into two rules, one for each side",
			"`or` has something true at one instant on one side and a lasting state on the other")
		return nil
	}
	if !ok {
		return nil
	}
	if kind == condAnd {
		c.warnNever(k)
		c.warnApart(k)
	}
	return k
}

func (c *conditions) compare(n *ast.BinaryNode) *cond {
	if c.misplacedNot(n) {
		return nil
	}
	if isLast(n.Left) || isLast(n.Right) {
		k := c.compareLast(n)
		if k != nil && !c.deployed && n.Left.String() == n.Right.String() {
			c.warnItself(n, n.Operator)
		}
		return k
	}
	l, r := c.sides(n)
	if l == nil || r == nil {
		return nil
	}
	op := n.Operator
	c.warnSameNumbers(n, op, l, r)
	if l.kind == numberConst && r.kind == numberAsk {
		l, r, op = r, l, swapped[op]
	}
	if l.kind == numberAsk && r.kind == numberConst && l.ask.isCount() {
		if !c.threshold(l.ask, op, r.val) {
			return nil
		}
	} else {
		c.whole(l)
		c.whole(r)
		if l.kind == numberAsk && r.kind == numberConst {
			l.ask.alone = l.ask.kind == OpNumbers
		}
	}
	return &cond{kind: condCompare, op: op, left: l, right: r}
}

// sides checks both sides of a comparison. Where one side is wrong, a text or the like on the other side is what it was meant to be
// compared with, and not a second mistake.
func (c *conditions) sides(n *ast.BinaryNode) (l, r *number) {
	if isPlain(n.Left) {
		if r = c.number(n.Right); r != nil {
			l = c.number(n.Left)
		}
		return l, r
	}
	if l = c.number(n.Left); l != nil || !isPlain(n.Right) {
		r = c.number(n.Right)
	}
	return l, r
}

// isPlain says whether n is a constant that stands for itself.
func isPlain(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.BoolNode, *ast.NilNode, *ast.IntegerNode, *ast.FloatNode:
		return true
	}
	return false
}

// number checks a number of a condition.
func (c *conditions) number(n ast.Node) *number {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return &number{val: float64(n.Value)}
	case *ast.FloatNode:
		return &number{val: n.Value}
	case *ast.UnaryNode:
		if n.Operator == "-" || n.Operator == "+" {
			return c.sign(n)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "+", "-", "*", "/":
			return c.arithmetic(n)
		}
	case *ast.CallNode:
		if name, at := callName(n); operators[name].usage != "" {
			return c.askNumber(n, name, at)
		}
	}
	c.notANumber(n)
	return nil
}

func (c *conditions) askNumber(n *ast.CallNode, name string, at pos) *number {
	a := c.ask(n)
	switch {
	case a == nil:
		return nil
	case a.pulse:
		c.errorf(at, "split the rule, or join it with `and`", "`%s` is true at one instant only: it cannot be compared or counted with", name)
		return nil
	case name == "happened":
		c.errorf(at, "happened(…) alone, or not happened(…)", "`happened` is true or false, not a number")
		return nil
	case a.kind == OpValues:
		c.errorf(at, "distinct(…) counts different values", "`values` is a list, for the data of `then` only")
		return nil
	case a.kind == OpLast:
		c.errorf(at, operators[name].usage+` == "/pricing"`, "`last` is compared with a constant or another `last`, and nothing else")
		return nil
	}
	return &number{kind: numberAsk, ask: a}
}

func (c *conditions) sign(n *ast.UnaryNode) *number {
	v := c.number(n.Node)
	switch {
	case v == nil:
		return nil
	case n.Operator == "+":
		return v
	case v.kind == numberConst:
		return &number{val: -v.val}
	}
	c.whole(v)
	return &number{kind: numberNeg, args: []*number{v}}
}

func (c *conditions) arithmetic(n *ast.BinaryNode) *number {
	l, r := c.number(n.Left), c.number(n.Right)
	if l == nil || r == nil {
		return nil
	}
	if n.Operator == "/" && r.kind == numberConst && r.val == 0 {
		c.errorf(pos(n.Location().From), "", "nothing can be divided by 0")
		return nil
	}
	if l.kind == numberConst && r.kind == numberConst {
		v := arith(n.Operator, l.val, r.val)
		if math.IsInf(v, 0) && !c.deployed { // two of them would make a number that is none
			c.errorf(pos(n.Location().From), "", "this number is too large")
			return nil
		}
		return &number{val: v}
	}
	c.whole(l)
	c.whole(r)
	return &number{kind: numberArith, op: n.Operator, args: []*number{l, r}}
}

// arith computes; NaN, which no comparison is true of, stands for nothing.
func arith(op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	}
	if b == 0 {
		return math.NaN()
	}
	return a / b
}

func (c *conditions) notANumber(n ast.Node) {
	switch n := n.(type) {
	case *ast.StringNode:
		fix := "write a number without quotes"
		if d, _, err := parseDuration(n.Value); err == nil && d%1000 == 0 {
			fix += fmt.Sprintf("; %s is %d seconds", quote(n.Value), d/1000)
		}
		c.errorf(nodePos(n), fix, "conditions compare numbers, not texts")
	case *ast.BoolNode:
		c.errorf(nodePos(n), "leave out the comparison, or write `not`", "nothing in a condition is compared with `%v`", n.Value)
	case *ast.NilNode:
		c.errorf(nodePos(n), "compare with a number", "nothing in a condition is compared with `nil`")
	default:
		c.notACondition(n)
	}
}

// notACondition says what an author meant who wrote an event test, or anything else, where a key is looked at over time.
func (c *conditions) notACondition(n ast.Node) {
	at := nodePos(n)
	name := ""
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if name = n.Value; c.foreignName(name, at) {
			return
		}
	case *ast.MemberNode:
		name, _ = memberName(n)
		if name == "company.tagged" {
			notInThisVersion(c.reporter, at, name)
			return
		}
	case *ast.CallNode:
		c.wrongConditionCall(n)
		return
	case *ast.BinaryNode:
		switch n.Operator {
		case "in", "startsWith", "endsWith", "contains", "matches", "??":
			fix := `happened(page_view and path startsWith "/p", "7d")`
			if n.Operator == "in" && isLast(n.Left) {
				fix = `last(…) == "a" or last(…) == "b"`
			}
			c.errorf(at, fix, "`%s` looks at one event: it belongs into an event test", n.Operator)
			return
		case "+", "-", "*", "/":
			if c.number(n) != nil {
				c.errorf(at, "… >= 3", "this is a number, not a condition: compare it with something")
			}
			return
		}
	case *ast.BoolNode:
		c.errorf(at, `happened(page_view, "7d")`, "`%v` is always the same: a condition asks at least one operator", n.Value)
		return
	case *ast.IntegerNode, *ast.FloatNode, *ast.UnaryNode:
		c.errorf(at, "… >= 3", "this is a number, not a condition: compare it with something")
		return
	}
	c.bareName(at, name)
}
