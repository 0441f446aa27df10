package rules

import (
	"regexp"
	"testing"
)

// What is wrong with a pattern is told in words, and so is what to write instead.
func TestPatternProblem(t *testing.T) {
	const re2 = "patterns are RE2: no look-around, no back-references"
	for pattern, want := range map[string][2]string{
		"^/(pricing":  {"a `(` is not closed", "close it with `)`, or write `\\(` for the sign itself"},
		"^/pricing)":  {"a `)` closes nothing", "open it with `(`, or write `\\)` for the sign itself"},
		"^/[a-z":      {"a `[` is not closed", "close it with `]`, or write `\\[` for the sign itself"},
		"*.html":      {"there is nothing before `*` that it could repeat", "`.*` is any text; `\\*` is the sign itself"},
		"/a**":        {"`**` repeats what is repeated already", "one of them is enough"},
		"a{2000}":     {"`{2000}` repeats too often, or from more to less", "{2,5} is two to five times; 1000 are the most"},
		"[z-a]":       {"`z-a` is no range of characters", "the smaller one stands first, as in a-z; digits are [0-9] or [[:digit:]]"},
		`(a)\1`:       {"`\\1` means nothing", "`\\.` is a dot, `\\d` a digit, `\\\\` the sign `\\` itself; there are no back-references"},
		`a\`:          {"a `\\` stands at its end", "write `\\\\` for the sign itself"},
		"[[:digt:]]":  {"`[:digt:]` is no range of characters", "the smaller one stands first, as in a-z; digits are [0-9] or [[:digit:]]"},
		"(?P<n>a":     {"a `(` is not closed", "close it with `)`, or write `\\(` for the sign itself"},
		`a(?P<n`:      {"invalid named capture: `(?P<n`", re2},
		"^/(?!admin)": {"`(?!` is not known", re2},
	} {
		_, err := regexp.Compile(pattern)
		if err == nil {
			t.Errorf("%s is a pattern", pattern)
			continue
		}
		if problem, fix := patternProblem(err); problem != want[0] || fix != want[1] {
			t.Errorf("%s: %q, %q", pattern, problem, fix)
		}
	}
}
