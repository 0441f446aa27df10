package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// MaxPatternBytes bounds the pattern behind matches.
const MaxPatternBytes = 1000

// swapped is the comparison with its sides exchanged.
var swapped = map[string]string{"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

var textTests = map[string]termKind{"startsWith": termStarts, "endsWith": termEnds, "contains": termContains}

// comparison checks == != < <= > >=, in, startsWith, endsWith, contains and matches. What is compared with what lower, upper or trim leaves may be
// a contradiction by itself.
func (c *checker) comparison(n *ast.BinaryNode) *term {
	t := c.comparisonOf(n)
	if t != nil && len(t.args) > 0 && t.args[0].kind == termCall && c.refuseNever(t, nodePos(n)) {
		return nil
	}
	return t
}

func (c *checker) comparisonOf(n *ast.BinaryNode) *term {
	if c.misplacedNot(n) {
		return nil
	}
	switch n.Operator {
	case "==", "!=", "<", "<=", ">", ">=":
		return c.compare(n)
	case "in":
		return c.in(n)
	case "matches":
		return c.matches(n)
	case "startsWith", "endsWith", "contains":
		l, r := c.text(n.Left), c.text(n.Right)
		if l == nil || r == nil {
			return nil
		}
		c.unquoted(n, l, r)
		c.warnSame(n, n.Operator, l, r)
		return &term{kind: textTests[n.Operator], typ: typeTruth, args: []*term{l, r}}
	}
	c.errorf(pos(n.Location().From), "", "`%s` is not part of the language", n.Operator)
	return nil
}

// misplacedNot refuses `not path startsWith "/d"`, which parses as (not path) startsWith "/d".
func (r *reporter) misplacedNot(n *ast.BinaryNode) bool {
	u, ok := n.Left.(*ast.UnaryNode)
	if !ok || u.Operator != "not" && u.Operator != "!" {
		return false
	}
	left := "…"
	if id, ok := memberName(u.Node); ok {
		left = id
	}
	fix := fmt.Sprintf("not (%s %s …)", left, n.Operator)
	switch n.Operator {
	case "in", "startsWith", "endsWith", "contains", "matches":
		fix += fmt.Sprintf(", or %s not %s …", left, n.Operator)
	case "==":
		fix += fmt.Sprintf(", or %s != …", left)
	}
	r.errorf(nodePos(u), fix, "`%s` takes only what stands right behind it, so it needs parentheses here", u.Operator)
	return true
}

func (c *checker) compare(n *ast.BinaryNode) *term {
	l, r := c.value(n.Left), c.value(n.Right)
	if l == nil || r == nil {
		return nil
	}
	op := n.Operator
	if l.kind == termConst && r.kind != termConst {
		l, r, op = r, l, swapped[op]
	}
	if !c.comparable(n, op, l, r) {
		return nil
	}
	c.unquoted(n, l, r)
	c.warnSame(n, op, l, r)
	if l.kind == termField && l.name == "type" && r.kind == termConst && (op == "==" || op == "!=") {
		t := c.eventNamed(r.val.Text, nodePos(n))
		if t != nil && op == "!=" {
			return not(t)
		}
		return t
	}
	return &term{kind: termCompare, typ: typeTruth, op: op, args: []*term{l, r}}
}

// comparable reports comparisons that can never be true.
func (c *checker) comparable(n *ast.BinaryNode, op string, l, r *term) bool {
	if l.typ != typeAny && r.typ != typeAny && l.typ != r.typ {
		c.errorf(nodePos(n), otherType(op, l, r), "%s is %s and %s is %s: they are never equal, and neither is larger", describe(l), l.typ, describe(r), r.typ)
		return false
	}
	if (l.typ == typeBool || r.typ == typeBool) && op != "==" && op != "!=" {
		c.errorf(nodePos(n), "== or !=", "true and false have no order")
		return false
	}
	return true
}

// otherType is what to write instead of a constant r of another type than l, "" where nobody can tell.
func otherType(op string, l, r *term) string {
	if r.kind != termConst {
		return ""
	}
	text := r.val.Text
	switch {
	case l.typ == typeText:
		return fmt.Sprintf("%s %s %q", termName(l), op, constText(r.val))
	case r.val.Kind != nudge.Text:
	case l.typ == typeBool:
		return "true and false are written without quotes"
	case isNumber(text):
		return "write the number without quotes"
	case l.kind == termField && (l.name == "ts" || l.name == "at"):
		return "milliseconds since 1970" + millisOf(text)
	}
	return ""
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// millisOf continues a fix with a date as a number, if the text is one.
func millisOf(text string) string {
	for _, layout := range [...]string{time.DateOnly, time.DateTime, "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return fmt.Sprintf(": %d is %s in UTC", t.UnixMilli(), text)
		}
	}
	return ""
}

// unquoted warns of form == demo, where a text has most likely lost its quotes: a name that nobody knows beside another field. What is meant
// as a field can be written field("demo").
func (c *checker) unquoted(n *ast.BinaryNode, l, r *term) {
	name, bare := n.Right.(*ast.IdentifierNode)
	known := l
	if n.Operator == "==" || n.Operator == "!=" {
		if left, ok := n.Left.(*ast.IdentifierNode); ok && !c.words.isField(left.Value) && r.kind == termField && c.words.isField(r.name) {
			name, bare, known = left, true, r
		}
	}
	if !bare || c.words.catalog || c.words.broken || c.words.isField(name.Value) || c.lets[name.Value] != nil {
		return
	}
	own := known.kind == termField && known.typ == typeAny && (n.Operator == "==" || n.Operator == "!=") && !shareWord(known.name, name.Value)
	if own || known.kind == termField && known.typ == typeText && c.words.isField(known.name) {
		c.warnf(pos(name.Location().From), fmt.Sprintf("%s %s %q; for a field of that name field(%q)", fieldText(known.name), n.Operator, name.Value, name.Value),
			"`%s` is read as a field; a text needs quotes", name.Value)
	}
}

// shareWord says whether two names have a word in common, as plan and old_plan do: such fields are compared with each other.
func shareWord(a, b string) bool {
	words := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == '_' || r == '.' })
	}
	others := words(b)
	return slices.ContainsFunc(words(a), func(w string) bool { return slices.Contains(others, w) })
}

func termName(t *term) string {
	if t.kind == termField {
		return fieldText(t.name)
	}
	return "…"
}

func (c *checker) in(n *ast.BinaryNode) *term {
	l := c.value(n.Left)
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		if id, ok := n.Right.(*ast.IdentifierNode); ok && c.lets[id.Value] != nil && c.lets[id.Value].term == nil {
			c.lets[id.Value].used = true
			return nil // a let with a mistake has been reported
		}
		fix := `path in ["/a", "/b"]; for a part of a text write path contains "…"`
		if part, ok := n.Left.(*ast.StringNode); ok {
			if whole, ok := memberName(n.Right); ok {
				fix = fmt.Sprintf("%s contains %q", whole, part.Value)
			}
		}
		c.errorf(nodePos(n.Right), fix, "`in` takes a list of constants")
		return nil
	}
	values := c.constants(list)
	if l == nil || values == nil {
		return nil
	}
	if typ := constTerm(values[0]).typ; l.typ != typeAny && l.typ != typ {
		c.errorf(nodePos(n), "", "%s is %s, the list holds %s: they are never equal", describe(l), l.typ, plural(typ))
		return nil
	}
	if l.kind == termField && l.name == "type" {
		return c.typeIn(values, nodePos(n))
	}
	return &term{kind: termIn, typ: typeTruth, args: []*term{l}, list: values}
}

// typeIn writes type in [a, b] as an or, so that it is found like any other test of the type.
func (c *checker) typeIn(values []nudge.Value, at pos) *term {
	var parts []*term
	for _, v := range values {
		t := c.eventNamed(v.Text, at)
		if t == nil {
			return nil
		}
		parts = append(parts, t)
	}
	return join(termOr, parts...)
}

func (c *checker) constants(list *ast.ArrayNode) []nudge.Value {
	if len(list.Nodes) == 0 {
		c.errorf(nodePos(list), "", "an empty list holds nothing")
		return nil
	}
	var values []nudge.Value
	for _, e := range list.Nodes {
		t := c.value(e)
		switch {
		case t == nil:
			return nil
		case t.kind != termConst:
			c.errorf(nodePos(e), "write `or` between comparisons", "the list behind `in` holds constants only")
			return nil
		case len(values) > 0 && values[0].Kind != t.val.Kind:
			c.errorf(nodePos(e), "write two lists with `or` between them", "a list holds values of one type: %s is %s, the others are %s",
				describe(t), t.typ, plural(constTerm(values[0]).typ))
			return nil
		}
		if !slices.Contains(values, t.val) {
			values = append(values, t.val)
		}
	}
	return values
}

func plural(t valueType) string {
	return map[valueType]string{typeText: "texts", typeNumber: "numbers", typeBool: "true or false"}[t]
}

func (c *checker) matches(n *ast.BinaryNode) *term {
	l := c.text(n.Left)
	p, ok := n.Right.(*ast.StringNode)
	if !ok {
		c.errorf(nodePos(n.Right), "path matches `^/blog/[0-9]+$`", "the pattern behind `matches` is a constant text")
		return nil
	}
	if len(p.Value) > MaxPatternBytes {
		c.errorf(nodePos(n.Right), "", "a pattern has at most %d bytes", MaxPatternBytes)
		return nil
	}
	re, err := regexp.Compile(p.Value)
	if err != nil {
		problem, fix := patternProblem(err)
		c.errorf(nodePos(n.Right), fix, "the pattern cannot be read: %s", problem)
		return nil
	}
	if l == nil {
		return nil
	}
	return &term{kind: termMatches, typ: typeTruth, args: []*term{l}, re: re}
}
