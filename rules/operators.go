package rules

import (
	"maps"
	"slices"
	"strings"
)

// operator is what the checker knows of one operator. The table is data, so that a new operator is one row here, its case in cond.go or
// action.go, and its state machine in the engine.
type operator struct {
	usage   string // how it is called, for messages
	args    int    // 0: as many as there are steps
	ever    bool   // its window may be "ever"
	pulse   bool   // true at one instant only
	payload bool   // a list, for the data of then only
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
	"sum":      {usage: `sum(purchase, amount, "30d")`, args: 3, ever: true},
	"avg":      {usage: `avg(purchase, amount, "30d")`, args: 3, ever: true},
	"min":      {usage: `min(purchase, amount, "30d")`, args: 3, ever: true},
	"max":      {usage: `max(purchase, amount, "30d")`, args: 3, ever: true},
	"last":     {usage: `last(page_view, path)`, args: 2},
	"since":    {usage: `since(page_view)`, args: 1},
	"score":    {usage: `score({page_view: 1, (form_submit): 10}, half_life("7d"))`, args: 2},
	"sequence": {usage: `sequence(page_view and path == "/pricing", form_view, "30m")`, pulse: true},
}

// operatorWords are the names that mean something only inside an operator's call.
var operatorWords = map[string]string{
	"after": "absent", "until": "dwell", "no": "sequence", "half_life": "score",
}

// actionWords are what then does.
var (
	actionWords    = []string{"alert", "emit", "popup", "tag", "untag", "webhook"}
	laterFunctions = map[string]bool{"tagged": true, "usual": true, "hour": true, "weekday": true, "between": true, "same": true, "delay": true}
)

func isAction(name string) bool { return slices.Contains(actionWords, name) }

// testFunctions are the functions of event tests.
var testFunctions = []string{"event", "field", "has", "len", "lower", "trim", "upper"}

func operatorNames() []string { return slices.Sorted(maps.Keys(operators)) }

func notInThisVersion(r *reporter, at pos, name string) {
	r.errorf(at, "operators of this version: "+strings.Join(operatorNames(), " "), "`%s` is not in this version", name)
}
