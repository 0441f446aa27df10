package rules

import (
	"slices"

	"nudge"
)

// index finds the tests that can match a row without trying the others. Each test is filed under what a row needs for it to be true:
// the event's type, and within the type one equality or prefix of a field. What a test needs is found by required; a test that
// needs nothing that can be hashed is tried on every row of its types.
type index struct {
	byType map[nudge.NameID]*bucket
	any    *bucket // tests that need no certain type
}

// bucket is the tests of one type.
type bucket struct {
	scan     []int32 // tried always
	equal    []equalIndex
	prefixes []prefixIndex
}

// equalIndex files tests by the value that a field must have.
type equalIndex struct {
	slot    int
	texts   map[string][]int32
	numbers map[float64][]int32
}

// prefixIndex files tests by how a field's text must begin.
type prefixIndex struct {
	slot    int
	lengths []int // of the prefixes, ascending
	texts   map[string][]int32
}

// Match appends the indices of the tests that are true for row to dst, ascending. It allocates only to grow dst.
func (p *Plan) Match(row *Row, dst []int32) []int32 {
	start := len(dst)
	if b := p.index.byType[row.Type]; b != nil {
		dst = b.candidates(row, dst)
	}
	dst = p.index.any.candidates(row, dst)
	found := dst[start:]
	slices.Sort(found)
	keep, last := 0, int32(-1)
	for _, i := range found {
		if i != last && p.Tests[i].Match(row) == True {
			found[keep] = i
			keep++
		}
		last = i
	}
	return dst[:start+keep]
}

// candidates appends the tests that row may match; one may come twice.
func (b *bucket) candidates(row *Row, dst []int32) []int32 {
	dst = append(dst, b.scan...)
	for i := range b.equal {
		e := &b.equal[i]
		switch v := &row.Vals[e.slot]; v.Kind {
		case nudge.Text:
			dst = append(dst, e.texts[v.Text]...)
		case nudge.Number:
			dst = append(dst, e.numbers[v.Num]...)
		}
	}
	for i := range b.prefixes {
		x := &b.prefixes[i]
		v := &row.Vals[x.slot]
		if v.Kind != nudge.Text {
			continue
		}
		for _, n := range x.lengths {
			if n > len(v.Text) {
				break
			}
			dst = append(dst, x.texts[v.Text[:n]]...)
		}
	}
	return dst
}

// buildIndex files all tests of the plan.
func (p *planner) buildIndex() index {
	ix := index{byType: map[nudge.NameID]*bucket{}, any: &bucket{}}
	for i, t := range p.terms {
		types, bound := requiredTypes(t)
		if !bound {
			p.file(ix.any, int32(i), t, "")
			continue
		}
		slices.Sort(types)
		for _, typ := range slices.Compact(types) {
			id := p.name(typ)
			if ix.byType[id] == nil {
				ix.byType[id] = &bucket{}
			}
			p.file(ix.byType[id], int32(i), t, typ)
		}
	}
	ix.any.sortLengths()
	for _, b := range ix.byType {
		b.sortLengths()
	}
	return ix
}

// file puts a test into a bucket; typ is the bucket's type, "" for the one of all types.
func (p *planner) file(b *bucket, test int32, t *term, typ string) {
	needs, bound := required(t, typ)
	if !bound {
		b.scan = append(b.scan, test)
		return
	}
	for _, n := range needs {
		if n.prefix {
			b.addPrefix(p.slot(n.field), n.value.Text, test)
		} else {
			b.addEqual(p.slot(n.field), n.value, test)
		}
	}
}

func (b *bucket) addEqual(slot int, v nudge.Value, test int32) {
	i := slices.IndexFunc(b.equal, func(e equalIndex) bool { return e.slot == slot })
	if i < 0 {
		i = len(b.equal)
		b.equal = append(b.equal, equalIndex{slot: slot, texts: map[string][]int32{}, numbers: map[float64][]int32{}})
	}
	if v.Kind == nudge.Text {
		b.equal[i].texts[v.Text] = append(b.equal[i].texts[v.Text], test)
	} else {
		b.equal[i].numbers[v.Num] = append(b.equal[i].numbers[v.Num], test)
	}
}

func (b *bucket) addPrefix(slot int, prefix string, test int32) {
	i := slices.IndexFunc(b.prefixes, func(x prefixIndex) bool { return x.slot == slot })
	if i < 0 {
		i = len(b.prefixes)
		b.prefixes = append(b.prefixes, prefixIndex{slot: slot, texts: map[string][]int32{}})
	}
	x := &b.prefixes[i]
	x.texts[prefix] = append(x.texts[prefix], test)
	if !slices.Contains(x.lengths, len(prefix)) {
		x.lengths = append(x.lengths, len(prefix))
	}
}

func (b *bucket) sortLengths() {
	for i := range b.prefixes {
		slices.Sort(b.prefixes[i].lengths)
	}
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

// need is one thing of a row: a field with this value, or with a text that starts so.
type need struct {
	field  string
	value  nudge.Value
	prefix bool
}

// required is the needs of which a row of type typ must meet at least one for t to be true; bound is false where it may meet none. Bound
// without needs: t cannot be true for that type.
func required(t *term, typ string) (needs []need, bound bool) {
	switch t.kind {
	case termTypeIs:
		return nil, typ != "" && t.name != typ
	case termConst:
		return nil, t.val.Num == 0
	case termCompare:
		if f, c := t.args[0], t.args[1]; t.op == "==" && f.kind == termField && c.kind == termConst && c.val.Kind != nudge.Bool {
			return []need{{field: f.name, value: c.val}}, true
		}
	case termIn:
		if f := t.args[0]; f.kind == termField && t.list[0].Kind != nudge.Bool {
			for _, v := range t.list {
				needs = append(needs, need{field: f.name, value: v})
			}
			return needs, true
		}
	case termStarts:
		if f, c := t.args[0], t.args[1]; f.kind == termField && c.kind == termConst {
			return []need{{field: f.name, value: c.val, prefix: true}}, true
		}
	case termAnd:
		for _, a := range t.args {
			if more, ok := required(a, typ); ok && (!bound || better(more, needs)) {
				needs, bound = more, true
			}
		}
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
	}
	return nil, false
}

// better says whether needs a pick fewer rows than b: fewer values, and values rather than prefixes.
func better(a, b []need) bool {
	weight := func(needs []need) (n int) {
		for _, x := range needs {
			if n++; x.prefix {
				n += 2
			}
		}
		return n
	}
	return weight(a) < weight(b)
}
