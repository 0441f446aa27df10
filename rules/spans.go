package rules

import (
	"cmp"
	"slices"
	"strings"
)

// spans finds the tests whose range of a number holds a value: a tree in two arrays, the span in the middle of each part being its root,
// with the largest end of the part beside it. It looks at no more than a few spans beside those that hold the value, however many
// there are and however they overlap. The ends are inside.
type spans struct {
	list []filedSpan // ascending by from
	most []float64   // the largest to in the part of which this is the middle
	age  uint64      // of the plan that list belongs to
}

type filedSpan struct {
	from, to float64
	test     int32
}

// at appends the tests whose span holds v.
func (s *spans) at(v float64, dst []int32) []int32 {
	return s.within(v, 0, len(s.list), dst)
}

func (s *spans) within(v float64, lo, hi int, dst []int32) []int32 {
	for lo < hi {
		mid := (lo + hi) / 2
		if s.most[mid] < v {
			break
		}
		if s.list[mid].from > v {
			hi = mid
			continue
		}
		dst = s.within(v, lo, mid, dst)
		if s.list[mid].to >= v {
			dst = append(dst, s.list[mid].test)
		}
		lo = mid + 1
	}
	return dst
}

// change makes the list the plan's own.
func (s *spans) change(age uint64) {
	if s.age != age {
		s.list, s.age = slices.Clone(s.list), age
	}
}

// settle puts what was changed in order.
func (s *spans) settle() {
	slices.SortFunc(s.list, func(a, b filedSpan) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.test, b.test))
	})
	if s.most = make([]float64, len(s.list)); len(s.list) > 0 {
		s.climb(0, len(s.list))
	}
}

func (s *spans) climb(lo, hi int) float64 {
	mid := (lo + hi) / 2
	most := s.list[mid].to
	if lo < mid {
		most = max(most, s.climb(lo, mid))
	}
	if mid+1 < hi {
		most = max(most, s.climb(mid+1, hi))
	}
	s.most[mid] = most
	return most
}

// affixes finds the tests whose text a value begins, or ends, with.
type affixes struct {
	lengths []affixLength // ascending
	texts   shelf[string, []int32]
}

// affixLength is a length and how many tests ask for a text of that length.
type affixLength struct{ bytes, tests int }

func (x *affixes) starting(text string, dst []int32, ask *questions) []int32 {
	for _, n := range x.lengths {
		if n.bytes > len(text) {
			break
		}
		dst = askText(&x.texts, text[:n.bytes], dst, ask)
	}
	return dst
}

func (x *affixes) ending(text string, dst []int32, ask *questions) []int32 {
	for _, n := range x.lengths {
		if n.bytes > len(text) {
			break
		}
		dst = askText(&x.texts, text[len(text)-n.bytes:], dst, ask)
	}
	return dst
}

// change adds a test to a text, or takes it away.
func (x *affixes) change(text string, test int32, add bool, age uint64) {
	x.lengths = slices.Clone(x.lengths) // a plan before may have them; they are few
	i, found := slices.BinarySearchFunc(x.lengths, len(text), func(n affixLength, bytes int) int { return cmp.Compare(n.bytes, bytes) })
	switch {
	case add && found:
		x.lengths[i].tests++
	case add:
		x.lengths = slices.Insert(x.lengths, i, affixLength{len(text), 1})
	case x.lengths[i].tests > 1:
		x.lengths[i].tests--
	default:
		x.lengths = slices.Delete(x.lengths, i, i+1)
	}
	changeText(&x.texts, text, test, add, age)
}

// changeText is changeList for a text. The shelf gets it as a text of its own: those of one table lie together then, and not all over the rules' files.
func changeText(s *shelf[string, []int32], text string, test int32, add bool, age uint64) {
	changeList(s, TextHash(text), strings.Clone(text), test, add, age)
}

// changeList adds a test to an entry of a shelf, or takes it away.
func changeList[K comparable](s *shelf[K, []int32], hash uint64, k K, test int32, add bool, age uint64) {
	list, _ := s.get(hash, k)
	s.put(hash, k, changed(list, test, add), age)
}

// changed is a list with a test more or less. Older plans see the shorter list of the same array.
func changed(list []int32, test int32, add bool) []int32 {
	if add {
		return append(list, test)
	}
	out := make([]int32, 0, len(list))
	for _, t := range list {
		if t != test {
			out = append(out, t)
		}
	}
	return out
}
