package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// bareName reports a name that stands in a condition by itself, with what was most likely meant.
func (c *conditions) bareName(at pos, name string) {
	op, isOperator := operators[name]
	switch {
	case name == "":
		c.errorf(at, `happened(page_view, "7d"), or count(page_view, "7d") >= 3`, "this is not a condition")
	case c.lets[name] != nil || c.words.events[name]:
		l := c.lets[name]
		if l != nil {
			l.used = true
		}
		if l == nil || l.term != nil { // a let with a mistake has been reported
			c.bareEvent(at, name)
		}
	case laterWords[name]:
		notInThisVersion(c.reporter, at, name)
	case isOperator:
		c.errorf(at, op.usage, "`%s` needs its arguments", name)
	default:
		c.errorf(at, fmt.Sprintf(`happened(page_view and %s == "…", "7d")`, name), "`%s` is a field: a condition asks operators, and fields stand in their event tests", name)
	}
}

// bareEvent reports an event that stands where a condition is needed.
func (c *conditions) bareEvent(at pos, test string) {
	fix := fmt.Sprintf("on(%s) for the moment it happens, happened(%s, \"7d\") for the time after it", test, test)
	if c.unless {
		fix = fmt.Sprintf("happened(%s, \"7d\")", test)
	}
	c.errorf(at, fix, "`%s` is an event: a condition looks at many events over time", test)
}

func (c *conditions) wrongConditionCall(n *ast.CallNode) {
	name, at := callName(n)
	switch {
	case name == "":
		c.wrongCall(n)
	case isAction(name):
		c.errorf(at, "then: "+name+"(…)", "`%s` is an action: it goes into `then`", name)
	case laterFunctions[name]:
		notInThisVersion(c.reporter, at, name)
	case name == "event":
		c.bareEvent(at, `event("…")`)
	case operatorWords[name] != "":
		c.errorf(at, operators[operatorWords[name]].usage, "`%s` belongs into `%s`", name, operatorWords[name])
	case isWord(name):
		c.errorf(at, `happened(page_view and has(form), "7d")`, "`%s` looks at one event: it belongs into an event test", name)
	default:
		fix := "operators: " + strings.Join(operatorNames(), " ")
		if near := closest(name, operatorNames()); near != "" {
			fix = "did you mean `" + near + "`?"
		}
		c.errorf(at, fix, "there is no operator `%s`", name)
	}
}
