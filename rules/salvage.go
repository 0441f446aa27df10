package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/parser/lexer"
)

// salvaged is what can be read of a file that does not parse as a whole.
type salvaged struct {
	lets  []letDef
	pairs []pair // without a value: it cannot be read
}

// salvage reads a file that does not parse as a whole piece by piece. It returns nil if the file cannot be cut at all.
func (r *reporter) salvage(l *lexed, f form) *salvaged {
	c, ok := cut(l, f)
	if !ok {
		if l.torn && len(l.bad) == 0 {
			r.checkBrackets(l.toks, nil)
		}
		return nil
	}
	s := &salvaged{}
	intact := r.checkFrame(c)
	for i := range c.pieces {
		p := &c.pieces[i]
		readable := r.checkPiece(c, p)
		intact = intact && readable
		switch {
		case p.let && readable:
			s.lets = append(s.lets, letDef{p.name, p.at, p.tree})
		case p.let: // its name is kept, so that its uses are not reported as well
			s.lets = append(s.lets, letDef{p.name, p.at, nil})
		case readable || !p.junk && !c.badBetween(p.at, p.from):
			s.add(r, pair{p.name, p.at, p.tree}, f, l.torn)
		}
	}
	if l.torn && intact && len(l.bad) == 0 {
		r.checkBrackets(l.toks, nil) // what stands before the map, or behind it
	}
	s.keepLostLets(r.text)
	return s
}

// add notes an entry. Where parts of the file are missing nobody can say that it stands there twice.
func (s *salvaged) add(r *reporter, p pair, f form, torn bool) {
	if slices.ContainsFunc(s.pairs, func(q pair) bool { return q.key == p.key }) {
		if !torn {
			r.errorf(p.at, "", "the %s %s stands here twice", f.what, quote(p.key))
		}
		return
	}
	if f.names == nil || r.checkEntry(p) {
		s.pairs = append(s.pairs, p)
	}
}

// letName is a let's name, also where the word let is missing before it.
var letName = regexp.MustCompile(`(?m)\blet\s+(\w+)|^\s*(\w+)\s*=[^=]`)

// keepLostLets keeps the names of lets that were not found among what could be read: their uses are no second mistake.
func (s *salvaged) keepLostLets(text string) {
	for _, m := range letName.FindAllStringSubmatch(text, MaxLets) {
		name := m[1] + m[2]
		if !slices.ContainsFunc(s.lets, func(d letDef) bool { return d.name == name }) {
			s.lets = append(s.lets, letDef{name, noPos, nil})
		}
	}
}

// checkFrame reports braces around the file's map that are missing, and what stands before it or behind it.
func (r *reporter) checkFrame(c *cutter) (intact bool) {
	switch {
	case c.lead == 0 || c.badBetween(0, pos(c.toks[c.lead].From)) || len(r.guard(c.toks[:c.lead], 0)) > 0:
	case c.toks[0].Is(lexer.Operator, "let"):
		r.unexpected(c.toks, min(2, c.lead))
	default:
		r.errorf(pos(c.toks[0].From), "a file begins with its { or with a let; a comment starts with //", "%s is not expected here", tokenText(c.toks[0]))
	}
	if behind := c.close + 1; !c.torn && behind < len(c.toks)-1 && !c.badBetween(pos(c.toks[behind].From), pos(len(c.runes))) {
		fix := "nothing stands behind the } of the map"
		if c.toks[behind].Is(lexer.Bracket, "{") {
			fix = "one file holds one rule: put the second one into a file of its own"
			if r.file == catalogFile {
				fix = "a catalog is one map: all events stand in the same braces"
			}
		}
		r.errorf(pos(c.toks[behind].From), fix, "%s is not expected here", tokenText(c.toks[behind]))
	}
	switch {
	case c.frame < 0:
		colon := c.toks[c.first+1]
		r.errorf(pos(colon.From), r.braces(), "%s is not expected here", tokenText(colon))
		return false
	case !c.closed && len(c.pieces) > 0 && !c.isBad(&c.pieces[len(c.pieces)-1]):
		open := c.toks[c.frame]
		r.errorf(pos(open.From), "", "this `%s` is never closed", open.Value)
		return false
	}
	return true
}

// checkPiece parses a piece, or reports why it cannot.
func (r *reporter) checkPiece(c *cutter, p *piece) (readable bool) {
	if c.isBad(p) {
		return false
	}
	toks := c.toks[p.first:p.end]
	if c.torn {
		if !r.checkBrackets(toks, &c.toks[p.end]) {
			return false
		}
		if bad := r.guard(toks, choose(p.let, 0, 1)); len(bad) > 0 {
			return false
		}
	}
	if p.junk {
		r.junk(c, p)
		return false
	}
	tree, err := parseText(only(c.text, p.from, p.to) + " ")
	if err != nil {
		r.parseError(err, c.toks[p.first:p.end+1])
		return false
	}
	p.tree = tree
	switch {
	case !p.goesOn:
	case c.toks[p.end].Is(lexer.Operator, "let"):
		r.misplacedLet(pos(c.toks[p.end].From))
	default:
		r.unexpected(c.toks, p.end)
	}
	return true
}

// junk reports what stands where an entry should.
func (r *reporter) junk(c *cutter, p *piece) {
	t, next := c.toks[p.first], c.toks[p.first+1]
	switch {
	case slices.Contains(ruleEntries, t.Value) && t.Kind == lexer.Identifier && next.Kind != lexer.EOF:
		r.errorf(pos(next.From), t.Value+": … – a colon stands behind the name of an entry", "%s is not expected here", tokenText(next))
	case t.Is(lexer.Operator, ","):
		r.errorf(pos(t.From), "one comma is enough", "%s is not expected here", tokenText(t))
	case isAction(t.Value) && next.Is(lexer.Bracket, "("):
		r.errorf(pos(t.From), severalActions, "%s is not expected here", tokenText(t))
	case operators[t.Value].usage != "" && next.Is(lexer.Bracket, "("):
		r.errorf(pos(t.From), "conditions are joined by `and` or `or`, not by a comma", "%s is not expected here", tokenText(t))
	case r.file == catalogFile && t.Kind == lexer.Identifier && next.Kind == lexer.Identifier:
		r.errorf(pos(t.From), "a name of several words stands in quotes: "+quote(t.Value+" "+next.Value), "%s is not expected here", tokenText(t))
	default:
		r.errorf(pos(t.From), "each entry is a name, a colon and a value", "%s is not expected here", tokenText(t))
	}
}

// checkBrackets reports the first bracket of some tokens that does not match. end is what stands behind them, nil if nothing does.
func (r *reporter) checkBrackets(toks []lexer.Token, end *lexer.Token) bool {
	var open []lexer.Token
	for _, t := range toks {
		switch {
		case t.Kind != lexer.Bracket:
		case closing[t.Value] == "":
			open = append(open, t)
		case len(open) > 0 && open[len(open)-1].Value == closing[t.Value]:
			open = open[:len(open)-1]
		case !slices.ContainsFunc(open, func(o lexer.Token) bool { return o.Value == closing[t.Value] }):
			fix := "take it away, or open it before"
			if len(open) > 0 {
				fix = fmt.Sprintf("what is open here is the `%s`", open[len(open)-1].Value)
			}
			r.errorf(pos(t.From), fix, "there is no `%s` that this `%s` closes", closing[t.Value], t.Value)
			return false
		default:
			r.openBefore(open[len(open)-1], t)
			return false
		}
	}
	switch {
	case len(open) == 0:
		return true
	case end != nil && end.Kind != lexer.EOF:
		r.openBefore(open[len(open)-1], *end)
	default:
		last := open[len(open)-1]
		r.errorf(pos(last.From), "", "this `%s` is never closed", last.Value)
	}
	return false
}

func (r *reporter) openBefore(open, t lexer.Token) {
	line, _, _ := r.locate(pos(t.From))
	r.errorf(pos(open.From), "", "this `%s` is not closed before the `%s` of line %d", open.Value, t.Value, line)
}

// only is a text up to a place with everything before another blank, so that places stay what they are.
func only(text string, from, to pos) string {
	var b strings.Builder
	n := pos(0)
	for _, c := range text {
		switch {
		case n >= to:
			return b.String()
		case n >= from || c == '\n':
			b.WriteRune(c)
		default:
			b.WriteByte(' ')
		}
		n++
	}
	return b.String()
}
