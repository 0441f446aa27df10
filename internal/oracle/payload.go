package oracle

import (
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// maxValues bounds values(…).
const maxValues = 20

// actionsOf renders a rule's actions: operators over the state after the instant, fields of the causing row, null where there is none.
func actionsOf(r *rule, after *state, cause *row) []nudge.Action {
	var out []nudge.Action
	for _, a := range r.then {
		data := "{}"
		switch {
		case a.data != nil:
			data = payload(a.data, after, cause)
		case a.ttl != 0:
			data = `{"ttl":` + toJSON(nudge.TextValue(canonical(a.ttl))) + `}`
		}
		out = append(out, nudge.Action{Kind: a.kind, Name: a.name, Data: []byte(data)})
	}
	return out
}

func payload(n ast.Node, s *state, cause *row) string {
	switch n := n.(type) {
	case *ast.MapNode:
		var parts []string
		for _, p := range n.Pairs {
			pair := p.(*ast.PairNode)
			key := s.rule.eval(nil, pair.Key).Text
			parts = append(parts, toJSON(nudge.TextValue(key))+":"+payload(pair.Value, s, cause))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case *ast.ArrayNode:
		var parts []string
		for _, v := range n.Nodes {
			parts = append(parts, payload(v, s, cause))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *ast.CallNode:
		if callee(n) == "values" {
			var parts []string
			for i, v := range s.newestFirst(n) {
				if i < maxValues {
					parts = append(parts, toJSON(v))
				}
			}
			return "[" + strings.Join(parts, ",") + "]"
		}
	}
	if asksOperator(n) {
		shown := *s
		shown.shows = true
		return toJSON(shown.value(n))
	}
	return toJSON(s.rule.eval(cause, n))
}

// asksOperator says whether an expression of a payload is over the key and not over the causing event.
func asksOperator(n ast.Node) (found bool) {
	walk(n, func(n ast.Node) {
		if call, ok := n.(*ast.CallNode); ok {
			found = found || operators[callee(call)]
		}
	})
	return found
}

func toJSON(v nudge.Value) string { return string(v.AppendJSON(nil)) }
