package oracle

import (
	"fmt"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"

	"nudge"
)

// Rule is one rule file: its id and its text. One that is deployed late, or removed early, rises only between two places: it is read as if it
// had been there from the first line on, and keeps silent outside them.
type Rule struct {
	ID, Text string
	From     Place // rises behind it; zero: from the beginning
	Until    Place // and up to it; zero: to the end
}

// Place is a line and its instant: before it are the lines up to this one, and the timers due at or before the instant.
type Place struct {
	Line nudge.Offset
	At   nudge.Millis
}

// before says whether a place comes before a line, or where that is 0 before the timers of an instant.
func (p Place) before(line nudge.Offset, t nudge.Millis) bool {
	if line > 0 {
		return p.Line < line
	}
	return p.At < t
}

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
	limit    *limit       // nil: none
	priority float64
	shadow   bool
	paused   bool
	from     Place
	until    Place

	lets     map[string]ast.Node
	waits    []*ast.CallNode            // absent and dwell of when, in the order of the text
	windows  []*ast.CallNode            // of when: the operators whose value changes when an event leaves their window
	marks    []mark                     // of when: since and score, compared with a constant
	points   map[*ast.CallNode][]points // what each score counts
	steps    map[*ast.CallNode]steps    // of each sequence
	location *time.Location             // of calendar days
	kept     kept                       // of its scope; nil: everything
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
	out := &rule{
		id: r.ID, from: r.From, until: r.Until, lets: map[string]ast.Node{}, points: map[*ast.CallNode][]points{}, steps: map[*ast.CallNode]steps{},
	}
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
	if err := r.prepare(n); err != nil {
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
	case "limit":
		r.limit, err = limitOf(n)
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

// isLive says whether the rule can rise at a line, or where that is 0 by the timers of an instant.
func (r *rule) isLive(line nudge.Offset, t nudge.Millis) bool {
	return (r.from == Place{} || r.from.before(line, t)) && (r.until == Place{} || !r.until.before(line, t))
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
			walk(p.(*ast.PairNode).Key, f)
			walk(p.(*ast.PairNode).Value, f)
		}
	}
}
