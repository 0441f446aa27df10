package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser/lexer"
)

// maxPieces bounds the entries that a file is cut into: each is parsed by itself.
const maxPieces = 64

// form is what the entries of a file are called, and which names only they have.
type form struct {
	what  string   // an entry, in messages
	names []string // of entries; nil: any name
	plain []string // of these, the names that hardly anything else has: wherever they stand with a colon an entry begins
}

var (
	ruleForm    = form{"entry", ruleEntries, []string{"per", "when", "then", "unless", "cooldown"}}
	catalogForm = form{what: "event"}
)

// piece is one let or one entry of a file.
type piece struct {
	name       string
	at         pos // of the name
	from, to   pos // of the value
	let        bool
	junk       bool // something that is no entry stands in the place of one
	goesOn     bool // the next one begins without a separator
	first, end int  // tokens: of the value, and what ends it
	tree       ast.Node
}

// cutter finds the lets and entries of a file. Brackets and commas say where one ends, and where brackets do not match, a line that plainly begins
// the next one does: so a slip in one entry leaves the others whole.
type cutter struct {
	*lexed
	form
	runes  []rune
	pieces []piece
	lead   int  // tokens before all this that are no part of it
	first  int  // the first token behind the lets
	frame  int  // the brace that opens the map, -1 if it is missing
	close  int  // what ends the map: its brace, or the end of the file
	closed bool // it is the brace
	column int  // of the first entry
}

func cut(l *lexed, f form) (*cutter, bool) {
	c := &cutter{lexed: l, form: f, runes: []rune(l.text), frame: -1}
	c.lead = c.beginning()
	i := c.cutLets(c.lead)
	c.first = i
	switch {
	case c.toks[i].Is(lexer.Bracket, "{"):
		c.frame = i
		i++
	case !c.torn || !c.isKey(i):
		return nil, false
	}
	last := len(c.toks) - 1
	c.close = last
	if c.torn {
		if c.toks[last-1].Is(lexer.Bracket, "}") && last-1 > c.frame && !c.closesInside(last-1) {
			c.close, c.closed = last-1, true
		}
	} else {
		c.close, c.closed = c.match[c.frame], true
	}
	if i < c.close {
		c.column = c.columnOf(i)
	}
	for n := 0; i < c.close && n < maxPieces; n++ {
		i = c.cutEntry(i)
	}
	return c, true
}

// closesInside says whether a brace at the end of the last line closes one inside the map, so that the map's own is missing.
func (c *cutter) closesInside(i int) bool {
	opens := slices.Index(c.match, i)
	return opens > c.frame && !c.beginsLine(i)
}

// beginning is the first token of a let or of the map.
func (c *cutter) beginning() int {
	for i, t := range c.toks {
		if c.isLet(i) || t.Is(lexer.Bracket, "{") && c.isKey(i+1) {
			return i
		}
		if i == 0 && (c.isKey(0) || t.Is(lexer.Bracket, "{")) {
			break
		}
	}
	return 0
}

func (c *cutter) isLet(i int) bool {
	return i+2 < len(c.toks) && c.toks[i].Is(lexer.Operator, "let") && c.toks[i+1].Kind == lexer.Identifier && c.toks[i+2].Is(lexer.Operator, "=")
}

// cutLets takes the lets and returns the first token behind them.
func (c *cutter) cutLets(i int) int {
	for len(c.pieces) < MaxLets && c.isLet(i) {
		p := piece{name: c.toks[i+1].Value, at: pos(c.toks[i+1].From), let: true, first: i + 3, end: c.endOfLet(i + 3)}
		p.from, p.to = pos(c.toks[i+2].To), c.before(p.end)
		i = p.end
		if c.toks[i].Is(lexer.Operator, ";") {
			i++
		} else {
			p.goesOn = i < len(c.toks)-1
		}
		c.pieces = append(c.pieces, p)
	}
	return i
}

// endOfLet is the token that ends a let: its semicolon, or what plainly begins something else.
func (c *cutter) endOfLet(i int) int {
	for ; i < len(c.toks)-1; i++ {
		switch t := c.toks[i]; {
		case t.Is(lexer.Operator, ";"), t.Is(lexer.Operator, "let"):
			return i
		case t.Is(lexer.Bracket, "{") && (c.beginsLine(i) || c.isKey(i+1) && slices.Contains(c.names, c.toks[i+1].Value)):
			return i
		}
	}
	return i
}

// cutEntry takes the entry that begins at token i and returns where the next one does.
func (c *cutter) cutEntry(i int) int {
	p := piece{name: c.toks[i].Value, at: pos(c.toks[i].From), first: i + 2}
	if p.junk = !c.isKey(i); p.junk {
		p.first = i
	}
	p.end = c.endOfEntry(p.first)
	p.from, p.to = pos(c.toks[max(p.first-1, 0)].To), c.before(p.end)
	next := p.end
	if c.toks[p.end].Is(lexer.Operator, ",") {
		next++
	} else {
		p.goesOn = p.end < c.close
	}
	c.pieces = append(c.pieces, p)
	return next
}

// endOfEntry is the token that ends a value.
func (c *cutter) endOfEntry(i int) int {
	var open []string
	for ; i < c.close; i++ {
		t := c.toks[i]
		inner := ""
		if len(open) > 0 {
			inner = open[len(open)-1]
		}
		switch {
		case inner == "" && t.Is(lexer.Operator, ","), c.begins(i, inner):
			return i
		case t.Is(lexer.Bracket, "{") && c.match[i] > 0 && c.match[i] < c.close:
			i = c.match[i]
		case t.Is(lexer.Bracket, "(", "[", "{"):
			open = append(open, t.Value)
		case t.Kind == lexer.Bracket && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	return c.close
}

// before is where the text in front of a token ends; the end of the file stands at the last character.
func (c *cutter) before(i int) pos {
	if t := c.toks[i]; t.Kind != lexer.EOF {
		return pos(t.From)
	}
	return pos(len(c.runes))
}

// begins says whether the token plainly begins an entry, though what stands before it has not ended; inner is the innermost bracket that is open.
func (c *cutter) begins(i int, inner string) bool {
	if !c.isKey(i) {
		return false
	}
	before := c.toks[i-1]
	known := c.names == nil || slices.Contains(c.names, c.toks[i].Value)
	plain := slices.Contains(c.plain, c.toks[i].Value)
	newLine := c.beginsLine(i)
	outside := newLine && c.columnOf(i) <= c.column
	if inner == "{" {
		return newLine && known && (outside || plain)
	}
	return outside || plain && (newLine || before.Is(lexer.Operator, ",") || inner == "" && endsValue(before))
}

// isKey says whether token i is a name with a colon behind it.
func (c *cutter) isKey(i int) bool {
	if i+1 >= len(c.toks) || !c.toks[i+1].Is(lexer.Operator, ":") {
		return false
	}
	switch t := c.toks[i]; t.Kind {
	case lexer.Identifier, lexer.String:
		return true
	case lexer.Operator:
		return isWordRune(rune(t.Value[0])) // in, or, and the like: names that no entry has
	}
	return false
}

// beginsLine says whether nothing stands before token i on its line.
func (c *cutter) beginsLine(i int) bool {
	for at := c.toks[i].From - 1; at >= 0 && c.runes[at] != '\n'; at-- {
		if c.runes[at] != ' ' && c.runes[at] != '\t' {
			return false
		}
	}
	return true
}

func (c *cutter) columnOf(i int) int {
	at := c.toks[i].From
	for at > 0 && c.runes[at-1] != '\n' {
		at--
	}
	return c.toks[i].From - at
}

// isBad says whether something has been reported inside a piece that the parser would misread.
func (c *cutter) isBad(p *piece) bool { return c.badBetween(min(p.at, p.from), max(p.to, p.at+1)) }

func (c *cutter) badBetween(from, to pos) bool {
	return slices.ContainsFunc(c.bad, func(at pos) bool { return from <= at && at < to })
}
