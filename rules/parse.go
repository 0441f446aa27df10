package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"
)

// plainCalls makes the parser read every name as an ordinary call, those of its own functions and predicates too.
var plainCalls = func() conf.FunctionsTable {
	t := conf.FunctionsTable{}
	for name := range builtin.Index {
		t[name] = nil
	}
	for name := range operators {
		t[name] = nil
	}
	return t
}()

// readShape turns a rule file's text into the shape of a rule, or reports why it cannot.
func (r *reporter) readShape() *ruleShape {
	tree, f := r.parse(ruleForm)
	switch {
	case tree != nil:
		return r.shape(tree)
	case f == nil:
		return nil
	}
	s := &ruleShape{lets: f.lets, entries: map[string]pair{}}
	for _, p := range f.pairs {
		if p.value != nil {
			s.entries[p.key] = p
		}
	}
	return s
}

// parse turns a whole file into expr-lang's syntax tree, or reports why it cannot, with what can be read of it piece by piece: so each of
// its mistakes is reported and not only the first.
func (r *reporter) parse(f form) (ast.Node, *salvaged) {
	l := r.lex()
	if r.isEmpty(l) {
		return nil, nil
	}
	if !l.torn {
		if l.bad = r.guard(l.toks, 0); len(l.bad) == 0 {
			tree, err := parseText(r.text)
			if err == nil {
				return tree, nil
			}
			before := len(r.diags)
			s := r.salvage(l, f)
			if len(r.diags) == before {
				r.parseError(err, l.toks)
			}
			return nil, s
		}
	}
	return nil, r.salvage(l, f)
}

// parseText calls the parser. It makes a new one for each text: one that is used again reads its second text wrongly.
func parseText(text string) (ast.Node, error) {
	tree, err := parser.ParseWithConfig(text, &conf.Config{MaxNodes: MaxNodes, DisableIfOperator: true, Functions: plainCalls})
	if err != nil {
		return nil, err
	}
	return tree.Node, nil
}

// parseError says in the author's words what the parser did not like.
func (r *reporter) parseError(err error, toks []lexer.Token) {
	var e *file.Error
	if !errors.As(err, &e) {
		r.errorf(noPos, "", "the text cannot be read: %v", err)
		return
	}
	at := pos(e.From)
	i := tokenAt(toks, e.From)
	before := toks[max(i-1, 0)]
	if strings.Contains(e.Message, "token EOF") {
		i = len(toks) - 1 // the end stands at the last character
	}
	switch {
	case strings.Contains(e.Message, "maximum allowed nodes"):
		r.errorf(at, "one file holds one rule: split it", "the rule has more than %d pieces", MaxNodes)
	case strings.Contains(e.Message, "cannot be mixed"):
		r.errorf(at, `(plan ?? "free") == "pro"`, "`??` needs parentheses around it and its two sides")
	case strings.Contains(e.Message, "a map key must be"):
		r.errorf(at, "put the key in quotes", "%s cannot be a key as it stands", tokenText(toks[i]))
	case strings.Contains(e.Message, "literal is too large"), strings.Contains(e.Message, "out of range"):
		if before.Kind == lexer.Number {
			at = pos(before.From)
		}
		r.errorf(at, "", "this number is too large")
	case e.Message == "expected name":
		r.nameExpected(toks, i)
	case strings.HasPrefix(e.Message, "invalid "):
		r.errorf(at, "a number is written with the digits 0 to 9", "this is not a number")
	default:
		r.unexpected(toks, i)
	}
}

// nameExpected reports a dot with no name behind it.
func (r *reporter) nameExpected(toks []lexer.Token, i int) {
	for i--; i > 0 && !toks[i].Is(lexer.Operator, "."); i-- {
	}
	i = max(i, 0)
	r.errorf(pos(toks[i].From), "", "something is missing between %s and %s", tokenText(toks[i]), tokenText(toks[min(i+1, len(toks)-1)]))
}

func (r *reporter) unexpected(toks []lexer.Token, i int) {
	t := toks[i]
	at := pos(t.From)
	if t.Kind == lexer.EOF {
		r.errorf(at, "a file ends with the } of its { per: …, when: …, then: … }", "the file ends too early")
		return
	}
	if i > 0 && toks[i-1].Kind == lexer.Operator && toks[i-1].Value != "," && !startsValue(t) {
		fix := ""
		switch {
		case t.Is(lexer.Operator, "/"):
			fix = `a path is a text, in quotes, as in path == "/pricing"`
		case t.Is(lexer.Operator, "startsWith", "endsWith", "contains", "matches"):
			fix = fmt.Sprintf("`%s` stands between two texts: path %s \"/pricing\"", t.Value, t.Value)
		}
		r.errorf(at, fix, "something is missing between %s and %s", tokenText(toks[i-1]), tokenText(t))
		return
	}
	if i > 1 && startsKey(toks, i-1) && (t.Is(lexer.Bracket, "(") || t.Kind == lexer.Operator && !t.Is(lexer.Operator, ",")) {
		r.errorf(pos(toks[i-1].From), "put it in parentheses in a score, or a text in quotes in data", "%s cannot be a key as it stands", tokenText(toks[i-1]))
		return
	}
	fix := ""
	switch {
	case i == 0:
	case t.Is(lexer.Bracket, "{") && openLet(toks, i):
		fix = "is a `;` missing behind the `let` above?"
	case t.Is(lexer.Bracket, "(") && isAction(toks[i-1].Value):
		fix = severalActions
	case t.Is(lexer.Operator, ",") && listBehindIn(toks, i):
		fix = "a list stands in square brackets: path in [\"/a\", \"/b\"]"
	case t.Is(lexer.Operator, ":") && toks[i-1].Kind == lexer.Identifier:
		fix = r.colonFix(toks, i)
	case t.Is(lexer.Identifier, "within"):
		fix = "the time stands last, behind a comma: sequence(page_view, form_view, \"30m\")"
	case toks[i-1].Kind == lexer.Identifier && toks[i-1].Value != "if" && t.Kind == lexer.Identifier && !toks[i+1].Is(lexer.Operator, ":"):
		fix = "is an `and` missing before it? An event of two words is event(" + quote(toks[i-1].Value+" "+t.Value) + ")"
	case endsValue(toks[i-1]) && startsValue(t):
		fix = "is a comma missing before it, or an `and`?"
	}
	r.errorf(at, fix, "%s is not expected here", tokenText(t))
}

// colonFix is the fix for a colon that is not expected: names have values in braces only.
func (r *reporter) colonFix(toks []lexer.Token, i int) string {
	name := tokenText(toks[i-1])
	switch around := bracketAround(toks, i); {
	case around < 0 && i > 1 && toks[i-2].Is(lexer.Operator, "let"):
		return "let " + toks[i-1].Value + " = …;"
	case around < 0 && i == 1 && toks[len(toks)-1].Kind == lexer.EOF: // the file's first word
		return r.braces()
	case around >= 0 && toks[around].Is(lexer.Bracket, "("):
		return "names with values stand in braces: {" + toks[i-1].Value + ": …}"
	}
	return "is a comma missing before " + name + "?"
}

// braces is the fix for a file without braces.
func (r *reporter) braces() string {
	if r.file == catalogFile {
		return "a catalog stands in braces: " + catalogExample
	}
	return "a rule stands in braces: { per: …, when: …, then: … }"
}

// bracketAround is the token that opens the innermost bracket around token i, -1 where there is none.
func bracketAround(toks []lexer.Token, i int) int {
	for depth := 0; i > 0; {
		i--
		switch t := toks[i]; {
		case t.Is(lexer.Bracket, ")", "]", "}"):
			depth++
		case t.Kind == lexer.Bracket && depth > 0:
			depth--
		case t.Kind == lexer.Bracket:
			return i
		}
	}
	return -1
}

// startsKey says whether token i is a name in the place of a map's key that is not the rule's own.
func startsKey(toks []lexer.Token, i int) bool {
	around := bracketAround(toks, i)
	return toks[i].Kind == lexer.Identifier && around > 0 && toks[around].Is(lexer.Bracket, "{") && bracketAround(toks, around) >= 0 &&
		(around == i-1 || toks[i-1].Is(lexer.Operator, ","))
}

// openLet says whether a let before token i lacks its semicolon.
func openLet(toks []lexer.Token, i int) bool {
	for i--; i >= 0 && !toks[i].Is(lexer.Operator, ";"); i-- {
		if toks[i].Is(lexer.Operator, "let") {
			return true
		}
	}
	return false
}

// listBehindIn says whether token i stands in round brackets behind `in`.
func listBehindIn(toks []lexer.Token, i int) bool {
	around := bracketAround(toks, i)
	return around > 0 && toks[around].Is(lexer.Bracket, "(") && toks[around-1].Is(lexer.Operator, "in")
}

func endsValue(t lexer.Token) bool {
	return t.Kind == lexer.Identifier || t.Kind == lexer.Number || t.Kind == lexer.String || t.Is(lexer.Bracket, ")", "]", "}")
}

func startsValue(t lexer.Token) bool {
	return t.Kind == lexer.Identifier || t.Kind == lexer.Number || t.Kind == lexer.String || t.Is(lexer.Bracket, "(", "[", "{")
}

func tokenAt(toks []lexer.Token, from int) int {
	for i, t := range toks {
		if t.From >= from {
			return i
		}
	}
	return len(toks) - 1
}

func tokenText(t lexer.Token) string {
	switch t.Kind {
	case lexer.EOF:
		return "the end of the file"
	case lexer.String:
		return "the text " + quote(t.Value)
	}
	return "`" + t.Value + "`"
}

// nodePos is where a node's text starts, as well as the tree knows: an operator's node stands at its left side.
func nodePos(n ast.Node) pos {
	for {
		switch v := n.(type) {
		case *ast.BinaryNode:
			if v.Left == nil {
				return pos(n.Location().From)
			}
			n = v.Left
		case *ast.MemberNode:
			n = v.Node
		case *ast.ChainNode:
			n = v.Node
		case nil:
			return noPos
		default:
			return pos(n.Location().From)
		}
	}
}
