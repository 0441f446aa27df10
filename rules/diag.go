package rules

import (
	"cmp"
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
	Line       int      `json:"line"`    // from 1; 0: the file as a whole
	Col        int      `json:"col"`     // from 1, in characters
	EndCol     int      `json:"end_col"` // behind the last character that is meant
	Severity   Severity `json:"severity"`
	Code       string   `json:"code"` // of the table of codes
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

// pos is a place in a file: an index of characters, as expr-lang counts. noPos is the file as a whole.
type pos int

const noPos pos = -1

// reporter collects the remarks about one file.
type reporter struct {
	file     string
	text     string
	deployed bool // Options.Deployed
	diags    Diagnostics
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

// errorf and warnf report something. The format tells the code: it stands in the table of codes, or it is "%v" for a problem.
func (r *reporter) errorf(at pos, fix, format string, args ...any) {
	r.add(SeverityError, at, fix, format, args)
}

func (r *reporter) warnf(at pos, fix, format string, args ...any) {
	r.add(SeverityWarning, at, fix, format, args)
}

// MaxRemarks bounds the errors, and the warnings, that are listed of one file.
const MaxRemarks = 50

// add records a remark once: a chained comparison shares a node between its halves, and a let may be used twice.
func (r *reporter) add(sev Severity, at pos, fix, format string, args []any) {
	if r.count(sev) >= MaxRemarks {
		return
	}
	if format == "%v" {
		if p, ok := args[0].(*problem); ok {
			format, args = p.format, p.args
		}
	}
	d := Diagnostic{File: r.file, Severity: sev, Code: codeOf[format], Message: fmt.Sprintf(format, args...), Suggestion: fix}
	d.Line, d.Col, d.Source = r.locate(at)
	if d.Line > 0 {
		d.EndCol = extent(d.Source, d.Col)
	}
	if !slices.Contains(r.diags, d) {
		r.diags = append(r.diags, d)
	}
}

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
