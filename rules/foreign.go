package rules

import "github.com/expr-lang/expr/parser/lexer"

// How other languages write what this one writes otherwise: between two values, before one, and as signs.
var (
	foreignBetween = map[string]string{
		"AND": "write `and`", "And": "write `and`", "OR": "write `or`", "Or": "write `or`", "IN": "write `in`", "In": "write `in`",
		"is": "write ==", "IS": "write ==", "eq": "write ==", "ne": "write !=", "xor": "write `(a and not b) or (b and not a)`",
		"like": "write `contains`, `startsWith`, or `matches` with a pattern", "LIKE": "write `contains`, `startsWith`, or `matches` with a pattern",
		"between": "write x >= 1 and x <= 5", "BETWEEN": "write x >= 1 and x <= 5",
		"starts_with": "write `startsWith`", "startswith": "write `startsWith`", "ends_with": "write `endsWith`", "endswith": "write `endsWith`",
		"includes": "write `contains`", "match": "write `matches`",
	}
	foreignBefore = map[string]string{"NOT": "write `not`", "Not": "write `not`"}
	foreignSigns  = map[string]string{"=>": "write >=", "=<": "write <=", "<>": "write !=", "===": "write ==", "!==": "write !="}
	foreignNames  = map[string]string{"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}

	// nothings are what other languages call what is missing.
	nothings = map[string]bool{"null": true, "NULL": true, "None": true, "undefined": true}
)

// guardForeign reports a word or sign of another language that begins at token i.
func (r *reporter) guardForeign(toks []lexer.Token, i int) (refused bool) {
	t, next := toks[i], toks[min(i+1, len(toks)-1)]
	fix, text := "", t.Value
	switch {
	case t.Kind == lexer.Identifier && i > 0 && endsValue(toks[i-1]) && startsValue(next):
		fix = foreignBetween[t.Value]
	case t.Kind == lexer.Identifier && startsValue(next):
		fix = foreignBefore[t.Value]
	case t.Kind == lexer.Operator && next.Kind == lexer.Operator && t.To == next.From:
		text += next.Value
		fix = foreignSigns[text]
	}
	if fix == "" {
		return false
	}
	r.errorf(pos(t.From), fix, "`%s` is written otherwise in this language", text)
	return true
}
