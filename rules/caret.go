package rules

import (
	"strings"
	"unicode"
)

// maxSourceChars bounds the line shown with a remark: more does not fit a screen.
const maxSourceChars = 240

// extent is the column behind what stands at col: a text with its quotes, a number, a sign, or a name with its dots and, if it is called, up to the
// bracket that closes on the same line. Without the line it is one character.
func extent(source string, col int) int {
	line := []rune(source)
	from := col - 1
	if from < 0 || from >= len(line) {
		return col + 1
	}
	return max(endOfToken(line, from), from+1) + 1
}

// endOfToken is the index behind the token at i.
func endOfToken(line []rune, i int) int {
	switch c := line[i]; {
	case isQuote(c):
		return endOfText(line, i)
	case isWordRune(c):
		return endOfName(line, i)
	case strings.ContainsRune("=!<>&|?*:.", c):
		end := i
		for end < len(line) && strings.ContainsRune("=!<>&|?*:.", line[end]) {
			end++
		}
		return end
	}
	return i + 1
}

func isQuote(c rune) bool { return c == '"' || c == '\'' || c == '`' }

func isWordRune(c rune) bool {
	return c == '_' || c == '$' || unicode.IsLetter(c) || unicode.IsDigit(c)
}

// endOfText is the index behind a text's closing quote, or the end of the line.
func endOfText(line []rune, i int) int {
	quote := line[i]
	for i++; i < len(line); i++ {
		switch {
		case line[i] == quote:
			return i + 1
		case line[i] == '\\' && quote != '`':
			i++
		}
	}
	return len(line)
}

// endOfName is the index behind a name, a number, or a call. Dots and hyphens join only what stands directly on both sides of them.
func endOfName(line []rune, i int) int {
	for i < len(line) && (isWordRune(line[i]) ||
		(line[i] == '.' || line[i] == '-') && i+1 < len(line) && isWordRune(line[i+1])) {
		i++
	}
	if i < len(line) && line[i] == '(' {
		if end, closed := endOfCall(line, i); closed {
			return end
		}
	}
	return i
}

// endOfCall is the index behind the bracket that closes the one at i, if it stands on this line.
func endOfCall(line []rune, i int) (end int, closed bool) {
	depth := 0
	for i < len(line) {
		switch c := line[i]; {
		case isQuote(c):
			i = endOfText(line, i)
			continue
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
		i++
	}
	return 0, false
}

// caretLine underlines the columns from col to endCol of a line. Tabs stay tabs and wide characters take two columns, so that the
// mark stands below what it means.
func caretLine(line string, col, endCol int) string {
	var b strings.Builder
	mark := "^"
	at := 0
	endCol = max(endCol, col+1) // a remark that names no end means one character
	for _, c := range line {
		if at++; at >= endCol {
			break
		}
		switch {
		case c == '\t':
			if at == col {
				b.WriteString(mark)
				mark = "~"
				continue
			}
			b.WriteByte('\t')
		case at < col && width(c) == 2:
			b.WriteRune('\u3000') // a space as wide as the character, in whatever font
		case at < col:
			b.WriteString(strings.Repeat(" ", width(c)))
		default:
			for range width(c) {
				b.WriteString(mark)
				mark = "~"
			}
		}
	}
	if mark == "^" {
		b.WriteString(mark) // behind the end of the line
	}
	return b.String()
}

// width is how many columns of a terminal a character takes.
func width(c rune) int {
	switch {
	case unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case c >= 0xFF61 && c <= 0xFFDC: // half-width forms
		return 1
	case c >= 0x2E80 || c >= 0x1100 && c <= 0x115F: // CJK and what lies above, Hangul's first letters
		return 2
	}
	return 1
}
