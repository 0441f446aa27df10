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
	case c.Kind == nudge.Number && spanEnds[t.op] != nil:
		from, to := spanEnds[t.op](c.Num)
		return []need{{field: field, how: needSpan, from: from, to: to}}, true
	}
	return known(t.args)
}

// spanEnds are the least and the most number for which a comparison with c is true: what is less than c is at most the number before it.
var spanEnds = map[string]func(c float64) (from, to float64){
	"<":  func(c float64) (from, to float64) { return math.Inf(-1), math.Nextafter(c, math.Inf(-1)) },
	"<=": func(c float64) (from, to float64) { return math.Inf(-1), c },
	">":  func(c float64) (from, to float64) { return math.Nextafter(c, math.Inf(1)), math.Inf(1) },
	">=": func(c float64) (from, to float64) { return c, math.Inf(1) },
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

// requiredByAll is the best needs among those of parts that must all be true, and the parts whose needs they are: bounds of one field are
// one span.
func requiredByAll(parts []*term, typ string) (needs []need, whose []*term, bound bool) {
	type bounds struct {
		need
		parts []*term
	}
	var spans []bounds
	consider := func(more []need, parts ...*term) {
		if !bound || weigh(more) < weigh(needs) {
			needs, whose, bound = more, parts, true
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
		i := slices.IndexFunc(spans, func(b bounds) bool { return b.field == more[0].field })
		if i < 0 {
			spans = append(spans, bounds{more[0], []*term{a}})
			continue
		}
		b := &spans[i]
		b.from, b.to, b.parts = max(b.from, more[0].from), min(b.to, more[0].to), append(b.parts, a)
	}
	for _, b := range spans {
		consider([]need{b.need}, b.parts...)
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
		if !(a.kind == termTypeIs && a.name == typ || slices.Contains(whose, a) && a.isMet()) {
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
	return bound && len(needs) > 0 && t.kind != termAnd && !slices.ContainsFunc(needs, func(n need) bool { return n.how == needAny })
}
