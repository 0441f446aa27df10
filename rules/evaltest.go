package rules

import (
	"strings"

	"nudge"
)

// testFunc and valueFunc are compiled terms. A value that is missing, null or of no use is the zero Value.
type (
	testFunc  = func(*Row) Truth
	valueFunc = func(*Row) nudge.Value
)

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

// testFunc compiles a test. The commonest shapes, a field beside a constant, get closures of their own.
func (p *planner) testFunc(t *term) testFunc {
	switch t.kind {
	case termConst:
		v := truthOf(t.val.Num != 0)
		return func(*Row) Truth { return v }
	case termTypeIs:
		id := p.name(t.name)
		return func(r *Row) Truth { return truthOf(r.Type == id) }
	case termAnd:
		return allOf(p.testFuncs(byEffort(t.args)))
	case termOr:
		return anyOf(p.testFuncs(byEffort(t.args)))
	case termNot:
		return negated(p.testFunc(t.args[0]))
	case termHas:
		slot := p.slot(t.args[0].name)
		return func(r *Row) Truth { return truthOf(r.Vals[slot].Present()) }
	case termCompare:
		return p.compareFunc(t)
	case termIn:
		return p.inFunc(t)
	case termStarts:
		return p.affixFunc(t, strings.HasPrefix)
	case termEnds:
		return p.affixFunc(t, strings.HasSuffix)
	case termContains:
		return p.affixFunc(t, strings.Contains)
	case termMatches:
		v, re := p.valueFunc(t.args[0]), t.re
		return func(r *Row) Truth {
			a := v(r)
			if a.Kind != nudge.Text {
				return Unknown
			}
			return truthOf(re.MatchString(a.Text))
		}
	}
	panic("BUG: not a test: " + t.String())
}

func (p *planner) testFuncs(terms []*term) []testFunc {
	out := make([]testFunc, len(terms))
	for i, t := range terms {
		out[i] = p.testFunc(t)
	}
	return out
}

// allOf is SQL's and: false wins over unknown.
func allOf(parts []testFunc) testFunc {
	if len(parts) == 2 {
		a, b := parts[0], parts[1]
		return func(r *Row) Truth {
			x := a(r)
			if x == False {
				return False
			}
			if y := b(r); x == True || y == False {
				return y
			}
			return Unknown
		}
	}
	return func(r *Row) Truth {
		out := True
		for _, f := range parts {
			switch f(r) {
			case False:
				return False
			case Unknown:
				out = Unknown
			}
		}
		return out
	}
}

// anyOf is SQL's or: true wins over unknown.
func anyOf(parts []testFunc) testFunc {
	return func(r *Row) Truth {
		out := False
		for _, f := range parts {
			switch f(r) {
			case True:
				return True
			case Unknown:
				out = Unknown
			}
		}
		return out
	}
}

var negation = [...]Truth{False: True, True: False, Unknown: Unknown}

func negated(f testFunc) testFunc { return func(r *Row) Truth { return negation[f(r)] } }

// compareFunc compiles a comparison. Two values of two types, and a value with nothing, compare as unknown.
func (p *planner) compareFunc(t *term) testFunc {
	l, r := t.args[0], t.args[1]
	if l.kind == termField && r.kind == termConst {
		if f := fieldConst(p.slot(l.name), t.op, r.val); f != nil {
			return f
		}
	}
	a, b, want := p.valueFunc(l), p.valueFunc(r), wanted(t.op)
	return func(r *Row) Truth { return compareValues(a(r), b(r), want) }
}

// fieldConst compares a field with a constant of the commonest types, nil for the others.
func fieldConst(slot int, op string, c nudge.Value) testFunc {
	want := wanted(op)
	switch {
	case c.Kind == nudge.Text && op == "==":
		text := c.Text
		return func(r *Row) Truth {
			v := &r.Vals[slot]
			if v.Kind != nudge.Text {
				return Unknown
			}
			return truthOf(v.Text == text)
		}
	case c.Kind == nudge.Text:
		text := c.Text
		return func(r *Row) Truth {
			v := &r.Vals[slot]
			if v.Kind != nudge.Text {
				return Unknown
			}
			return want.of(strings.Compare(v.Text, text))
		}
	case c.Kind == nudge.Number:
		num := c.Num
		return func(r *Row) Truth {
			v := &r.Vals[slot]
			if v.Kind != nudge.Number {
				return Unknown
			}
			return want.of(compareNumbers(v.Num, num))
		}
	}
	return nil
}

// outcomes is which orders of its two sides make a comparison true: bit 0 less, bit 1 equal, bit 2 more.
type outcomes uint8

const (
	isEqual     outcomes = 2
	isDifferent outcomes = 5
)

func wanted(op string) outcomes {
	return map[string]outcomes{"<": 1, "<=": 3, "==": isEqual, "!=": isDifferent, ">=": 6, ">": 4}[op]
}

// notOrdered is what compareNumbers answers where a number is not one.
const notOrdered = 2

func (o outcomes) of(order int) Truth {
	if order == notOrdered {
		return Unknown
	}
	return Truth(o >> (order + 1) & 1)
}

func compareNumbers(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a == b:
		return 0
	case a > b:
		return 1
	}
	return notOrdered
}

func compareValues(a, b nudge.Value, want outcomes) Truth {
	if a.Kind != b.Kind {
		return Unknown
	}
	switch a.Kind {
	case nudge.Text:
		return want.of(strings.Compare(a.Text, b.Text))
	case nudge.Number:
		return want.of(compareNumbers(a.Num, b.Num))
	case nudge.Bool:
		if want == isEqual || want == isDifferent {
			return want.of(compareNumbers(a.Num, b.Num))
		}
	}
	return Unknown
}

func (p *planner) inFunc(t *term) testFunc {
	v, kind := p.valueFunc(t.args[0]), t.list[0].Kind
	if len(t.list) > smallList {
		set := make(map[nudge.Value]struct{}, len(t.list))
		for _, c := range t.list {
			set[c] = struct{}{}
		}
		return func(r *Row) Truth {
			a := v(r)
			if a.Kind != kind {
				return Unknown
			}
			_, ok := set[a]
			return truthOf(ok)
		}
	}
	list := t.list
	return func(r *Row) Truth {
		a := v(r)
		if a.Kind != kind {
			return Unknown
		}
		for i := range list {
			if a == list[i] {
				return True
			}
		}
		return False
	}
}

// smallList is up to which length a list is searched one by one, which is faster than a hash there.
const smallList = 8

func (p *planner) affixFunc(t *term, holds func(s, part string) bool) testFunc {
	l, r := t.args[0], t.args[1]
	if l.kind == termField && r.kind == termConst {
		slot, part := p.slot(l.name), r.val.Text
		return func(r *Row) Truth {
			v := &r.Vals[slot]
			if v.Kind != nudge.Text {
				return Unknown
			}
			return truthOf(holds(v.Text, part))
		}
	}
	a, b := p.valueFunc(l), p.valueFunc(r)
	return func(r *Row) Truth {
		x, y := a(r), b(r)
		if x.Kind != nudge.Text || y.Kind != nudge.Text {
			return Unknown
		}
		return truthOf(holds(x.Text, y.Text))
	}
}
