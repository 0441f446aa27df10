package rules

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// MaxThreshold bounds the constant that a count in a window is compared with: so many entries are kept per key.
const MaxThreshold = 10_000

// ValuesKept is how many different values values() gives.
const ValuesKept = 20

// ask is one operator's call in a rule: which operator, and how this place of the rule looks at it.
type ask struct {
	kind      OpKind
	at        pos
	name      string
	test      *term // nil for score and sequence
	end       *term // absent, dwell
	value     *term // distinct, values, sum, last …; nil for days, which tells apart the day
	days      bool
	fold      Fold          // sum, avg, min, max
	points    []scorePoints // score
	steps     []sequenceStep
	window    nudge.Millis
	pulse     bool
	keep      int     // entries needed; 0: as many as may be, up to MaxKept
	threshold float64 // the constant that keep follows from
	exact     bool    // its number is used as it is: with more entries than are kept it is not known
	moot      bool    // it stands in a comparison that is reported to be the same whatever it counts
	alone     bool    // a sum, avg, min or max compared with a constant: no other way of asking keeps less
}

// tests are all event tests of the call.
func (a *ask) tests() []*term {
	tests := make([]*term, 0, 2+len(a.points)+2*len(a.steps))
	add := func(t *term) {
		if t != nil {
			tests = append(tests, t)
		}
	}
	add(a.test)
	add(a.end)
	for _, p := range a.points {
		add(p.test)
	}
	for _, s := range a.steps {
		add(s.test)
		add(s.no)
	}
	return tests
}

// isCount says whether a counts something, so that a few entries decide a comparison with a constant.
func (a *ask) isCount() bool { return a.kind == OpCount || a.kind == OpDistinct || a.kind == OpTotal }

// drifts says whether time alone changes a's number continuously.
func (a *ask) drifts() bool { return a.kind == OpSince || a.kind == OpScore }

// ask checks an operator's call. Its place in the condition is checked by the caller.
func (c *checker) ask(n *ast.CallNode) *ask {
	name, at := callName(n)
	op := operators[name]
	switch name {
	case "sequence":
		return c.sequence(n, at)
	case "score":
		return c.score(n, at)
	}
	if !c.argumentCount(n, at, name, op) || c.otherOrder(n, op) {
		return nil
	}
	a := &ask{at: at, name: name, pulse: op.pulse, test: c.eventArgument(n.Arguments[0], op)}
	ok := a.test != nil
	var windowNode ast.Node
	if kind, folds := foldKinds[name]; folds {
		a.kind, a.fold = OpNumbers, kind
		a.value, windowNode = c.summed(n.Arguments[1]), n.Arguments[2]
		ok = ok && a.value != nil
	}
	switch name {
	case "since":
		a.kind = OpSince
	case "last":
		a.kind, a.value = OpLast, c.told(n.Arguments[1], op)
		ok = ok && a.value != nil
	case "count", "happened":
		a.kind, windowNode = OpCount, n.Arguments[1]
	case "days":
		a.kind, a.days, windowNode = OpDistinct, true, n.Arguments[1]
	case "distinct", "values":
		a.kind = map[string]OpKind{"distinct": OpDistinct, "values": OpValues}[name]
		a.value, windowNode = c.told(n.Arguments[1], op), n.Arguments[2]
		ok = ok && a.value != nil
	case "on":
		a.kind = OpOn
	case "first":
		a.kind, windowNode = OpFirst, n.Arguments[1]
	case "absent", "dwell":
		a.kind = map[string]OpKind{"absent": OpAbsent, "dwell": OpDwell}[name]
		windowNode = n.Arguments[1]
		a.end = c.wrapped(n.Arguments[2], op)
		ok = ok && a.end != nil
		if name == "absent" { // absent(end, W, after(start))
			a.test, a.end = a.end, a.test
		}
	}
	if windowNode != nil {
		a.window = c.window(windowNode, op)
		ok = ok && a.window != 0
	}
	if a.kind == OpNumbers && a.window == Ever {
		a.kind = OpTally
	}
	if !ok {
		return nil
	}
	return a
}

// argumentCount reports a call with too many or too few arguments.
func (c *checker) argumentCount(n *ast.CallNode, at pos, name string, op operator) bool {
	if len(n.Arguments) == op.args {
		return true
	}
	c.errorf(at, op.usage, "`%s` takes %d thing%s in its brackets, %s; here it has %d", name, op.args, map[bool]string{true: "s"}[op.args > 1],
		argumentsText(name, op), len(n.Arguments))
	return false
}

// otherOrder reports arguments that stand in another order, as one mistake: a duration in front, or after(…) and until(…) before the end.
func (c *checker) otherOrder(n *ast.CallNode, op operator) bool {
	for _, arg := range n.Arguments[:len(n.Arguments)-1] {
		if call, ok := arg.(*ast.CallNode); ok && op.wrap != "" {
			if name, at := callName(call); name == op.wrap {
				c.errorf(at, op.usage, "the last argument is %s(…) with one event test", op.wrap)
				return true
			}
		}
	}
	first, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		return false
	}
	_, _, err := parseDuration(first.Value)
	if err == nil {
		c.errorf(nodePos(first), "the events come first: "+op.usage, "a text is not an event test")
	}
	return err == nil
}

func argumentsText(name string, op operator) string {
	switch {
	case name == "last":
		return "the events and which value of them"
	case name == "score":
		return "a map from events to points and half_life(…)"
	case op.args == 1:
		return "the events"
	case op.args == 2:
		return "the events and how long"
	}
	switch op.wrap {
	case "after":
		return "the events that are missed, how long, and after what"
	case "until":
		return "the events that start it, how long, and until what"
	}
	return "the events, which value of them, and how long"
}

// eventArgument is the event test that every operator starts with.
func (c *checker) eventArgument(n ast.Node, op operator) *term {
	if s, ok := n.(*ast.StringNode); ok {
		c.errorf(nodePos(n), fmt.Sprintf("event(%q), with what else it needs: %s", s.Value, op.usage), "a text is not an event test")
		return nil
	}
	return canonical(c.checkAlways(c.test(n), nodePos(n)))
}

// told is the value that distinct and values tell apart.
func (c *checker) told(n ast.Node, op operator) *term {
	v := c.value(n)
	if v != nil && v.kind == termConst {
		c.errorf(nodePos(n), op.usage, "%s is the same for every event: name a field", describe(v))
		return nil
	}
	return v
}

// foldKinds are the operators that calculate with numbers of events.
var foldKinds = map[string]Fold{"sum": FoldSum, "avg": FoldAvg, "min": FoldMin, "max": FoldMax}

// summed is the number that sum, avg, min and max take of each event.
func (c *checker) summed(n ast.Node) *term {
	v := c.number(n)
	if v != nil && v.kind == termConst {
		c.errorf(nodePos(n), `sum(purchase, amount, "30d"), or count(…)`, "%s is the same for every event: name a field", describe(v))
		return nil
	}
	return v
}

// wrapped is the test inside after(…) or until(…).
func (c *checker) wrapped(n ast.Node, op operator) *term {
	if call, ok := n.(*ast.CallNode); ok {
		if name, _ := callName(call); name == op.wrap && len(call.Arguments) == 1 {
			return c.eventArgument(call.Arguments[0], op)
		}
	}
	c.errorf(nodePos(n), op.usage, "the last argument is %s(…) with one event test", op.wrap)
	return nil
}

// window is how long an operator looks back or waits; 0 after an error.
func (c *checker) window(n ast.Node, op operator) nudge.Millis {
	s, ok := n.(*ast.StringNode)
	if !ok {
		if id, isName := n.(*ast.IdentifierNode); isName && c.lets[id.Value] != nil && c.lets[id.Value].term == nil {
			c.lets[id.Value].used = true
			return 0 // a let with a mistake has been reported
		}
		fix := `"30d", "1h30m"`
		if name, isName := n.(*ast.IdentifierNode); isName && strings.EqualFold(name.Value, "ever") {
			fix = `"ever", in quotes`
		}
		if i, isNumber := n.(*ast.IntegerNode); isNumber {
			fix = strconv.Quote(strconv.Itoa(i.Value)+"d") + ", or with another unit of w h m s ms"
		}
		c.errorf(nodePos(n), fix, "how long is a text with a unit")
		return 0
	}
	switch {
	case s.Value == "today":
		c.errorf(nodePos(n), `"1d" for the last 24 hours`, "the window \"today\" is not in this version")
		return 0
	case s.Value == "ever" && op.ever:
		return Ever
	case s.Value == "ever":
		c.errorf(nodePos(n), `a duration, as in "30d"`, "\"ever\" cannot be used here")
		return 0
	}
	return c.duration(n, s.Value)
}

func (c *checker) duration(n ast.Node, s string) nudge.Millis {
	d, fix, err := parseDuration(s)
	if err != nil {
		c.errorf(nodePos(n), fix, "%v", err)
		return 0
	}
	return d
}

// threshold fixes how many entries an operator keeps that is compared with the constant k: enough to decide it and no more.
func (c *checker) threshold(a *ask, op string, k float64) bool {
	n := entriesFor(op, k)
	if n > MaxThreshold {
		if a.kind == OpCount && a.window == Ever {
			a.kind = OpTotal // a plain number needs no entries
			return true
		}
		c.errorf(a.at, "a smaller number; count(…, \"ever\") has no limit", "to compare `%s` with %s more than %d events would have to be kept per key, which is the most",
			a.name, numberText(k), MaxThreshold)
		return false
	}
	a.keep, a.threshold = int(n), k
	switch {
	case k <= 0 && (op == ">=" || k < 0 && (op == ">" || op == "!=")):
		c.warnf(a.at, "", "`%s` is never below 0, so this is always true", a.name)
	case k < 0 || k == 0 && op == "<" || (op == "==" || op == "!=") && k != math.Trunc(k):
		c.warnf(a.at, "", "`%s` is a whole number from 0, so this is always %v", a.name, op == "!=")
	}
	return true
}

// entriesFor is how many of the newest entries decide a comparison of their number with k.
func entriesFor(op string, k float64) float64 {
	n := math.Floor(k) + 1 // one more than k decides > k, <= k, == k, != k
	if op == ">=" || op == "<" {
		n = math.Ceil(k)
	}
	return max(n, 1)
}

// whole marks the operators of n whose very number is used: they keep as many entries as may be.
func (c *checker) whole(n *number) {
	if n.kind == numberAsk {
		c.wholeAsk(n.ask)
		n.ask.exact = true
	}
}

func (c *checker) wholeAsk(a *ask) {
	if a.kind == OpCount && a.window == Ever {
		a.kind = OpTotal
		return
	}
	a.keep = 0
}

func numberText(f float64) string { return string(nudge.AppendJSONNumber(nil, f)) }
