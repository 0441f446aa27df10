package rules

import (
	"fmt"
	"slices"
)

// Code is one kind of remark: a name that stays what it is from version to version, and what an author can read about it. docs/errors.md is
// made of these. E is an error, W a warning; the first digit is the theme.
type Code struct {
	Code    string
	Title   string // a few words
	Explain string // why it is refused, and what to do, in the author's words
	Wrong   string // an example that gets it; entries that it leaves out are of no interest. "": no text is known that gets it
	Mended  string // the same as it should be

	format string // of the message: what errorf and warnf are called with
}

// CodesPage is the page of the repository that explains the codes, each under an anchor of its name in lower case.
const CodesPage = "docs/errors.md"

// Theme is the codes of one first digit.
type Theme struct {
	Title string
	Codes []Code
}

// themes are in order of their digits; no code is ever given to something else.
var themes = [...]Theme{
	{"Files, brackets and spelling", textCodes},
	{"Names, lets and the catalog", nameCodes},
	{"Event tests", testCodes},
	{"Conditions", conditionCodes},
	{"Operators and durations", operatorCodes},
	{"The entries of a rule, and its actions", entryCodes},
	{"Rules beside each other", togetherCodes},
}

// Codes lists all codes by theme.
func Codes() []Theme { return slices.Clone(themes[:]) }

// codeOf is the code of a message's format.
var codeOf = func() map[string]string {
	m := map[string]string{}
	for _, t := range themes {
		for _, c := range t.Codes {
			m[c.format] = c.Code
		}
	}
	return m
}()

// problem is an error whose message stands in the table of codes.
type problem struct {
	format string
	args   []any
}

// problemf is an error for errorf(…, "%v", err), which then has the code of this format.
func problemf(format string, args ...any) error { return &problem{format, args} }

func (p *problem) Error() string { return fmt.Sprintf(p.format, p.args...) }
