package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/parser/lexer"
)

// Limits of one file's text.
const (
	MaxNesting = 64   // brackets inside brackets; also signs and nots in a row
	MaxNodes   = 8000 // pieces of the syntax tree
)

// refusedOperators are what the lexer knows and this language does not. They are refused here because the parser turns some of
// them into ordinary calls, which nothing behind it can tell from the real ones.
var refusedOperators = map[string]struct {
	problem error
	fix     string
}{
	"|":  {notOfTheLanguage("|"), "write `or` between tests, or call the function: lower(path)"},
	"::": {notOfTheLanguage("::"), "write the name alone"},
	"?.": {problemf("`?.` is not needed: a missing field is simply unknown"), "write `.`"},
	"?":  {problemf("`? :` is not part of the language"), "write two rules, or `and` and `or`; for a missing field use (field ?? \"default\")"},
	"..": {problemf("ranges are not part of the language"), "write x >= 1 and x <= 5"},
	"#":  {problemf("`%s` is not part of the language; a comment starts with //", "#"), ""},
	"##": {problemf("`%s` is not part of the language; a comment starts with //", "##"), ""},
	"**": {notOfTheLanguage("**"), "arithmetic is + - * /"},
	"^":  {notOfTheLanguage("^"), "arithmetic is + - * /"},
	"%":  {notOfTheLanguage("%"), "arithmetic is + - * /"},
	"&":  {notOfTheLanguage("&"), "write `and`"},
	"=":  {problemf("`=` does not compare"), "write ==; behind a name in braces write :"},
}

func notOfTheLanguage(sign string) error { return problemf("`%s` is not part of the language", sign) }

// isEmpty reports a file without anything to read.
func (r *reporter) isEmpty(l *lexed) bool {
	if len(l.toks) > 1 || len(l.bad) > 0 {
		return false
	}
	fix := ruleExample
	if r.file == catalogFile {
		fix = catalogExample
	}
	if strings.Contains(r.text, "\r") && !strings.Contains(r.text, "\n") {
		fix = "its lines end in CR alone, so that a comment has no end: save it with line ends of LF"
	}
	r.errorf(noPos, fix, "the file is empty")
	return true
}

// guard refuses what parses into something else than it says, and what would nest too deeply for the parser, in some of the tokens.
// It returns where something was reported. depth is how many brackets stand around them.
func (r *reporter) guard(toks []lexer.Token, depth int) (bad []pos) {
	signs, foreign := 0, 0
	for i, t := range toks {
		switch {
		case t.Is(lexer.Bracket, "(", "[", "{"):
			if depth++; depth == MaxNesting+1 {
				r.errorf(pos(t.From), "", "more than %d brackets inside each other", MaxNesting)
				bad = append(bad, pos(t.From))
			}
		case t.Kind == lexer.Bracket:
			depth--
		}
		at := pos(t.From)
		if foreign > 0 { // the rest of words or of a sign that have been reported
			foreign--
			continue
		}
		if n := r.guardForeign(toks, i); n > 0 {
			bad = append(bad, at, pos(toks[i+n-1].From))
			foreign = n - 1
			continue
		}
		if t.Kind != lexer.Operator {
			signs = 0
			continue
		}
		switch t.Value {
		case "not", "!", "-", "+":
			if signs++; signs == MaxNesting+1 {
				r.errorf(at, "", "more than %d signs in a row", MaxNesting)
				bad = append(bad, at)
			}
		default:
			signs = 0
		}
		if r.guardOperator(toks, i, depth) {
			bad = append(bad, at)
		}
	}
	return bad
}

// guardOperator refuses what the lexer takes for an operator and the language does not have at this place.
func (r *reporter) guardOperator(toks []lexer.Token, i, depth int) (refused bool) {
	t := toks[i]
	at := pos(t.From)
	if t.Value == "=" && i >= 2 && toks[i-2].Is(lexer.Operator, "let") {
		return false
	}
	if op, is := refusedOperators[t.Value]; is {
		fix := op.fix
		if t.Value == "=" && depth == 0 && i > 0 && toks[i-1].Kind == lexer.Identifier && (i == 1 || toks[i-2].Is(lexer.Operator, ";")) {
			fix = "let " + toks[i-1].Value + " = …;"
		}
		r.errorf(at, fix, "%v", op.problem)
		refused = true
	}
	if t.Value == ";" && depth > 0 && !endsMisplacedLet(toks, i) {
		r.errorf(at, "a comma between entries and arguments, `and` or `or` between tests", "`;` only ends a `let`")
		refused = true
	}
	if t.Value == "let" && (depth > 0 || i > 0 && !toks[i-1].Is(lexer.Operator, ";")) {
		r.misplacedLet(at)
		refused = true
	}
	return t.Value == "-" && r.guardHyphen(toks, i) || refused
}

// guardHyphen refuses product-id, which parses as a subtraction. The first hyphen of a chain reports all of it.
func (r *reporter) guardHyphen(toks []lexer.Token, i int) bool {
	joined := func(i int) bool {
		return i > 0 && i+1 < len(toks) && toks[i].Is(lexer.Operator, "-") && toks[i-1].Kind == lexer.Identifier && toks[i+1].Kind == lexer.Identifier &&
			toks[i-1].To == toks[i].From && toks[i].To == toks[i+1].From
	}
	if !joined(i) {
		return false
	}
	if i >= 2 && joined(i-2) {
		return true
	}
	name, at := toks[i-1].Value, pos(toks[i-1].From)
	for ; joined(i); i += 2 {
		name += "-" + toks[i+1].Value
	}
	r.errorf(at, fmt.Sprintf("field(%q) or event(%q) for that name, %q for a key of a map, or spaces around the - to subtract", name, name, name),
		"`%s` would be a subtraction", name)
	return true
}

func (r *reporter) misplacedLet(at pos) {
	r.errorf(at, "let name = …; at the top of the file, each behind the `;` of the one before", "a `let` cannot stand here")
}

// endsMisplacedLet says whether the semicolon at token i belongs to a let that has been reported.
func endsMisplacedLet(toks []lexer.Token, i int) bool {
	for i--; i > 0 && !toks[i].Is(lexer.Operator, ";"); i-- {
		if toks[i].Is(lexer.Operator, "let") {
			return !toks[i-1].Is(lexer.Operator, ";")
		}
	}
	return false
}
