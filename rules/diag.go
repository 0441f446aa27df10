package rules

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity of a diagnostic.
type Severity string

// The severities. Any error keeps a set of rules from being deployed, a warning does not.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Diagnostic is one remark about one place of one file.
type Diagnostic struct {
	File       string   `json:"file"`
	Line       int      `json:"line"` // from 1; 0: the file as a whole
	Col        int      `json:"col"`  // from 1, in characters
	Severity   Severity `json:"severity"`
	Message    string   `json:"message"`
	Suggestion string   `json:"suggestion,omitempty"` // what to write instead
	Source     string   `json:"source,omitempty"`     // the line of the file
}

// Diagnostics are all remarks about a set of files, in order of file, line and column.
type Diagnostics []Diagnostic

// HasErrors says whether any of them is an error.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == SeverityError })
}

// Err is the errors among them as one error, nil if there are none.
func (ds Diagnostics) Err() error {
	var bad Diagnostics
	for _, d := range ds {
		if d.Severity == SeverityError {
			bad = append(bad, d)
		}
	}
	if bad == nil {
		return nil
	}
	return errors.New(strings.TrimRight(bad.Text(), "\n"))
}

// Text renders them for a terminal: place and message, the line, a caret below the place, and what to write instead.
func (ds Diagnostics) Text() string {
	var b strings.Builder
	for _, d := range ds {
		d.appendText(&b)
	}
	return b.String()
}

func (d Diagnostic) appendText(b *strings.Builder) {
	b.WriteString(d.place())
	b.WriteString(": ")
	if d.Severity == SeverityWarning {
		b.WriteString("warning: ")
	}
	b.WriteString(d.Message)
	b.WriteByte('\n')
	if d.Source != "" {
		fmt.Fprintf(b, "    %s\n    %s^\n", d.Source, caretPadding(d.Source, d.Col))
	}
	if d.Suggestion != "" {
		fmt.Fprintf(b, "    fix: %s\n", d.Suggestion)
	}
}

func (d Diagnostic) place() string {
	if d.Line == 0 {
		return d.File
	}
	return fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Col)
}

// caretPadding fills the columns before col: tabs stay tabs and wide characters become wide spaces, so that the caret stands where it should.
func caretPadding(line string, col int) string {
	var b strings.Builder
	for _, r := range line {
		if col--; col < 1 {
			break
		}
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case r >= 0x2E80: // CJK and what lies above: two columns
			b.WriteRune('\u3000')
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// JSON renders them as a JSON array, with a newline at the end.
func (ds Diagnostics) JSON() []byte {
	if ds == nil {
		ds = Diagnostics{}
	}
	b, err := json.MarshalIndent(ds, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("BUG: diagnostics do not marshal: %v", err))
	}
	return append(b, '\n')
}

// GitHub renders them as workflow commands, which GitHub shows beside the lines of a change. dir is the rules folder as seen from the
// repository's root, "" for the root.
func (ds Diagnostics) GitHub(dir string) string {
	if dir = strings.TrimRight(dir, "/"); dir == "." {
		dir = ""
	} else if dir != "" {
		dir += "/"
	}
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	var b strings.Builder
	for _, d := range ds {
		message := d.Message
		if d.Suggestion != "" {
			message += "\nfix: " + d.Suggestion
		}
		fmt.Fprintf(&b, "::%s file=%s,line=%d,col=%d::%s\n",
			d.Severity, property.Replace(dir+d.File), max(d.Line, 1), max(d.Col, 1), text.Replace(message))
	}
	return b.String()
}

// pos is a place in a file: an index of characters, as expr-lang counts. noPos is the file as a whole.
type pos int

const noPos pos = -1

// reporter collects the remarks about one file.
type reporter struct {
	file  string
	text  string
	diags Diagnostics
}

func newReporter(s Source) *reporter { return &reporter{file: s.File, text: s.Text} }

// lines is where each line starts, in characters. Nobody asks for it of a file without mistakes.
func (r *reporter) lines() []int {
	lines, n := []int{0}, 0
	for _, c := range r.text {
		if n++; c == '\n' {
			lines = append(lines, n)
		}
	}
	return lines
}

func (r *reporter) errorf(at pos, fix, format string, args ...any) {
	r.add(SeverityError, at, fix, fmt.Sprintf(format, args...))
}

func (r *reporter) warnf(at pos, fix, format string, args ...any) {
	r.add(SeverityWarning, at, fix, fmt.Sprintf(format, args...))
}

// MaxRemarks bounds the errors, and the warnings, that are listed of one file.
const MaxRemarks = 50

// add records a remark once: a chained comparison shares a node between its halves, and a let may be used twice.
func (r *reporter) add(sev Severity, at pos, fix, message string) {
	if r.count(sev) >= MaxRemarks {
		return
	}
	d := Diagnostic{File: r.file, Severity: sev, Message: message, Suggestion: fix}
	d.Line, d.Col, d.Source = r.locate(at)
	if !slices.Contains(r.diags, d) {
		r.diags = append(r.diags, d)
	}
}

// maxSourceChars bounds the line shown with a remark: more does not fit a screen.
const maxSourceChars = 240

func (r *reporter) count(sev Severity) (n int) {
	for i := range r.diags {
		if r.diags[i].Severity == sev {
			n++
		}
	}
	return n
}

func (r *reporter) locate(at pos) (line, col int, source string) {
	if at < 0 {
		return 0, 0, ""
	}
	lines := r.lines()
	i, exact := slices.BinarySearch(lines, int(at))
	if !exact {
		i--
	}
	text := strings.TrimRight(lineOf(r.text, i), "\r")
	if utf8.RuneCountInString(text) > maxSourceChars {
		text = ""
	}
	return i + 1, int(at) - lines[i] + 1, text
}

func lineOf(text string, n int) string {
	for ; n > 0; n-- {
		_, text, _ = strings.Cut(text, "\n")
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func sortDiagnostics(ds Diagnostics) {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
}
