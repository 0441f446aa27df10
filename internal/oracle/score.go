package oracle

import (
	"fmt"
	"math"
	"sort"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// points is one pair of a score's map: what an event that matches counts.
type points struct {
	test  ast.Node
	value float64
}

// pointsOf reads a score: its map, and half_life("7d").
func (r *rule) pointsOf(call *ast.CallNode) (out []points, err error) {
	pairs, isMap := call.Arguments[0].(*ast.MapNode)
	half, isCall := call.Arguments[1].(*ast.CallNode)
	if !isMap || !isCall || callee(half) != "half_life" {
		return nil, fmt.Errorf("score wants a map of points and half_life(…)")
	}
	for _, p := range pairs.Pairs {
		pair := p.(*ast.PairNode)
		v := (&state{}).value(pair.Value)
		if v.Kind != nudge.Number {
			return nil, fmt.Errorf("score: points are numbers")
		}
		out = append(out, points{test: r.counted(pair.Key), value: v.Num})
	}
	return out, nil
}

// counted is the event test that a key of a score's map stands for: a name is a let or an event, a test stands in parentheses.
func (r *rule) counted(key ast.Node) ast.Node {
	name, ok := key.(*ast.StringNode)
	if !ok {
		return key
	}
	if _, let := r.lets[name.Value]; let || events[name.Value] {
		return &ast.IdentifierNode{Value: name.Value}
	}
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: "event"}, Arguments: []ast.Node{name}}
}

// score is "sum of p · 2^(−(t−ts)/half-life), rounded to 10⁻⁶". It is added in the order of size, so that the order of events does not matter.
func (s *state) score(call *ast.CallNode, t nudge.Millis) float64 {
	half := float64(duration(call.Arguments[1].(*ast.CallNode).Arguments[0]))
	var terms []float64
	for _, e := range s.rows {
		for _, p := range s.rule.points[call] {
			if s.rule.test(e, p.test) {
				terms = append(terms, p.value*math.Exp2(-float64(t-e.ts)/half))
			}
		}
	}
	sort.Float64s(terms)
	sum := 0.0
	for _, x := range terms {
		sum += x
	}
	return math.Round(sum*millionth) / millionth
}
