package oracle

import (
	"cmp"
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
		out = append(out, points{test: r.keyTest(pair.Key), value: v.Num})
	}
	return out, nil
}

// keyTest is the event test that a key of a score's map stands for: a name is a let or an event, a test stands in parentheses.
func (r *rule) keyTest(key ast.Node) ast.Node {
	name, ok := key.(*ast.StringNode)
	if !ok {
		return key
	}
	if _, let := r.lets[name.Value]; let || events[name.Value] {
		return &ast.IdentifierNode{Value: name.Value}
	}
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: "event"}, Arguments: []ast.Node{name}}
}

// score is what a score counts of the rows of a key, each with its points.
type score struct {
	halfLife float64
	counted  []counted
}

type counted struct {
	ts     nudge.Millis
	points float64
}

func (s *state) score(call *ast.CallNode) score {
	out := score{halfLife: float64(duration(call.Arguments[1].(*ast.CallNode).Arguments[0]))}
	for _, e := range s.rows {
		for _, p := range s.rule.points[call] {
			if s.rule.test(e, p.test) {
				out.counted = append(out.counted, counted{ts: e.ts, points: p.value})
			}
		}
	}
	return out
}

// at is "sum of p · 2^(−(t−ts)/half-life), rounded to 10⁻⁶". It is added in the order of size, so that the order of events does not matter.
func (s score) at(t nudge.Millis) float64 {
	var terms []float64
	for _, c := range s.counted {
		terms = append(terms, c.points*math.Exp2(-float64(t-c.ts)/s.halfLife))
	}
	sort.Float64s(terms)
	sum := 0.0
	for _, x := range terms {
		sum += x
	}
	return math.Round(sum*millionth) / millionth
}

// side is where the score stands at an instant as seen from a mark: below it -1, at it 0, above it 1.
func (s score) side(mark float64, t nudge.Millis) int { return cmp.Compare(s.at(t), mark) }
