package rules

import (
	"slices"
	"strings"

	"nudge"
)

// fact is what is known of one value of an event: everything in it is so at once.
type fact struct {
	present, missing bool
	kinds            []nudge.ValueKind // that it has to have; two are a contradiction
	allowed          []nudge.Value     // it is one of these, if limited
	limited          bool
	denied           []nudge.Value // it is none of these
	low, high        *bound
	tests            []func(string) bool // of a text
	starts, ends     []string            // it begins, and ends, with each of these
	holds            []string            // it contains each of these
	starts0, ends0   []string            // it begins, and ends, with none of these
	holds0           []string            // it contains none of these
	left             func(string) bool   // whether a text is one that a function leaves, which it is; nil: it is any
	leftParts        bool                // each part of it is one, too
}

// bound is an end of a range.
type bound struct {
	value nudge.Value
	open  bool // the value itself is outside
}

func (f *fact) is(kind nudge.ValueKind) {
	f.present = true
	if !slices.Contains(f.kinds, kind) {
		f.kinds = append(f.kinds, kind)
	}
}

// compare notes that the comparison with a constant is true.
func (f *fact) compare(op string, v nudge.Value) {
	switch op {
	case "==":
		f.among([]nudge.Value{v})
	case "!=":
		f.notAmong([]nudge.Value{v})
	case ">", ">=":
		f.is(v.Kind)
		if b := (&bound{v, op == ">"}); f.low == nil || b.inside(f.low, 1) {
			f.low = b
		}
	case "<", "<=":
		f.is(v.Kind)
		if b := (&bound{v, op == "<"}); f.high == nil || b.inside(f.high, -1) {
			f.high = b
		}
	}
}

// inside says whether b leaves less than old: it lies further in direction dir, or is the same and open.
func (b *bound) inside(old *bound, dir int) bool {
	switch c := order(b.value, old.value); {
	case c == 0:
		return b.open && !old.open
	default:
		return c == dir
	}
}

// order compares two constants; those of two types are equal to it, for types are looked at elsewhere.
func order(a, b nudge.Value) int {
	switch {
	case a.Kind != b.Kind:
		return 0
	case a.Kind == nudge.Text:
		return strings.Compare(a.Text, b.Text)
	}
	return compareNumbers(a.Num, b.Num)
}

func (f *fact) among(list []nudge.Value) {
	f.is(list[0].Kind)
	if !f.limited {
		f.limited, f.allowed = true, list
		return
	}
	f.allowed = slices.DeleteFunc(slices.Clone(f.allowed), func(v nudge.Value) bool { return !slices.Contains(list, v) })
}

func (f *fact) notAmong(list []nudge.Value) {
	f.is(list[0].Kind)
	f.denied = append(f.denied, list...)
}

// part notes that the text begins with, ends with or contains part, or that it does not.
func (f *fact) part(kind termKind, part string, so bool) {
	var test func(s, part string) bool
	with, without := &f.holds, &f.holds0
	switch kind {
	case termStarts:
		test, with, without = strings.HasPrefix, &f.starts, &f.starts0
	case termEnds:
		test, with, without = strings.HasSuffix, &f.ends, &f.ends0
	default:
		test = strings.Contains
	}
	if !so {
		with = without
	}
	*with = append(*with, part)
	f.tests = append(f.tests, func(s string) bool { return test(s, part) == so })
}

// impossible says whether no value is as f says.
func (f *fact) impossible() bool {
	switch {
	case f.present && f.missing, len(f.kinds) > 1:
		return true
	case f.limited:
		return !slices.ContainsFunc(f.allowed, f.allows)
	case f.low != nil && f.high != nil && f.emptyRange():
		return true
	case slices.Contains(f.kinds, nudge.Bool):
		return slices.Contains(f.denied, nudge.BoolValue(true)) && slices.Contains(f.denied, nudge.BoolValue(false))
	}
	return f.textImpossible()
}

func (f *fact) emptyRange() bool {
	switch c := order(f.low.value, f.high.value); {
	case c > 0 && c != notOrdered:
		return true
	case c == 0:
		return f.low.open || f.high.open || slices.Contains(f.denied, f.low.value)
	}
	return false
}

// allows says whether a constant is as f says.
func (f *fact) allows(v nudge.Value) bool {
	if slices.Contains(f.denied, v) ||
		f.low != nil && !innerSide(order(v, f.low.value), f.low.open) ||
		f.high != nil && !innerSide(order(f.high.value, v), f.high.open) {
		return false
	}
	return v.Kind != nudge.Text || !slices.ContainsFunc(f.tests, func(test func(string) bool) bool { return !test(v.Text) })
}

// innerSide says whether an order is that of a value on the inner side of a bound.
func innerSide(c int, open bool) bool { return c > 0 || c == 0 && !open }

// textImpossible looks for parts of a text that do not fit together.
func (f *fact) textImpossible() bool {
	return clash(f.starts, f.starts, func(a, b string) bool { return !strings.HasPrefix(a, b) && !strings.HasPrefix(b, a) }) ||
		clash(f.ends, f.ends, func(a, b string) bool { return !strings.HasSuffix(a, b) && !strings.HasSuffix(b, a) }) ||
		clash(f.starts, f.starts0, strings.HasPrefix) || clash(f.ends, f.ends0, strings.HasSuffix) ||
		clash(slices.Concat(f.starts, f.ends, f.holds), f.holds0, strings.Contains) ||
		slices.Contains(f.starts0, "") || slices.Contains(f.ends0, "") || slices.Contains(f.holds0, "") ||
		f.leftParts && slices.ContainsFunc(slices.Concat(f.starts, f.ends, f.holds), func(part string) bool { return !f.left(part) })
}

func clash(as, bs []string, clashes func(a, b string) bool) bool {
	for _, a := range as {
		if slices.ContainsFunc(bs, func(b string) bool { return clashes(a, b) }) {
			return true
		}
	}
	return false
}
