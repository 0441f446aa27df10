package rules

import (
	"cmp"
	"slices"

	"nudge"
)

// index finds the tests that can match a row without trying the others. Each test is filed under what a row needs for it to be true:
// the event's type, and within the type one thing of one field. What a test needs is found by required; a test that needs nothing of
// a field is tried on every row of its types. A test of which nothing is left to try stands in the index as its number, others as the number's
// complement: so nothing need be known of the former but that they are found.
type index struct {
	byType shelf[nudge.NameID, *bucket]
	any    *bucket // tests that need no certain type
}

// bucket is the tests of one type.
type bucket struct {
	age    uint64
	scan   []int32       // tried always
	fields []*fieldIndex // ascending by slot
}

// fieldIndex is the tests of one type that need something of one field.
type fieldIndex struct {
	age     uint64
	slot    int
	texts   filed
	numbers filed // by filedNumber
	starts  affixes
	ends    affixes
	spans   spans
	any     []int32 // need but that there is a value
}

// Match appends the indices of the tests that are true for row to dst, ascending. It allocates only to grow dst.
func (p *Plan) Match(row *Row, dst []int32) []int32 {
	start := len(dst)
	dst = p.matchAny(row, dst)
	if found := dst[start:]; !ascends(found) {
		slices.Sort(found)
		dst = dst[:start+len(slices.Compact(found))]
	}
	return dst
}

// matchAny is Match in no order; a test that is filed twice may come twice.
func (p *Plan) matchAny(row *Row, dst []int32) []int32 {
	start := len(dst)
	dst = p.candidates(row, dst)
	return dst[:start+len(p.matching(row, dst[start:]))]
}

// candidates appends the tests that row may match; one may come twice.
func (p *Plan) candidates(row *Row, dst []int32) []int32 {
	if b, _ := p.index.byType.get(typeHash(row.Type), row.Type); b != nil {
		dst = b.candidates(p, row, dst)
	}
	return p.index.any.candidates(p, row, dst)
}

// matching is what of row's candidates it matches, in their place.
func (p *Plan) matching(row *Row, tests []int32) []int32 {
	keep := 0
	for _, i := range tests {
		if i < 0 {
			if i = ^i; p.lefts[i](row) != True {
				continue
			}
		}
		tests[keep] = i
		keep++
	}
	return tests[:keep]
}

// ascends says whether a list is in order, each once.
func ascends(list []int32) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}

// candidates goes through what the row holds or what the bucket asks for, whichever is less.
func (b *bucket) candidates(p *Plan, row *Row, dst []int32) []int32 {
	dst = append(dst, b.scan...)
	if row.plan != p || len(b.fields) <= 2*len(row.filled) {
		for _, f := range b.fields {
			dst = f.candidates(&row.Vals[f.slot], dst)
		}
		return dst
	}
	for _, slot := range row.filled {
		if f := b.field(int(slot)); f != nil {
			dst = f.candidates(&row.Vals[slot], dst)
		}
	}
	return dst
}

func (f *fieldIndex) candidates(v *nudge.Value, dst []int32) []int32 {
	if !v.Present() {
		return dst
	}
	dst = append(dst, f.any...)
	switch v.Kind {
	case nudge.Text:
		dst = f.texts.appendTo(dst, v.Text)
		dst = f.starts.starting(v.Text, dst)
		dst = f.ends.ending(v.Text, dst)
	case nudge.Number:
		if f.numbers.holds() {
			number := filedNumber(v.Num)
			dst = f.numbers.appendTo(dst, string(number[:]))
		}
		dst = f.spans.at(v.Num, dst)
	}
	return dst
}

func (b *bucket) field(slot int) *fieldIndex {
	if i, found := b.place(slot); found {
		return b.fields[i]
	}
	return nil
}

func (b *bucket) place(slot int) (int, bool) {
	return slices.BinarySearchFunc(b.fields, slot, func(f *fieldIndex, slot int) int { return cmp.Compare(f.slot, slot) })
}

// file adds a test to the index, or takes it away.
func (p *planner) file(test int32, t *term, add bool) {
	if p.next.lefts[test] != nil {
		test = ^test
	}
	types, bound := requiredTypes(t)
	if !bound {
		p.index.any = p.index.any.own(p.age)
		p.fileIn(p.index.any, test, t, "", add)
		return
	}
	slices.Sort(types)
	for _, typ := range slices.Compact(types) {
		id := p.name(typ)
		b, _ := p.index.byType.get(typeHash(id), id)
		b = b.own(p.age)
		p.index.byType.put(typeHash(id), id, b, p.age)
		p.fileIn(b, test, t, typ, add)
	}
}

// fileIn changes a bucket; typ is its type, "" for the one of all types.
func (p *planner) fileIn(b *bucket, test int32, t *term, typ string, add bool) {
	needs, bound := required(t, typ)
	if !bound {
		b.scan = changed(b.scan, test, add)
		return
	}
	for i := range needs {
		n := &needs[i]
		f := b.ownField(p.slot(n.field), p.age)
		switch n.how {
		case needStart:
			f.starts.note(n.value.Text, add)
			p.fileText(&f.starts.texts, n.value.Text, test, add)
		case needEnd:
			f.ends.note(n.value.Text, add)
			p.fileText(&f.ends.texts, n.value.Text, test, add)
		case needAny:
			f.any = changed(f.any, test, add)
		case needSpan:
			p.fileSpan(f, filedSpan{n.from, n.to, test}, add)
		case needEqual:
			if n.value.Kind == nudge.Text {
				p.fileText(&f.texts, n.value.Text, test, add)
			} else {
				number := filedNumber(n.value.Num)
				p.fileText(&f.numbers, string(number[:]), test, add)
			}
		}
	}
}

// settler is a part of the index that has to be put in order before a plan that has changed it is done.
type settler interface{ settle() }

func (p *planner) fileText(f *filed, text string, test int32, add bool) {
	if f.own(p.age) {
		p.unsettled = append(p.unsettled, f)
	}
	f.change(text, test, add)
}

func (p *planner) fileSpan(f *fieldIndex, s filedSpan, add bool) {
	if f.spans.own(p.age) {
		p.unsettled = append(p.unsettled, &f.spans)
	}
	if add {
		f.spans.list = append(f.spans.list, s)
	} else {
		f.spans.list = slices.DeleteFunc(f.spans.list, func(o filedSpan) bool { return o == s })
	}
}

func (p *planner) settleIndex() {
	for _, s := range p.unsettled {
		s.settle()
	}
	p.unsettled = nil
}

// own is the bucket if it belongs to the plan of that age, else a copy that does.
func (b *bucket) own(age uint64) *bucket {
	switch {
	case b == nil:
		return &bucket{age: age}
	case b.age == age:
		return b
	}
	return &bucket{age: age, scan: b.scan, fields: slices.Clone(b.fields)}
}

// ownField is the index of a field as one that belongs to the plan of that age.
func (b *bucket) ownField(slot int, age uint64) *fieldIndex {
	i, found := b.place(slot)
	if !found {
		b.fields = slices.Insert(b.fields, i, &fieldIndex{age: age, slot: slot})
	} else if b.fields[i].age != age {
		f := *b.fields[i]
		f.age = age
		b.fields[i] = &f
	}
	return b.fields[i]
}
