package rules

import (
	"regexp"
	"strconv"
	"strings"

	"nudge"
)

// valueType is what the checker knows of a term's value before there is an event.
type valueType uint8

const (
	typeAny valueType = iota // a field whose type no catalog tells
	typeText
	typeNumber
	typeBool
	typeTruth // not a value: a test that is true, false or unknown
)

func (t valueType) String() string {
	return [...]string{"a value", "text", "a number", "true or false", "a test"}[t]
}

type termKind uint8

const (
	termConst    termKind = iota // val; as a test: a constant truth
	termField                    // name
	termTypeIs                   // the event's type is name
	termAnd                      // args
	termOr                       // args
	termNot                      // args[0]
	termCompare                  // args[0] op args[1]
	termIn                       // args[0] in list
	termStarts                   // args[0] startsWith args[1]
	termEnds                     // args[0] endsWith args[1]
	termContains                 // args[0] contains args[1]
	termMatches                  // args[0] matches re
	termArith                    // args[0] op args[1]; + also joins texts
	termNeg                      // -args[0]
	termCall                     // op(args[0]): lower, upper, trim, len
	termHas                      // has(args[0])
	termCoalesce                 // args[0] ?? args[1]
)

// term is a checked piece of an event test: a test, or a value that it compares. Terms never change once they are made, so lets share them.
type term struct {
	kind termKind
	typ  valueType
	op   string
	name string
	val  nudge.Value
	list []nudge.Value
	re   *regexp.Regexp
	args []*term
}

func constTerm(v nudge.Value) *term {
	t := &term{kind: termConst, val: v}
	switch v.Kind {
	case nudge.Text:
		t.typ = typeText
	case nudge.Number:
		t.typ = typeNumber
	case nudge.Bool:
		t.typ = typeBool
	}
	return t
}

func truth(v bool) *term { return &term{kind: termConst, typ: typeTruth, val: nudge.BoolValue(v)} }

func typeIs(event string) *term { return &term{kind: termTypeIs, typ: typeTruth, name: event} }

func not(t *term) *term {
	if t.kind == termNot {
		return t.args[0] // true in SQL's three values too
	}
	return &term{kind: termNot, typ: typeTruth, args: []*term{t}}
}

// join makes an and or an or; one inside another of the same kind is taken apart, so that parentheses do not matter.
func join(kind termKind, parts ...*term) *term {
	j := &term{kind: kind, typ: typeTruth}
	for _, p := range parts {
		if p.kind == kind {
			j.args = append(j.args, p.args...)
		} else {
			j.args = append(j.args, p)
		}
	}
	if len(j.args) == 1 {
		return j.args[0]
	}
	return j
}

// each visits t and all below it.
func (t *term) each(f func(*term)) {
	f(t)
	for _, a := range t.args {
		a.each(f)
	}
}

// isFired says whether a test contains fired.
func (t *term) isFired() bool {
	found := false
	t.each(func(t *term) { found = found || t.kind == termTypeIs && t.name == firedEvent })
	return found
}

// String is the canonical text of a term: what identifies it. White space, parentheses, lets, && and ||, the order of what they join, and
// the side on which a constant stands make no difference to it.
func (t *term) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *term) write(b *strings.Builder) {
	switch t.kind {
	case termConst:
		b.WriteString(constText(t.val))
	case termField:
		b.WriteString(fieldText(t.name))
	case termTypeIs:
		b.WriteString("type == ")
		b.WriteString(strconv.Quote(t.name))
	case termAnd:
		t.writeJoined(b, " and ")
	case termOr:
		t.writeJoined(b, " or ")
	case termNot:
		b.WriteString("not ")
		t.args[0].writeGrouped(b)
	case termNeg:
		b.WriteString("-")
		t.args[0].writeGrouped(b)
	case termCompare, termArith:
		t.writeBinary(b, t.op)
	case termCoalesce:
		t.writeBinary(b, "??")
	case termStarts:
		t.writeBinary(b, "startsWith")
	case termEnds:
		t.writeBinary(b, "endsWith")
	case termContains:
		t.writeBinary(b, "contains")
	case termMatches:
		t.args[0].writeGrouped(b)
		b.WriteString(" matches ")
		b.WriteString(strconv.Quote(t.re.String()))
	case termIn:
		t.args[0].writeGrouped(b)
		b.WriteString(" in [")
		for i, v := range t.list {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(constText(v))
		}
		b.WriteString("]")
	case termHas:
		t.writeCall(b, "has")
	case termCall:
		t.writeCall(b, t.op)
	}
}

func (t *term) writeJoined(b *strings.Builder, word string) {
	for i, a := range t.args {
		if i > 0 {
			b.WriteString(word)
		}
		a.writeGrouped(b)
	}
}

func (t *term) writeBinary(b *strings.Builder, word string) {
	t.args[0].writeGrouped(b)
	b.WriteString(" " + word + " ")
	t.args[1].writeGrouped(b)
}

func (t *term) writeCall(b *strings.Builder, name string) {
	b.WriteString(name + "(")
	t.args[0].write(b)
	b.WriteString(")")
}

// writeGrouped writes t as a part of something larger: in parentheses unless nothing could be misread.
func (t *term) writeGrouped(b *strings.Builder) {
	switch t.kind {
	case termConst, termField, termCall, termHas:
		t.write(b)
	default:
		b.WriteString("(")
		t.write(b)
		b.WriteString(")")
	}
}

func constText(v nudge.Value) string {
	switch v.Kind {
	case nudge.Text:
		return strconv.Quote(v.Text)
	case nudge.Number:
		return string(nudge.AppendJSONNumber(nil, v.Num))
	}
	return strconv.FormatBool(v.Num != 0)
}

// fieldText is a field as an author writes it: bare where its name is made of identifiers, else field("…").
func fieldText(name string) string {
	for _, part := range strings.Split(name, ".") {
		if !isIdentifier(part) {
			return "field(" + strconv.Quote(name) + ")"
		}
	}
	return name
}

var keywords = map[string]bool{
	"in": true, "or": true, "not": true, "and": true, "let": true, "matches": true, "contains": true, "startsWith": true, "endsWith": true,
	"true": true, "false": true, "nil": true,
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && !keywords[s]
}

// quote is a text for a message, not too long.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
