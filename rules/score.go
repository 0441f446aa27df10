package rules

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// MaxPoints bounds the kinds of events of one score.
const MaxPoints = 50

// scorePoints is one kind of event that a score counts.
type scorePoints struct {
	test   *term
	points float64
}

// score checks score({e1: p1, (e2): p2}, half_life("7d")).
func (c *checker) score(n *ast.CallNode, at pos) *ask {
	op := operators["score"]
	if !c.argumentCount(n, at, "score", op) {
		return nil
	}
	a := &ask{kind: OpScore, at: at, name: "score"}
	m, ok := n.Arguments[0].(*ast.MapNode)
	if !ok {
		c.errorf(nodePos(n.Arguments[0]), op.usage, "the first argument of `score` is a map from events to points")
		return nil
	}
	if len(m.Pairs) == 0 || len(m.Pairs) > MaxPoints {
		c.errorf(nodePos(m), op.usage, "a score counts 1 to %d kinds of events; here it has %d", MaxPoints, len(m.Pairs))
		return nil
	}
	for _, n := range m.Pairs {
		if p := n.(*ast.PairNode); !c.scorePair(a, p) {
			ok = false
		}
	}
	if a.window = c.halfLife(n.Arguments[1], op); a.window == 0 || !ok {
		return nil
	}
	slices.SortStableFunc(a.points, func(x, y scorePoints) int { return strings.Compare(x.test.String(), y.test.String()) })
	return a
}

// scorePair checks one entry of a score's map: an event or let by its name, or any event test in parentheses, and its points.
func (c *checker) scorePair(a *ask, p *ast.PairNode) bool {
	at := nodePos(p.Key)
	key, isName := p.Key.(*ast.StringNode)
	var t *term
	switch {
	case !isName:
		t = c.test(p.Key)
	case isIdentifier(key.Value):
		name := &ast.IdentifierNode{Value: key.Value}
		name.SetLocation(p.Key.Location())
		t = c.testName(name)
	default:
		t = c.eventNamed(key.Value, at)
	}
	v := c.value(p.Value)
	if t == nil || v == nil {
		return false
	}
	if v.kind != termConst || v.typ != typeNumber {
		c.errorf(nodePos(p.Value), "{page_view: 1, form_submit: 10}", "the points of a score are constant numbers")
		return false
	}
	if math.Abs(v.val.Num) > MaxNumber && !c.deployed { // what is added up, and its millionths, stay numbers
		c.errorf(nodePos(p.Value), "points up to "+numberText(MaxNumber), "this number is too large")
		return false
	}
	if slices.ContainsFunc(a.points, func(x scorePoints) bool { return x.test.String() == t.String() }) {
		c.errorf(at, "add the points up", "this event stands in the score twice")
		return false
	}
	a.points = append(a.points, scorePoints{t, v.val.Num})
	return true
}

// halfLife is the duration inside half_life(…); 0 after an error.
func (c *checker) halfLife(n ast.Node, op operator) nudge.Millis {
	if call, ok := n.(*ast.CallNode); ok {
		if name, _ := callName(call); name == "half_life" && len(call.Arguments) == 1 {
			return c.window(call.Arguments[0], op)
		}
	}
	c.errorf(nodePos(n), op.usage, "the last argument of `score` is half_life(…) with a duration")
	return 0
}

// scoreText is the canonical text of a score: its half-life is part of what its state means.
func (a *ask) scoreText() string {
	var b strings.Builder
	b.WriteString("score({")
	for i, p := range a.points {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + p.test.String() + "): " + numberText(p.points))
	}
	b.WriteString("}, half_life(" + strconv.Quote(durationText(a.window)) + "))")
	return b.String()
}
