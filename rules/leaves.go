package rules

import (
	"cmp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser/lexer"
)

// Leaf is one part of a condition that `and`, `or` and `not` join: a comparison, a pulse, or happened.
type Leaf struct {
	Text  string // as written
	Line  int    // of the rule's file, from 1
	Col   int    // from 1, in characters
	Uses  []int  // places in the condition's Uses
	Pulse bool   // true at one instant only
	Eval  func([]Reading) bool
}

// Parts is a condition taken apart, for those who explain it: tests of rules, and whoever asks why one did not fire. The engine
// does not need it, so Compile makes it only with Options.Parts.
type Parts struct {
	Leaves []Leaf                   // in the order written
	Join   func(truths []bool) bool // the condition's truth, by that of its leaves
}

// parts takes a compiled condition apart. node is its syntax tree: it knows how the leaves are written.
func (p *planner) parts(r *rule, c *cond, node ast.Node, compiled Cond, wake bool, scope int) *Parts {
	t := &taker{set: &useSet{planner: p, scope: scope, uses: compiled.Uses}, wake: wake}
	join := t.take(c, true)
	r.placeLeaves(t.leaves, leafNodes(node, nil))
	return &Parts{Leaves: t.leaves, Join: join}
}

// taker collects the leaves of one condition.
type taker struct {
	set    *useSet // holds the condition's uses already, so that compiling a leaf again adds none
	wake   bool
	leaves []Leaf
}

func (t *taker) take(c *cond, positive bool) func([]bool) bool {
	switch c.kind {
	case condNot:
		f := t.take(c.args[0], !positive)
		return func(truths []bool) bool { return !f(truths) }
	case condAnd, condOr:
		parts := make([]func([]bool) bool, len(c.args))
		for i, a := range c.args {
			parts[i] = t.take(a, positive)
		}
		stop := c.kind == condOr
		return func(truths []bool) bool {
			for _, f := range parts {
				if f(truths) == stop {
					return stop
				}
			}
			return !stop
		}
	}
	i := len(t.leaves)
	t.leaves = append(t.leaves, Leaf{Uses: t.usesOf(c, positive), Pulse: c.pulses(), Eval: t.set.condFunc(c, t.wake, positive)})
	return func(truths []bool) bool { return truths[i] }
}

// usesOf is which of the condition's uses a leaf reads.
func (t *taker) usesOf(c *cond, positive bool) []int {
	own := &useSet{planner: t.set.planner, scope: t.set.scope}
	own.condFunc(c, t.wake, positive)
	places := make([]int, len(own.uses))
	for i, u := range own.uses {
		places[i] = slices.Index(t.set.uses, u)
	}
	return places
}

// leafNodes are the syntax trees of a condition's leaves, in the order written.
func leafNodes(n ast.Node, leaves []ast.Node) []ast.Node {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "not" || n.Operator == "!" {
			return leafNodes(n.Node, leaves)
		}
	case *ast.BinaryNode:
		if joinKind(n.Operator) != termConst {
			return leafNodes(n.Right, leafNodes(n.Left, leaves))
		}
	}
	return append(leaves, n)
}

// placeLeaves notes where the leaves stand and how they are written.
func (r *reporter) placeLeaves(leaves []Leaf, nodes []ast.Node) {
	toks, err := split(r.text)
	if err != nil || len(nodes) != len(leaves) {
		return
	}
	text := []rune(r.text)
	for i, n := range nodes {
		from, to := nodeExtent(toks, n)
		leaves[i].Text = strings.Join(strings.Fields(string(text[from:to])), " ")
		leaves[i].Line, leaves[i].Col, _ = r.locate(pos(from))
	}
}

// Asked is an operator as a rule asks it.
type Asked struct {
	Op   int
	Text string // the call as written
}

// asked lists the operator calls of a rule in the order written. Calls that differ in no more than a window may ask one operator.
func (p *planner) asked(r *rule, scope int) []Asked {
	toks, err := split(r.text)
	if err != nil {
		return nil
	}
	match, _ := matching(toks)
	var asks []*ask
	r.eachAsk(func(a *ask) { asks = append(asks, a) })
	slices.SortStableFunc(asks, func(a, b *ask) int { return cmp.Compare(a.at, b.at) })
	out := make([]Asked, 0, len(asks))
	for _, a := range asks {
		name := tokenAt(toks, int(a.at))
		out = append(out, Asked{p.op(scope, a), asWritten([]rune(r.text), toks[name:match[min(name+1, len(toks)-1)]+1])})
	}
	return out
}

// asWritten is tokens as they stand in a text, on one line and without comments.
func asWritten(text []rune, toks []lexer.Token) string {
	var b strings.Builder
	for i, t := range toks {
		if i > 0 && t.From > toks[i-1].To && !toks[i-1].Is(lexer.Bracket, "(", "[", "{") && !t.Is(lexer.Bracket, ")", "]", "}") {
			b.WriteByte(' ')
		}
		b.WriteString(string(text[t.From:t.To]))
	}
	return b.String()
}

// nodeExtent is where the text of a node begins and ends: from the first of its tokens to the last, with the brackets that belong to them.
func nodeExtent(toks []lexer.Token, n ast.Node) (from, to int) {
	w := &tokenSpan{first: n.Location().From, last: n.Location().From}
	ast.Walk(&n, w)
	first, last := tokenAt(toks, w.first), tokenAt(toks, w.last)
	depth := 0
	for i := first; i <= last || depth > 0 && i < len(toks); i++ {
		last = max(last, i)
		if toks[i].Kind == lexer.Bracket && strings.Contains("([{", toks[i].Value) {
			depth++
		} else if toks[i].Kind == lexer.Bracket {
			depth--
		}
		for ; depth < 0 && first > 0; depth++ {
			first-- // the bracket that opens it stands before the first of its tokens
		}
	}
	return toks[first].From, toks[last].To
}

// tokenSpan is from where to where the tokens of a tree begin.
type tokenSpan struct{ first, last int }

// Visit widens the span by one node.
func (s *tokenSpan) Visit(n *ast.Node) {
	at := (*n).Location().From
	s.first, s.last = min(s.first, at), max(s.last, at)
}

// UseText is how a use reads: its operator's canonical text and, where it looks at a window, how long that is.
func (p *Plan) UseText(u Use) string {
	text := p.Ops[u.Op].Text
	if u.Window > 0 {
		text += " over " + durationText(u.Window)
	}
	return text
}
