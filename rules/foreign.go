package rules

import (
	"strings"

	"github.com/expr-lang/expr/parser/lexer"
)

// How other languages, and people, write what this one writes otherwise: between two values, before one, and as signs.
var (
	// foreignBetween are words in small letters, without a _ between them.
	foreignBetween = map[string]string{
		"and": "write `and`", "or": "write `or`", "in": "write `in`", "where": "write `and`", "with": "write `and`",
		"is": "write ==", "eq": "write ==", "equals": "write ==", "equal": "write ==", "ne": "write !=", "xor": "write `(a and not b) or (b and not a)`",
		"gt": "write >", "gte": "write >=", "lt": "write <", "lte": "write <=", "over": "write >", "under": "write <",
		"like": "write `contains`, `startsWith`, or `matches` with a pattern", "between": "write x >= 1 and x <= 5",
		"startswith": "write `startsWith`", "beginswith": "write `startsWith`", "endswith": "write `endsWith`",
		"includes": "write `contains`", "include": "write `contains`", "contains": "write `contains`", "contain": "write `contains`",
		"match": "write `matches`", "matches": "write `matches`",
	}
	// foreignPhrases are several words, the longer ones before those that they begin with. An "is" may stand before them.
	foreignPhrases = []struct{ words, fix string }{
		{"does not contain", "write `not contains`"},
		{"does not start with", "write `not startsWith`"},
		{"does not end with", "write `not endsWith`"},
		{"does not match", "write `not matches`"},
		{"does not equal", "write !="},
		{"starts with", "write `startsWith`"},
		{"begins with", "write `startsWith`"},
		{"ends with", "write `endsWith`"},
		{"not equal to", "write !="},
		{"equal to", "write =="},
		{"equals to", "write =="},
		{"not in", "write `not in`"},
		{"in", "write `in`"},
		{"not", "write !="},
		{"greater than", "write >"},
		{"more than", "write >"},
		{"less than", "write <"},
		{"fewer than", "write <"},
		{"at least", "write >="},
		{"at most", "write <="},
	}
	foreignBefore = map[string]string{"NOT": "write `not`", "Not": "write `not`"}
	foreignSigns  = map[string]string{"=>": "write >=", "=<": "write <=", "<>": "write !=", "===": "write ==", "!==": "write !="}
	foreignNames  = map[string]string{"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}

	// nothings are what other languages call what is missing.
	nothings = map[string]bool{"null": true, "NULL": true, "None": true, "undefined": true}
)

// guardForeign reports words or a sign of another language that begin at token i, and returns how many tokens they are.
func (r *reporter) guardForeign(toks []lexer.Token, i int) (refused int) {
	t, next := toks[i], toks[min(i+1, len(toks)-1)]
	fix, text, n := "", t.Value, 1
	switch {
	case t.Kind == lexer.Identifier && i > 0 && endsValue(toks[i-1]):
		if text, fix, n = phrase(toks[i:]); fix == "" && startsValue(next) {
			text, fix, n = t.Value, foreignBetween[strings.ToLower(strings.ReplaceAll(t.Value, "_", ""))], 1
		}
	case t.Kind == lexer.Identifier && startsValue(next):
		fix = foreignBefore[t.Value]
	case !r.deployed && isThousands(toks, i):
		text, fix, n = toks[i-1].Value+","+next.Value, "write "+toks[i-1].Value+next.Value, 2
		t = toks[i-1]
	case t.Kind == lexer.Operator && next.Kind == lexer.Operator && t.To == next.From:
		text += next.Value
		fix, n = foreignSigns[text], 2
	}
	if fix == "" {
		return 0
	}
	r.errorf(pos(t.From), fix, "`%s` is written otherwise in this language", text)
	return n
}

// phrase is the comparison of several words that tokens begin with, what to write instead, and how many tokens it is.
func phrase(toks []lexer.Token) (text, fix string, n int) {
	skip := 0
	if strings.EqualFold(toks[0].Value, "is") {
		skip = 1
	}
	for _, p := range foreignPhrases {
		words := strings.Fields(p.words)
		if skip+len(words) < 2 || !areWords(toks[skip:], words) {
			continue
		}
		n = skip + len(words)
		written := make([]string, n)
		for i := range written {
			written[i] = toks[i].Value
		}
		return strings.Join(written, " "), p.fix, n
	}
	return "", "", 0
}

// areWords says whether tokens begin with these words, in letters of any size.
func areWords(toks []lexer.Token, words []string) bool {
	if len(toks) < len(words) {
		return false
	}
	for i, w := range words {
		if t := toks[i]; t.Kind != lexer.Identifier && t.Kind != lexer.Operator || !strings.EqualFold(t.Value, w) {
			return false
		}
	}
	return true
}

// isThousands says whether the comma at token i stands inside a number, as in x >= 1,000.
func isThousands(toks []lexer.Token, i int) bool {
	if !toks[i].Is(lexer.Operator, ",") || i < 2 || i+1 >= len(toks) || !toks[i-2].Is(lexer.Operator, ">", ">=", "<", "<=", "==", "!=") {
		return false
	}
	before, behind := toks[i-1], toks[i+1]
	return before.Kind == lexer.Number && behind.Kind == lexer.Number && len(behind.Value) == 3 && before.To == toks[i].From && toks[i].To == behind.From
}

// priced is a number behind a currency, as in $100, which the lexer takes for a name; "" where name is none.
func priced(name string) string {
	number, found := strings.CutPrefix(name, "$")
	if found && number != "" && strings.Trim(number, "0123456789") == "" {
		return number
	}
	return ""
}
