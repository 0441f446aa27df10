package rules

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode"
)

// Text renders them for a terminal: place, code and message, the line with a mark below what is meant, and what to write instead.
func (ds Diagnostics) Text() string {
	var b strings.Builder
	for _, d := range ds {
		d.appendText(&b)
	}
	return b.String()
}

func (d Diagnostic) appendText(b *strings.Builder) {
	b.WriteString(visible(d.place()))
	b.WriteString(": ")
	switch {
	case d.Severity == SeverityWarning && d.Code != "":
		b.WriteString("warning " + d.Code + ": ")
	case d.Severity == SeverityWarning:
		b.WriteString("warning: ")
	case d.Code != "":
		b.WriteString(d.Code + ": ")
	}
	b.WriteString(visible(d.Message))
	b.WriteByte('\n')
	if source := visible(d.Source); source != "" {
		fmt.Fprintf(b, "    %s\n    %s\n", source, caretLine(source, d.Col, d.EndCol))
	}
	if d.Suggestion != "" {
		fmt.Fprintf(b, "    fix: %s\n", visible(d.Suggestion))
	}
}

// visible shows the characters of a text that would move a terminal's cursor, colour what follows or turn it around, in one column each.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\t':
			return c
		case c < ' ':
			return '␀' + c
		case unicode.Is(unicode.Cc, c), unicode.Is(unicode.Bidi_Control, c):
			return '␦'
		}
		return c
	}, text)
}

func (d Diagnostic) place() string {
	if d.Line == 0 {
		return d.File
	}
	return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Col)
}

// JSON renders them as a JSON array, with a newline at the end.
func (ds Diagnostics) JSON() []byte {
	if ds == nil {
		ds = Diagnostics{}
	}
	return marshal(ds)
}

// marshal is a value as indented JSON, with a newline at the end.
func marshal(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("BUG: %T does not marshal: %v", v, err))
	}
	return append(b, '\n')
}

// GitHub renders them as workflow commands, which GitHub shows beside the lines of a change. dir is the rules folder as seen from the
// repository's root, "" for the root.
func (ds Diagnostics) GitHub(dir string) string {
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	var b strings.Builder
	for _, d := range ds {
		message := d.Message
		if d.Suggestion != "" {
			message += "\nfix: " + d.Suggestion
		}
		col := max(d.Col, 1)
		fmt.Fprintf(&b, "::%s file=%s,line=%d,col=%d,endColumn=%d,title=%s::%s\n",
			d.Severity, property.Replace(path.Join(dir, d.File)), max(d.Line, 1), col, max(d.EndCol, col+1), property.Replace(d.Code), text.Replace(message))
	}
	return b.String()
}
