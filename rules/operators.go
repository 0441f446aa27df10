package rules

import (
	"maps"
	"slices"
	"strings"
)

// operator is what the checker knows of one operator. The table is data, so that a new operator is one row here, its case in cond.go or
// action.go, and its state machine in the engine.
type operator struct {
	later   bool   // its name is kept, it is not in this version
	usage   string // how it is called, for messages
	args    int
	ever    bool // its window may be "ever"
	pulse   bool // true at one instant only
	payload bool // a list, for the data of then only
	wrap    string
}

var operators = map[string]operator{
	"count":    {usage: `count(page_view, "7d")`, args: 2, ever: true},
	"distinct": {usage: `distinct(page_view, path, "7d")`, args: 3, ever: true},
	"days":     {usage: `days(page_view, "30d")`, args: 2, ever: true},
	"happened": {usage: `happened(page_view, "7d")`, args: 2, ever: true},
	"values":   {usage: `values(page_view, path, "7d")`, args: 3, payload: true},
	"on":       {usage: `on(form_submit)`, args: 1, pulse: true},
	"first":    {usage: `first(page_view, "30d")`, args: 2, ever: true, pulse: true},
	"absent":   {usage: `absent(form_submit, "1h", after(form_view))`, args: 3, pulse: true, wrap: "after"},
	"dwell":    {usage: `dwell(form_view, "20s", until(form_submit or page_leave))`, args: 3, pulse: true, wrap: "until"},

	"sum": {later: true}, "avg": {later: true}, "min": {later: true}, "max": {later: true}, "last": {later: true}, "since": {later: true},
	"score": {later: true}, "sequence": {later: true},
}

// operatorWords are the names that mean something only inside an operator's call.
var operatorWords = map[string]string{
	"after": "absent", "until": "dwell", "no": "sequence", "half_life": "score",
}

// actionWords are what then does.
var (
	actionWords      = []string{"alert", "popup"}
	laterActionWords = map[string]bool{"webhook": true, "tag": true, "untag": true, "emit": true}
	laterFunctions   = map[string]bool{"cap": true, "tagged": true, "usual": true, "hour": true, "weekday": true, "between": true, "same": true, "delay": true}
)

func isAction(name string) bool { return slices.Contains(actionWords, name) || laterActionWords[name] }

// testFunctions are the functions of event tests.
var testFunctions = []string{"event", "field", "has", "len", "lower", "trim", "upper"}

func currentOperators() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		if !operators[name].later {
			out = append(out, name)
		}
	}
	return out
}

func notInThisVersion(r *reporter, at pos, name string) {
	r.errorf(at, "operators of this version: "+strings.Join(currentOperators(), " "), "`%s` is not in this version", name)
}
