package rules

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/parser/lexer"
)

// maxPieces bounds the pieces that a file is cut into: each is parsed by itself.
const maxPieces = 64

// piece is one let or one entry of a file, as text.
type piece struct {
	name     string
	at       pos // of the name
	from, to pos // of the value
	let      bool
}

// salvage reads a file that does not parse as a whole piece by piece, so that each of its mistakes is reported and not only the first.
// bad is where something has been reported already. It returns nil if the file cannot be cut at all.
func (r *reporter) salvage(toks []lexer.Token, bad []pos) *ruleShape {
	pieces, ok := cut(toks)
	if !ok {
		return nil
	}
	s := &ruleShape{entries: map[string]pair{}}
	for _, p := range pieces {
		if slices.ContainsFunc(bad, func(at pos) bool { return p.from <= at && at < p.to }) {
			r.keepName(s, p)
			continue
		}
		tree, err := parseText(r.only(p.from, p.to) + " ")
		if err != nil {
			r.parseError(err, within(toks, p))
			r.keepName(s, p)
			continue
		}
		if p.let {
			s.lets = append(s.lets, letDef{p.name, p.at, tree})
		} else if e := (pair{p.name, p.at, tree}); r.checkEntry(e) {
			s.entries[p.name] = e
		}
	}
	return s
}

// keepName notes a let that cannot be read, so that its uses are not reported as well.
func (r *reporter) keepName(s *ruleShape, p piece) {
	if p.let {
		s.lets = append(s.lets, letDef{p.name, p.at, nil})
	}
}

// within is the tokens of a piece and what ends it.
func within(toks []lexer.Token, p piece) []lexer.Token {
	first := tokenAt(toks, int(p.from))
	last := tokenAt(toks, int(p.to))
	return toks[first : last+1]
}

// cut finds the lets and entries of a file by its brackets and commas.
func cut(toks []lexer.Token) (pieces []piece, ok bool) {
	i := 0
	for i+2 < len(toks) && toks[i].Is(lexer.Operator, "let") && toks[i+1].Kind == lexer.Identifier && toks[i+2].Is(lexer.Operator, "=") {
		p := piece{name: toks[i+1].Value, at: pos(toks[i+1].From), let: true}
		end := endOfPiece(toks, i+3, ";")
		p.from, p.to = pos(toks[i+2].To), pos(toks[end].From)
		pieces = append(pieces, p)
		i = end + 1
	}
	if i >= len(toks) || !toks[i].Is(lexer.Bracket, "{") {
		return nil, false
	}
	for i++; i+1 < len(toks) && !toks[i].Is(lexer.Bracket, "}"); i++ {
		if toks[i].Kind == lexer.EOF || !toks[i+1].Is(lexer.Operator, ":") || len(pieces) == maxPieces {
			return nil, false
		}
		p := piece{name: toks[i].Value, at: pos(toks[i].From)}
		end := endOfPiece(toks, i+2, ",")
		p.from, p.to = pos(toks[i+1].To), pos(toks[end].From)
		pieces = append(pieces, p)
		if i = end; !toks[i].Is(lexer.Operator, ",") {
			break
		}
	}
	return pieces, true
}

// endOfPiece is the token that ends a value: the separator, a closing bracket or the end of the file.
func endOfPiece(toks []lexer.Token, i int, separator string) int {
	for depth := 0; ; i++ {
		t := toks[i]
		switch {
		case t.Kind == lexer.EOF, depth == 0 && t.Is(lexer.Operator, separator), depth == 0 && t.Is(lexer.Bracket, ")", "]", "}"):
			return i
		case t.Is(lexer.Bracket, "(", "[", "{"):
			depth++
		case t.Kind == lexer.Bracket:
			depth--
		}
	}
}

// only is the file's text up to a place with everything before another blank, so that places stay what they are.
func (r *reporter) only(from, to pos) string {
	var b strings.Builder
	n := pos(0)
	for _, c := range r.text {
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
