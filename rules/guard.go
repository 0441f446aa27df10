package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/file"
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

// tokens splits a file's text. bad is where something is reported that the parser would misread. A file that it returns false for must not
// reach the parser at all.
func (r *reporter) tokens() (toks []lexer.Token, bad []pos, ok bool) {
	lx := lexer.New()
	lx.DisableIfOperator = true
	lx.Reset(file.NewSource(r.text))
	for {
		t, err := lx.Next()
		if err != nil {
			r.lexError(err)
			return nil, nil, false
		}
		toks = append(toks, t)
		if t.Kind == lexer.EOF {
			bad, ok = r.guard(toks)
			return toks, bad, ok
		}
	}
}

func (r *reporter) lexError(err error) {
	var e *file.Error
	if !errors.As(err, &e) {
		r.errorf(noPos, "", "the text cannot be read: %v", err)
		return
	}
	at := pos(e.From)
	switch {
	case strings.Contains(e.Message, "not terminated"):
		r.errorf(at, "a text starts and ends with \" on one line; between backticks it may have several", "a text is not closed")
	case strings.Contains(e.Message, "char escape"), strings.Contains(e.Message, "unescape"):
		r.errorf(r.backslashBefore(at), "write the text between backticks, where \\ means itself: `\\d+`", "this \\ sequence means nothing in a quoted text")
	case strings.Contains(e.Message, "unclosed comment"):
		r.errorf(at, "end the comment with */", "a comment is not closed")
	case strings.Contains(e.Message, "number syntax"):
		fix := "a name starts with a letter; a duration is a text: \"30d\""
		if quoteBeforeNumber([]rune(r.text), e.From) {
			fix = "is a quote missing? The text before this ends at the quote in front of the number"
		}
		r.errorf(at, fix, "this is not a number")
	case strings.ContainsAny(e.Message, "“”„‘’"):
		r.errorf(at, "use the straight quotes \" and '", "curly quotes do not start a text")
	default:
		r.errorf(at, r.signMeant(at), "this character means nothing here: %s", strings.TrimPrefix(e.Message, "unrecognized character: "))
	}
}

// backslashBefore is the backslash that an error inside a text is about: the lexer stands behind it, in front of the sign or behind it.
func (r *reporter) backslashBefore(at pos) pos {
	text := []rune(r.text)
	for i := min(int(at), len(text)-1); i >= 0 && text[i] != '\n'; i-- {
		if text[i] == '\\' {
			return pos(i)
		}
	}
	return at
}

// quoteBeforeNumber says whether the number around i begins right behind a quote, as in "/a, "7d": a text that was closed too late.
func quoteBeforeNumber(text []rune, i int) bool {
	for i = min(i, len(text)) - 1; i >= 0 && '0' <= text[i] && text[i] <= '9'; i-- {
	}
	return i >= 0 && isQuote(text[i])
}

// signsMeant are signs of other scripts and of word processors, and what is written instead.
var signsMeant = map[rune]string{
	'≥': ">=", '≤': "<=", '≠': "!=", '–': "-", '—': "-", '−': "-", '×': "*", '÷': "/",
	'，': ",", '：': ":", '；': ";", '（': "(", '）': ")", '｛': "{", '｝': "}", '［': "[", '］': "]", '＝': "==", '＜': "<", '＞': ">", '＂': "\"", '、': ",",
}

// signMeant is the fix for a character that means nothing, "" where nobody can tell.
func (r *reporter) signMeant(at pos) string {
	text := []rune(r.text)
	if at < 0 || int(at) >= len(text) {
		return ""
	}
	c := text[at]
	switch {
	case signsMeant[c] != "":
		return "write " + signsMeant[c]
	case unicode.Is(unicode.Cf, c):
		return "it cannot be seen: delete what stands here and type it anew"
	}
	return ""
}

// guard refuses what parses into something else than it says, and what would nest too deeply for the parser.
func (r *reporter) guard(toks []lexer.Token) (bad []pos, ok bool) {
	if len(toks) == 1 {
		fix := ruleExample
		if strings.Contains(r.text, "\r") && !strings.Contains(r.text, "\n") {
			fix = "its lines end in CR alone, so that a comment has no end: save it with line ends of LF"
		}
		r.errorf(noPos, fix, "the file is empty")
		return nil, false
	}
	if !r.guardBrackets(toks) {
		return nil, false
	}
	signs, depth, foreign := 0, 0, 0
	for i, t := range toks {
		switch {
		case t.Is(lexer.Bracket, "(", "[", "{"):
			depth++
		case t.Kind == lexer.Bracket:
			depth--
		}
		at := pos(t.From)
		if foreign > 0 { // the second half of a sign that has been reported
			foreign--
			continue
		}
		if r.guardForeign(toks, i) {
			bad = append(bad, at)
			if t.Kind == lexer.Operator {
				foreign = 1
			}
			continue
		}
		if t.Kind != lexer.Operator {
			signs = 0
			continue
		}
		switch t.Value {
		case "not", "!", "-", "+":
			if signs++; signs > MaxNesting {
				r.errorf(at, "", "more than %d signs in a row", MaxNesting)
				return nil, false
			}
		default:
			signs = 0
		}
		if t.Value == "=" && i >= 2 && toks[i-2].Is(lexer.Operator, "let") {
			continue
		}
		if refused, is := refusedOperators[t.Value]; is {
			r.errorf(at, refused.fix, "%v", refused.problem)
			bad = append(bad, at)
		}
		if t.Value == ";" && depth > 0 {
			r.errorf(at, "a comma between arguments, `and` or `or` between tests", "`;` only ends a `let`")
			bad = append(bad, at)
		}
		if t.Value == "-" && r.guardHyphen(toks, i) {
			bad = append(bad, at)
		}
	}
	return bad, true
}

// guardHyphen refuses product-id, which parses as a subtraction. The first hyphen of a chain reports all of it.
func (r *reporter) guardHyphen(toks []lexer.Token, i int) bool {
	joined := func(i int) bool {
		return i > 0 && toks[i].Is(lexer.Operator, "-") && toks[i-1].Kind == lexer.Identifier && toks[i+1].Kind == lexer.Identifier &&
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

// guardBrackets sees that brackets match and are not too deep, and that lets stand where they may.
func (r *reporter) guardBrackets(toks []lexer.Token) bool {
	opens := map[string]string{")": "(", "]": "[", "}": "{"}
	var open []lexer.Token
	for i, t := range toks {
		at := pos(t.From)
		switch {
		case t.Is(lexer.Operator, "let") && i > 0 && !(len(open) == 0 && toks[i-1].Is(lexer.Operator, ";")):
			r.errorf(at, "let name = …; at the top of the file, each behind the `;` of the one before", "a `let` cannot stand here")
			return false
		case t.Kind != lexer.Bracket:
		case opens[t.Value] == "":
			if open = append(open, t); len(open) > MaxNesting {
				r.errorf(at, "", "more than %d brackets inside each other", MaxNesting)
				return false
			}
		case len(open) > 0 && open[len(open)-1].Value == opens[t.Value]:
			open = open[:len(open)-1]
		case !slices.ContainsFunc(open, func(o lexer.Token) bool { return o.Value == opens[t.Value] }):
			r.errorf(at, "", "there is no `%s` that this `%s` closes", opens[t.Value], t.Value)
			return false
		default:
			last := open[len(open)-1]
			line, _, _ := r.locate(at)
			r.errorf(pos(last.From), "", "this `%s` is not closed before the `%s` of line %d", last.Value, t.Value, line)
			return false
		}
	}
	if len(open) > 0 {
		last := open[len(open)-1]
		r.errorf(pos(last.From), "", "this `%s` is never closed", last.Value)
		return false
	}
	return true
}
