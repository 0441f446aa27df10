package rules

import (
	"cmp"
	"slices"
	"strings"

	"nudge"
)

// Once a test is checked it takes one form, whatever way its author wrote it, so that rules that ask the same share one test and one operator:
// what and, or and in join stands in one order and each once; equalities of one field under or are one in; a not stands behind
// neither another not nor a comparison. SQL's three values make all of these the same test: nothing of it depends on the order, and a
// comparison is unknown exactly where its opposite is.

// opposite is the comparison that is true where the other is false.
var opposite = map[string]string{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

// canonical is the one form of a test.
func canonical(t *term) *term {
	if t == nil {
		return nil
	}
	switch t.kind {
	case termNot:
		return denied(canonical(t.args[0]))
	case termIn:
		return in(t.args[0], slices.Clone(t.list))
	case termAnd, termOr:
		args := make([]*term, len(t.args))
		for i, a := range t.args {
			args[i] = canonical(a)
		}
		return joined(t.kind, args)
	}
	return t
}

func denied(t *term) *term {
	switch t.kind {
	case termNot:
		return t.args[0]
	case termCompare:
		return &term{kind: termCompare, typ: typeTruth, op: opposite[t.op], args: t.args}
	}
	return not(t)
}

func joined(kind termKind, parts []*term) *term {
	args := join(kind, parts...).args // taken apart again: a part may have become of the kind
	if kind == termOr {
		args = mergeEqualities(args)
	}
	if args = inOrder(args); len(args) == 1 {
		return args[0]
	}
	return &term{kind: kind, typ: typeTruth, args: args}
}

// inOrder sorts terms by their texts, the type of the event before all else, and drops what stands twice.
func inOrder(terms []*term) []*term {
	type named struct {
		text string
		term *term
	}
	all := make([]named, len(terms))
	for i, t := range terms {
		all[i] = named{t.String(), t}
	}
	slices.SortStableFunc(all, func(a, b named) int {
		if a, b := a.term.kind == termTypeIs, b.term.kind == termTypeIs; a != b {
			return map[bool]int{true: -1, false: 1}[a]
		}
		return strings.Compare(a.text, b.text)
	})
	all = slices.CompactFunc(all, func(a, b named) bool { return a.text == b.text })
	out := make([]*term, len(all))
	for i := range all {
		out[i] = all[i].term
	}
	return out
}

// mergeEqualities makes x == 1 or x in [2, 3] one list.
func mergeEqualities(args []*term) []*term {
	out := make([]*term, 0, len(args))
	for _, t := range args {
		values := equalTo(t)
		i := -1
		if values != nil {
			i = slices.IndexFunc(out, func(o *term) bool {
				list := equalTo(o)
				return list != nil && list[0].Kind == values[0].Kind && o.args[0].name == t.args[0].name
			})
		}
		if i < 0 {
			out = append(out, t)
			continue
		}
		out[i] = in(t.args[0], append(slices.Clone(equalTo(out[i])), values...))
	}
	return out
}

// equalTo is the constants one of which t wants a field to be, nil where t wants something else.
func equalTo(t *term) []nudge.Value {
	switch {
	case t.kind == termIn && t.args[0].kind == termField:
		return t.list
	case t.kind == termCompare && t.op == "==" && t.args[0].kind == termField && t.args[1].kind == termConst:
		return []nudge.Value{t.args[1].val}
	}
	return nil
}

// in makes the test that a value is one of a list.
func in(value *term, list []nudge.Value) *term {
	slices.SortFunc(list, func(a, b nudge.Value) int { return cmp.Or(cmp.Compare(a.Num, b.Num), strings.Compare(a.Text, b.Text)) })
	list = slices.Compact(list)
	if len(list) == 1 {
		return &term{kind: termCompare, typ: typeTruth, op: "==", args: []*term{value, constTerm(list[0])}}
	}
	return &term{kind: termIn, typ: typeTruth, args: []*term{value}, list: list}
}

// effort is about what a test costs, to try the cheap parts of an and or an or first.
func (t *term) effort() int {
	switch t.kind {
	case termTypeIs, termConst:
		return 0
	case termCompare, termHas, termStarts, termEnds:
		return 1 + t.args[0].effort()
	case termIn, termContains:
		return 2 + t.args[0].effort()
	case termNot:
		return 10 + t.args[0].effort() // seldom what decides
	case termMatches:
		return 50
	case termField:
		return 0
	}
	n := 2
	for _, a := range t.args {
		n += a.effort()
	}
	return n
}

// byEffort is terms with the cheap ones first.
func byEffort(terms []*term) []*term {
	out := slices.Clone(terms)
	slices.SortStableFunc(out, func(a, b *term) int { return cmp.Compare(a.effort(), b.effort()) })
	return out
}
