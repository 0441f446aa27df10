package rules

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"
)

// lexed is a file's text as tokens. What the lexer cannot read is reported and written over, character for character, with something that it can,
// so that one slip hides nothing else of the file and places stay what they are.
type lexed struct {
	text  string
	toks  []lexer.Token // the last one is EOF
	match []int         // for each bracket that opens: the token that closes it, 0 where there is none
	bad   []pos         // where something has been reported that the parser would misread
	torn  bool          // something was written over, or brackets do not match: a file in pieces
}

// lex splits a file's text.
func (r *reporter) lex() *lexed {
	l := &lexed{text: r.text}
	var m *mender
	for {
		toks, err := split(l.text)
		if l.toks = toks; err == nil {
			break
		}
		if m == nil {
			m = &mender{reporter: r, text: []rune(r.text)}
		}
		l.bad = append(l.bad, m.mend(err, toks))
		l.text = string(m.text)
		if len(l.bad) > MaxRemarks { // no more is listed: what could be read is enough
			n := len(m.text)
			l.toks = append(toks, lexer.Token{Location: file.Location{From: max(n-1, 0), To: n}, Kind: lexer.EOF})
			break
		}
	}
	var balanced bool
	l.match, balanced = matching(l.toks)
	l.torn = !balanced || len(l.bad) > 0
	return l
}

// split is a text's tokens, as far as they can be read.
func split(text string) ([]lexer.Token, error) {
	lx := lexer.New()
	lx.DisableIfOperator = true
	lx.Reset(file.NewSource(text))
	var toks []lexer.Token
	for {
		t, err := lx.Next()
		if err != nil {
			return toks, err
		}
		if toks = append(toks, t); t.Kind == lexer.EOF {
			return toks, nil
		}
	}
}

// matching finds for each bracket the one that closes it. A bracket with one inside that is not closed, or closed by another kind, has none.
func matching(toks []lexer.Token) (match []int, balanced bool) {
	match = make([]int, len(toks))
	balanced = true
	var open []int
	for i, t := range toks {
		switch {
		case t.Kind != lexer.Bracket:
		case closing[t.Value] == "":
			open = append(open, i)
		case len(open) > 0 && toks[open[len(open)-1]].Value == closing[t.Value]:
			match[open[len(open)-1]] = i
			open = open[:len(open)-1]
		default:
			open, balanced = nil, false
		}
	}
	return match, balanced && len(open) == 0
}

// closing is what each bracket that closes has closed.
var closing = map[string]string{")": "(", "]": "[", "}": "{"}

// mender reports what the lexer cannot read, and writes over it.
type mender struct {
	*reporter
	text []rune
}

// mend returns the place whose entry cannot be read.
func (m *mender) mend(err error, toks []lexer.Token) pos {
	var e *file.Error
	if !errors.As(err, &e) {
		m.errorf(noPos, "", "the text cannot be read: %v", err)
		return m.blank(0, len(m.text))
	}
	start := 0
	if len(toks) > 0 {
		start = toks[len(toks)-1].To
	}
	start = m.skipSpace(start)
	switch {
	case strings.Contains(e.Message, "not terminated"):
		return m.openText(start, toks)
	case strings.Contains(e.Message, "char escape"), strings.Contains(e.Message, "unescape"):
		at := m.backslashBefore(pos(e.From))
		m.errorf(at, "write the text between backticks, where \\ means itself: `\\d+`", "this \\ sequence means nothing in a quoted text")
		m.writeOverEscapes(start)
		return at
	case strings.Contains(e.Message, "unclosed comment"):
		m.errorf(pos(start), "end the comment with */", "a comment is not closed")
		return m.blank(start, m.nextEntry(start))
	case strings.Contains(e.Message, "number syntax"):
		return m.badNumber(pos(e.From), start, toks)
	case strings.ContainsAny(e.Message, "“”„‘’"):
		m.errorf(pos(start), "use the straight quotes \" and '", "curly quotes do not start a text")
		return m.straighten(start)
	}
	m.errorf(pos(start), m.signMeant(pos(start)), "this character means nothing here: %s", strings.TrimPrefix(e.Message, "unrecognized character: "))
	meant := []rune(signsMeant[m.text[start]])
	m.text[start] = ' '
	if len(meant) == 1 && meant[0] != '"' {
		m.text[start] = meant[0]
	}
	return pos(start)
}

// skipSpace is the index behind the spaces and the comments at i.
func (m *mender) skipSpace(i int) int {
	for i < len(m.text)-1 {
		rest := m.text[i:]
		switch {
		case unicode.IsSpace(rest[0]):
			i++
		case rest[0] == '/' && rest[1] == '/':
			i = m.endOfLine(i)
		case rest[0] == '/' && rest[1] == '*':
			n := closeOfComment(rest)
			if n < 0 {
				return i
			}
			i += n
		default:
			return i
		}
	}
	return i
}

// closeOfComment is how long the comment is that text begins with, -1 if it has no end.
func closeOfComment(text []rune) int {
	for i := 2; i+1 < len(text); i++ {
		if text[i] == '*' && text[i+1] == '/' {
			return i + 2
		}
	}
	return -1
}

func (m *mender) endOfLine(i int) int {
	if n := slices.Index(m.text[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(m.text)
}

// blank writes spaces over a part of the text and returns its beginning. Line ends stay.
func (m *mender) blank(from, to int) pos {
	for i := from; i < to; i++ {
		if m.text[i] != '\n' && m.text[i] != '\r' {
			m.text[i] = ' '
		}
	}
	return pos(from)
}

// openText reports a text without an end. The lexer finds the last quote of the line alone; where a text before it ends at a quote that more
// of a text follows, as in "demo), then: popup("hello, it is that one's end that is missing.
func (m *mender) openText(start int, toks []lexer.Token) pos {
	if start < len(m.text) && (m.text[start] == 'b' || m.text[start] == 'B') {
		start++
	}
	raw := start < len(m.text) && m.text[start] == '`'
	for _, t := range toks {
		if t.Kind != lexer.String || (m.text[t.From] == '`') != raw {
			continue
		}
		if raw && m.nextEntry(t.From) < t.To || !raw && m.endOfLine(t.From) >= start && m.goesOn(t.To) {
			start = t.From
			break
		}
	}
	m.errorf(pos(start), "a text starts and ends with \" on one line; between backticks it may have several", "a text is not closed")
	return m.blank(start, m.endOfLine(start))
}

// goesOn says whether something stands at i that never follows a text.
func (m *mender) goesOn(i int) bool {
	return i < len(m.text) && !unicode.IsSpace(m.text[i]) && !strings.ContainsRune(",)]}:;=!<>+&|?.", m.text[i])
}

// entryLine is a line that plainly begins a rule's map, a let, an entry, or an event of the catalog.
var entryLine = regexp.MustCompile(`^\s*(\{|let\s+\w+\s*=|(` + strings.Join(ruleEntries, "|") + `)\s*:|("[^"]*"|\w+)\s*:\s*\{)`)

// nextEntry is the beginning of the first line behind i that plainly begins an entry, or the end of the text.
func (m *mender) nextEntry(i int) int {
	for {
		i = m.endOfLine(i)
		if i == len(m.text) {
			return i
		}
		i++
		if entryLine.MatchString(string(m.text[i:m.endOfLine(i)])) {
			return i
		}
	}
}

// writeOverEscapes takes all backslashes out of the text at start, so that they are reported once.
func (m *mender) writeOverEscapes(start int) {
	if m.text[start] == 'b' || m.text[start] == 'B' {
		start++
	}
	quote := m.text[start]
	for i := start + 1; i < len(m.text) && m.text[i] != quote && m.text[i] != '\n'; i++ {
		if m.text[i] == '\\' {
			m.text[i] = 'x'
			if i+1 < len(m.text) && m.text[i+1] != '\n' {
				m.text[i+1] = 'x'
			}
		}
	}
}

func (m *mender) badNumber(at pos, start int, toks []lexer.Token) pos {
	if last := len(toks) - 1; last >= 0 && toks[last].Kind == lexer.String && toks[last].To == start {
		m.errorf(at, "is a quote missing? The text before this ends at the quote in front of the number", "this is not a number")
		return m.blank(toks[last].From, m.endOfLine(toks[last].From))
	}
	m.errorf(at, "a name starts with a letter; a duration is a text: \"30d\"", "this is not a number")
	for i := start; i < len(m.text) && (isWordRune(m.text[i]) || m.text[i] == '.'); i++ {
		m.text[i] = '1'
	}
	return at
}

// straighten makes a text between curly quotes one between straight ones, if it ends on its line.
func (m *mender) straighten(start int) pos {
	end := m.endOfLine(start)
	for i := start + 1; i < end; i++ {
		if isCurly(m.text[i]) {
			m.text[start], m.text[i] = '"', '"'
			for j := start + 1; j < i; j++ {
				if m.text[j] == '"' || m.text[j] == '\\' {
					m.text[j] = 'x'
				}
			}
			return pos(start)
		}
	}
	return m.blank(start, end)
}

func isCurly(c rune) bool { return strings.ContainsRune("“”„‘’", c) }

// backslashBefore is the backslash that an error inside a text is about: the lexer stands behind it, in front of the sign or behind it.
func (m *mender) backslashBefore(at pos) pos {
	for i := min(int(at), len(m.text)-1); i >= 0 && m.text[i] != '\n'; i-- {
		if m.text[i] == '\\' {
			return pos(i)
		}
	}
	return at
}

// signsMeant are signs of other scripts and of word processors, and what is written instead.
var signsMeant = map[rune]string{
	'≥': ">=", '≤': "<=", '≠': "!=", '–': "-", '—': "-", '−': "-", '×': "*", '÷': "/",
	'，': ",", '：': ":", '；': ";", '（': "(", '）': ")", '｛': "{", '｝': "}", '［': "[", '］': "]", '＝': "==", '＜': "<", '＞': ">", '＂': "\"", '、': ",",
	'«': "\"", '»': "\"",
}

// signMeant is the fix for a character that means nothing, "" where nobody can tell.
func (m *mender) signMeant(at pos) string {
	switch c := m.text[at]; {
	case signsMeant[c] != "":
		return "write " + signsMeant[c]
	case c == '@' && at > 0 && isWordRune(m.text[at-1]):
		return "a mail address is a text, in quotes"
	case unicode.Is(unicode.Sc, c):
		return "leave it out: a number stands alone"
	case unicode.Is(unicode.Cf, c):
		return "it cannot be seen: delete what stands here and type it anew"
	}
	return ""
}
