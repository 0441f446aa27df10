package rules

import (
	"math"
	"slices"

	"nudge"
)

// need is one thing of a row: a field with this value, with a text that begins or ends so, with a number in a span, or at all.
type need struct {
	field    string
	how      needHow
	value    nudge.Value
	from, to float64
}

type needHow uint8

const (
	needEqual needHow = iota
	needStart
	needEnd
	needSpan
	needAny
)

// weight is about how many of the rows that come meet a need, beside the others.
func (n *need) weight() int {
	switch n.how {
	case needEqual:
		return 1
	case needStart, needEnd:
		return 3
	case needSpan:
		if n.from > math.Inf(-1) && n.to < math.Inf(1) {
			return 5
		}
		return 20
	}
	return 50
}

// requiredTypes is the types that an event must be one of for t to be true; bound is false where any type may do.
func requiredTypes(t *term) (types []string, bound bool) {
	switch t.kind {
	case termTypeIs:
		return []string{t.name}, true
	case termConst:
		return nil, t.val.Num == 0
	case termAnd:
		for _, a := range t.args {
			if more, ok := requiredTypes(a); ok && (!bound || len(more) < len(types)) {
				types, bound = more, true
			}
		}
		return types, bound
	case termOr:
		for _, a := range t.args {
			more, ok := requiredTypes(a)
			if !ok {
				return nil, false
			}
			types = append(types, more...)
		}
		return types, true
	}
	return nil, false
}

// required is the needs of which a row of type typ must meet at least one for t to be true; bound is false where it may meet none. Bound
// without needs: t cannot be true for that type.
func required(t *term, typ string) (needs []need, bound bool) {
	switch t.kind {
	case termTypeIs:
		return nil, typ != "" && t.name != typ
	case termConst:
		return nil, t.val.Num == 0
	case termAnd:
		needs, _, bound = requiredByAll(t.args, typ)
		return needs, bound
	case termOr:
		for _, a := range t.args {
			more, ok := required(a, typ)
			if !ok {
				return nil, false
			}
			needs = append(needs, more...)
		}
		return needs, true
	case termNot: // it is true only where what it denies is false, and so known
		switch a := t.args[0]; a.kind {
		case termIn, termStarts, termEnds, termContains, termMatches:
			return known(a.args)
		}
		return nil, false
	case termHas:
		return known(t.args)
	}
	return requiredByAtom(t)
}

// requiredByAtom is required for what compares one value.
func requiredByAtom(t *term) (needs []need, bound bool) {
	if len(t.args) == 0 || t.args[0].kind != termField {
		return known(t.args)
	}
	field := t.args[0].name
	if t.kind == termIn && t.list[0].Kind != nudge.Bool {
		for _, v := range t.list {
			needs = append(needs, need{field: field, value: v})
		}
		return needs, true
	}
	if len(t.args) < 2 || t.args[1].kind != termConst {
		return known(t.args)
	}
	c := t.args[1].val
	switch {
	case t.kind == termStarts:
		return []need{{field: field, how: needStart, value: c}}, true
	case t.kind == termEnds:
		return []need{{field: field, how: needEnd, value: c}}, true
	case t.kind != termCompare || c.Kind == nudge.Bool:
	case t.op == "==":
		return []need{{field: field, value: c}}, true
	case c.Kind == nudge.Number && (t.op == "<" || t.op == "<="):
		return []need{{field: field, how: needSpan, from: math.Inf(-1), to: c.Num}}, true
	case c.Kind == nudge.Number && (t.op == ">" || t.op == ">="):
		return []need{{field: field, how: needSpan, from: c.Num, to: math.Inf(1)}}, true
	}
	return known(t.args)
}

// known is the need of a test that is unknown unless one of its values is there.
func known(values []*term) ([]need, bool) {
	for _, v := range values {
		switch v.kind {
		case termField:
			return []need{{field: v.name, how: needAny}}, true
		case termArith, termNeg, termCall:
			if needs, ok := known(v.args); ok {
				return needs, true
			}
		}
	}
	return nil, false
}

// requiredByAll is the best needs among those of parts that must all be true, and the part whose needs they are. Two bounds of one field are
// one span, which is no part's.
func requiredByAll(parts []*term, typ string) (needs []need, whose *term, bound bool) {
	var bounds []need
	consider := func(more []need, part *term) {
		if !bound || weigh(more) < weigh(needs) {
			needs, whose, bound = more, part, true
		}
	}
	for _, a := range parts {
		more, ok := required(a, typ)
		if !ok {
			continue
		}
		consider(more, a)
		if len(more) != 1 || more[0].how != needSpan {
			continue
		}
		if i := slices.IndexFunc(bounds, func(b need) bool { return b.field == more[0].field }); i >= 0 {
			bounds[i].from, bounds[i].to = max(bounds[i].from, more[0].from), min(bounds[i].to, more[0].to)
		} else {
			bounds = append(bounds, more[0])
		}
	}
	for _, b := range bounds {
		consider([]need{b}, nil)
	}
	return needs, whose, bound
}

func weigh(needs []need) (n int) {
	for i := range needs {
		n += needs[i].weight()
	}
	return n
}

// leftOver is the parts of a test of one type that a row may still fail though it has that type and meets one of the needs under which
// the test is filed.
func leftOver(t *term, typ string) (parts []*term) {
	all := []*term{t}
	if t.kind == termAnd {
		all = t.args
	}
	_, whose, _ := requiredByAll(all, typ)
	for _, a := range all {
		if !(a.kind == termTypeIs && a.name == typ || a == whose && a.isMet()) {
			parts = append(parts, a)
		}
	}
	return parts
}

// isMet says whether a row that meets one of the needs of t makes it true.
func (t *term) isMet() bool {
	if t.kind == termOr {
		return !slices.ContainsFunc(t.args, func(a *term) bool { return !a.isMet() })
	}
	needs, bound := required(t, "")
	return bound && len(needs) > 0 && t.kind != termAnd && !slices.ContainsFunc(needs, func(n need) bool { return n.how > needEnd })
}
