package oracle

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"

	"nudge"
)

// Rule is one rule file: its id and its text.
type Rule struct{ ID, Text string }

// rule is a parsed rule. The parts that are expressions stay syntax trees.
type rule struct {
	id       string
	kind     nudge.Kind
	per      string   // "visitor", "user", "company", or the per expression as written
	perNode  ast.Node // what gives a row's key
	when     ast.Node
	unless   ast.Node // nil: none
	then     []action
	cooldown nudge.Millis // 0: none
	priority float64
	shadow   bool
	paused   bool

	lets     map[string]ast.Node
	waits    []*ast.CallNode // absent and dwell of when, in the order of the text
	windows  []*ast.CallNode // count, distinct, days, happened of when
	location *time.Location  // of calendar days
}

// action is one entry of then.
type action struct {
	kind nudge.ActionKind
	name string
	data *ast.MapNode // nil: none
}

// arity is how many arguments every function of the language takes, least and most.
var arity = map[string][2]int{
	"count": {2, 2}, "distinct": {3, 3}, "days": {2, 2}, "happened": {2, 2}, "values": {3, 3},
	"on": {1, 1}, "first": {2, 2}, "absent": {3, 3}, "dwell": {3, 3}, "after": {1, 1}, "until": {1, 1},
	"event": {1, 1}, "field": {1, 1}, "lower": {1, 1}, "upper": {1, 1}, "trim": {1, 1}, "len": {1, 1}, "has": {1, 1},
	"popup": {1, 2}, "alert": {1, 2},
}

// windowArg is the place of the length of time among an operator's arguments.
var windowArg = map[string]int{
	"count": 1, "distinct": 2, "days": 1, "happened": 1, "values": 2, "first": 1, "absent": 1, "dwell": 1,
}

func parseRule(r Rule) (*rule, error) {
	functions := conf.FunctionsTable{}
	for name := range builtin.Index {
		functions[name] = nil
	}
	for name := range arity {
		functions[name] = nil
	}
	tree, err := parser.ParseWithConfig(r.Text, &conf.Config{MaxNodes: 10000, DisableIfOperator: true, Functions: functions})
	if err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	out := &rule{id: r.ID, lets: map[string]ast.Node{}}
	if err := out.fill(tree.Node, r.Text); err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return out, nil
}

func (r *rule) fill(n ast.Node, text string) error {
	for {
		let, ok := n.(*ast.VariableDeclaratorNode)
		if !ok {
			break
		}
		r.lets[let.Name] = let.Value
		if err := checkCalls(let.Value); err != nil {
			return err
		}
		n = let.Expr
	}
	m, ok := n.(*ast.MapNode)
	if !ok {
		return fmt.Errorf("the file ends in %T, want a map of entries", n)
	}
	for _, p := range m.Pairs {
		pair := p.(*ast.PairNode)
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return fmt.Errorf("an entry's name is not a word")
		}
		if err := r.entry(key.Value, pair.Value, text); err != nil {
			return fmt.Errorf("entry %s: %w", key.Value, err)
		}
	}
	if r.perNode == nil || r.when == nil || r.then == nil {
		return fmt.Errorf("per, when and then are required")
	}
	return nil
}

func (r *rule) entry(name string, n ast.Node, text string) (err error) {
	if err := checkCalls(n); err != nil {
		return err
	}
	switch name {
	case "per":
		r.perNode = n
		r.kind, r.per, err = perKind(n, text)
	case "when":
		r.when = n
		r.collect(n)
	case "unless":
		r.unless = n
	case "then":
		r.then, err = actions(n)
	case "cooldown":
		r.cooldown = duration(n)
		if r.cooldown <= 0 {
			err = fmt.Errorf("want a length of time, as in \"1d\"")
		}
	case "priority":
		r.priority = (&state{}).value(n).Num
	case "mode":
		mode, ok := n.(*ast.StringNode)
		if !ok || mode.Value != "live" && mode.Value != "shadow" && mode.Value != "paused" {
			return fmt.Errorf("want \"live\", \"shadow\" or \"paused\"")
		}
		r.shadow, r.paused = mode.Value == "shadow", mode.Value == "paused"
	case "title", "owner", "tags":
	default:
		err = fmt.Errorf("not an entry that the oracle knows")
	}
	return err
}

// perKind is the kind of key of a per expression and its scope: the text between "per:" and the comma, as written.
func perKind(n ast.Node, text string) (nudge.Kind, string, error) {
	if id, ok := n.(*ast.IdentifierNode); ok {
		switch id.Value {
		case "visitor":
			return nudge.KindVisitor, "visitor", nil
		case "user":
			return nudge.KindUser, "user", nil
		case "company":
			return nudge.KindCompany, "company", nil
		}
	}
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		return 0, "", err
	}
	depth, from, to := 0, -1, -1
	for i, t := range tokens {
		switch {
		case t.Is(lexer.Bracket, "{", "(", "["):
			depth++
		case t.Is(lexer.Bracket, "}", ")", "]"):
			depth--
		}
		if from >= 0 && (depth == 0 || depth == 1 && t.Is(lexer.Operator, ",")) {
			to = tokens[i-1].To
			break
		}
		if from < 0 && depth == 1 && t.Value == "per" && tokens[i+1].Is(lexer.Operator, ":") {
			from = tokens[i+2].From
		}
	}
	if from < 0 || to < 0 {
		return 0, "", fmt.Errorf("its text is not found")
	}
	return nudge.KindOther, string([]rune(text)[from:to]), nil
}

// collect lists the operators of when that timers concern. A tree is walked in the order of the text.
func (r *rule) collect(n ast.Node) {
	walk(n, func(n ast.Node) {
		call, ok := n.(*ast.CallNode)
		if !ok {
			return
		}
		switch callee(call) {
		case "absent", "dwell":
			r.waits = append(r.waits, call)
		case "count", "distinct", "days", "happened":
			r.windows = append(r.windows, call)
		}
	})
}

func actions(n ast.Node) ([]action, error) {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.ArrayNode); ok {
		nodes = list.Nodes
	}
	var out []action
	for _, n := range nodes {
		call, ok := n.(*ast.CallNode)
		if !ok {
			return nil, fmt.Errorf("want popup(…) or alert(…)")
		}
		name, ok := call.Arguments[0].(*ast.StringNode)
		if !ok {
			return nil, fmt.Errorf("%s: the first argument is a text", callee(call))
		}
		a := action{kind: nudge.ActionAlert, name: name.Value}
		if callee(call) == "popup" {
			a.kind = nudge.ActionPopup
		}
		if len(call.Arguments) == 2 {
			if a.data, ok = call.Arguments[1].(*ast.MapNode); !ok {
				return nil, fmt.Errorf("%s: the second argument is a map", callee(call))
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// checkCalls refuses what would make no sense later: unknown functions, wrong numbers of arguments, windows and patterns that do not read.
func checkCalls(n ast.Node) (err error) {
	walk(n, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallNode:
			name := callee(n)
			limits, known := arity[name]
			if !known || len(n.Arguments) < limits[0] || len(n.Arguments) > limits[1] {
				err = fmt.Errorf("%s with %d arguments is not a function", name, len(n.Arguments))
			} else if _, text := n.Arguments[0].(*ast.StringNode); !text && (name == "event" || name == "field") {
				err = fmt.Errorf("%s wants a text", name)
			} else if i, ok := windowArg[name]; ok && duration(n.Arguments[i]) <= 0 {
				err = fmt.Errorf("%s: argument %d is not a length of time", name, i+1)
			}
		case *ast.BinaryNode:
			if n.Operator == "matches" {
				pattern, ok := n.Right.(*ast.StringNode)
				if !ok {
					err = fmt.Errorf("matches wants a constant pattern")
				} else if _, e := regexp.Compile(pattern.Value); e != nil {
					err = e
				}
			}
		}
	})
	return err
}

// walk calls f for n and all nodes under it, in the order of the text.
func walk(n ast.Node, f func(ast.Node)) {
	f(n)
	switch n := n.(type) {
	case *ast.UnaryNode:
		walk(n.Node, f)
	case *ast.BinaryNode:
		walk(n.Left, f)
		walk(n.Right, f)
	case *ast.MemberNode:
		walk(n.Node, f)
	case *ast.CallNode:
		for _, a := range n.Arguments {
			walk(a, f)
		}
	case *ast.ArrayNode:
		for _, a := range n.Nodes {
			walk(a, f)
		}
	case *ast.MapNode:
		for _, p := range n.Pairs {
			walk(p.(*ast.PairNode).Value, f)
		}
	}
}

func callee(call *ast.CallNode) string {
	if id, ok := call.Callee.(*ast.IdentifierNode); ok {
		return id.Value
	}
	return "a method"
}

// ever is the window that everything is in.
const ever nudge.Millis = 1 << 61

var unitPattern = regexp.MustCompile(`^([0-9]+)(ms|s|m|h|d|w)`)

var units = map[string]nudge.Millis{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

// duration reads a constant length of time; 0 where it is none.
func duration(n ast.Node) nudge.Millis {
	if s, ok := n.(*ast.StringNode); ok {
		return parseDuration(s.Value)
	}
	return 0
}

// parseDuration reads "1h30m" or "ever"; 0 where it is neither.
func parseDuration(text string) (sum nudge.Millis) {
	if text == "ever" {
		return ever
	}
	for rest := text; rest != ""; {
		m := unitPattern.FindStringSubmatch(rest)
		if m == nil {
			return 0
		}
		count, err := strconv.ParseInt(m[1], 10, 40)
		if err != nil {
			return 0
		}
		sum += nudge.Millis(count) * units[m[2]]
		rest = rest[len(m[0]):]
	}
	return sum
}
