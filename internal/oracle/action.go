package oracle

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// action is one entry of then.
type action struct {
	kind nudge.ActionKind
	name string
	data *ast.MapNode // nil: none
	ttl  nudge.Millis // of a tag, 0: none
}

var actionKinds = map[string]nudge.ActionKind{
	"popup": nudge.ActionPopup, "alert": nudge.ActionAlert, "webhook": nudge.ActionWebhook,
	"tag": nudge.ActionTag, "untag": nudge.ActionUntag, "emit": nudge.ActionEmit,
}

// actions reads then: one action or a list.
func actions(n ast.Node) (out []action, err error) {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.ArrayNode); ok {
		nodes = list.Nodes
	}
	for _, n := range nodes {
		call, ok := n.(*ast.CallNode)
		if !ok {
			return nil, fmt.Errorf("want an action, as in alert(…)")
		}
		a, err := actionOf(call)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", callee(call), err)
		}
		out = append(out, a)
	}
	return out, nil
}

func actionOf(call *ast.CallNode) (a action, err error) {
	kind, known := actionKinds[callee(call)]
	name, isText := call.Arguments[0].(*ast.StringNode)
	if !known || !isText {
		return a, fmt.Errorf("want an action whose first argument is a text")
	}
	a.kind, a.name = kind, name.Value
	if len(call.Arguments) == 1 {
		return a, nil
	}
	if kind == nudge.ActionTag {
		if a.ttl = duration(call.Arguments[1]); a.ttl <= 0 {
			return a, fmt.Errorf("the second argument is a length of time")
		}
		return a, nil
	}
	data, isMap := call.Arguments[1].(*ast.MapNode)
	if !isMap {
		return a, fmt.Errorf("the second argument is a map")
	}
	a.data = data
	return a, nil
}
