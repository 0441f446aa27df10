package rules

import (
	"cmp"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser/lexer"

	"nudge"
)

// Comparisons that say the same of every event, or at every moment, are most likely slips: a constant, or a side that was not changed after copying.

// warnSame warns of a comparison in a test that does not depend on the event.
func (c *checker) warnSame(n *ast.BinaryNode, op string, l, r *term) {
	switch {
	case c.deployed:
	case l.kind == termConst && r.kind == termConst:
		c.warnConstants(n, constantTruth(op, l.val, r.val))
	case l.String() == r.String():
		c.warnItself(n, op)
	}
}

func (c *checker) warnConstants(n *ast.BinaryNode, truth bool) {
	fix := ""
	if _, text := n.Left.(*ast.StringNode); text {
		fix = "a name without quotes is a field: path == \"/pricing\""
	}
	c.warnf(nodePos(n), fix, "this compares two constants: it is always %v", truth)
}

func (c *checker) warnItself(n *ast.BinaryNode, op string) {
	holds := op != "!=" && op != "<" && op != ">"
	c.warnf(nodePos(n), "", "this compares `%s` with itself: it is always %v", shorten(n.Left.String()), holds)
}

// constantTruth is what a comparison of two constants of one type says.
func constantTruth(op string, a, b nudge.Value) bool {
	switch op {
	case "startsWith":
		return strings.HasPrefix(a.Text, b.Text)
	case "endsWith":
		return strings.HasSuffix(a.Text, b.Text)
	case "contains":
		return strings.Contains(a.Text, b.Text)
	}
	return orderHolds(op, cmp.Or(cmp.Compare(a.Num, b.Num), strings.Compare(a.Text, b.Text)))
}

// orderHolds says whether a comparison holds of two values, given how they are ordered.
func orderHolds(op string, order int) bool {
	switch op {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// warnSameNumbers warns of a comparison in a condition whose outcome is known before anything happens. op is as between l and r.
func (c *conditions) warnSameNumbers(n *ast.BinaryNode, op string, l, r *number) {
	switch {
	case c.deployed:
	case l.kind == numberConst && r.kind == numberConst:
		truth := orderHolds(op, cmp.Compare(l.val, r.val))
		c.later = append(c.later, func() { c.warnConstants(n, truth) })
	case n.Left.String() == n.Right.String():
		c.warnItself(n, op)
		l.each(func(a *ask) { a.moot = true })
		r.each(func(a *ask) { a.moot = true })
	case l.kind == numberAsk && r.kind == numberAsk && l.ask.countable() && r.ask.countable():
		c.warnNeverMore(op, l.ask, r.ask)
		c.warnNeverMore(swapped[op], r.ask, l.ask)
	}
}

// warnNeverMore warns of few op many where few is never the larger number.
func (c *conditions) warnNeverMore(op string, few, many *ask) {
	if few.atMost(many) && (op == "<=" || op == ">") {
		few.moot, many.moot = true, true
		c.warnf(min(few.at, many.at), "", "%s is never more than %s: this is always %v", few.shown(), many.shown(), op == "<=")
	}
}

// warnMixed warns where `and` and `or` stand side by side without brackets, in a file that has no mistakes.
func (r *reporter) warnMixed() {
	if r.deployed || !strings.Contains(r.text, "or") && !strings.Contains(r.text, "||") {
		return
	}
	toks, err := split(r.text)
	if err != nil {
		return // there are mistakes
	}
	m := &mixing{reporter: r, toks: toks, runes: []rune(r.text)}
	m.level()
}

// mixing goes through tokens bracket by bracket.
type mixing struct {
	*reporter
	toks  []lexer.Token
	runes []rune
	at    int
}

// level reads up to the bracket that closes this level, or the end. A stretch goes from one comma, colon, semicolon or let to the next.
func (m *mixing) level() {
	first := m.at
	var ands, ors []int
	flush := func() {
		if len(ands) > 0 && len(ors) > 0 {
			m.warn(first, m.at, ors)
		}
		first, ands, ors = m.at+1, nil, nil
	}
	for ; m.at < len(m.toks); m.at++ {
		switch t := m.toks[m.at]; {
		case t.Is(lexer.Bracket, "(", "[", "{"):
			m.at++
			m.level()
		case t.Kind == lexer.Bracket, t.Kind == lexer.EOF:
			flush()
			return
		case t.Is(lexer.Operator, ",", ":", ";", "="):
			flush()
		case t.Is(lexer.Operator, "and", "&&"):
			ands = append(ands, m.at)
		case t.Is(lexer.Operator, "or", "||"):
			ors = append(ors, m.at)
		}
	}
	flush()
}

// warn shows how the tokens from first to end are read: parts between `or`, those that hold an `and` in brackets.
func (m *mixing) warn(first, end int, ors []int) {
	var parts []string
	for _, or := range append(ors, end) {
		if first < or {
			text := strings.Join(strings.Fields(string(m.runes[m.toks[first].From:m.toks[or-1].To])), " ")
			if m.joins(first, or) {
				text = "(" + text + ")"
			}
			parts = append(parts, text)
		}
		first = or + 1
	}
	read := strings.Join(parts, " or ")
	const most = 200 // characters that are still read with ease
	if len([]rune(read)) > most {
		read = "put brackets around what is joined by `and`"
	}
	m.warnf(pos(m.toks[ors[0]].From), read, "`and` and `or` stand side by side: `and` binds before `or`")
}

// joins says whether an `and` stands among tokens, outside of their brackets.
func (m *mixing) joins(first, end int) bool {
	depth := 0
	for _, t := range m.toks[first:end] {
		switch {
		case t.Is(lexer.Bracket, "(", "[", "{"):
			depth++
		case t.Kind == lexer.Bracket:
			depth--
		case depth == 0 && t.Is(lexer.Operator, "and", "&&"):
			return true
		}
	}
	return false
}
