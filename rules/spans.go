package rules

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// spans finds the tests whose range of a number holds a value. Most ranges lie beside each other: then the last ones that begin at or before the value are
// all that can hold it. Where they overlap much they are a tree in arrays, the span in the middle of each part being its root, with the largest end of
// the part beside it. No more is looked at than a few spans beside those that hold the value, however many there are and however they overlap. The ends
// are inside.
type spans struct {
	list  []filedSpan // ascending by from
	froms []uint64    // beside list: from, as orderOf
	reach []float64   // beside list: the largest to so far
	most  []float64   // the largest to in the part of which this is the middle
	age   uint64      // of the plan that list belongs to
}

type filedSpan struct {
	from, to float64
	test     int32
}

// nearSpans is how many spans are looked at one by one.
const nearSpans = 8

// at appends the tests whose span holds v.
func (s *spans) at(v float64, dst []int32) []int32 {
	start := len(dst)
	for i, near := s.begun(v), 0; i > 0 && s.reach[i-1] >= v; i, near = i-1, near+1 {
		if near == nearSpans {
			return s.within(v, 0, len(s.list), dst[:start])
		}
		if f := &s.list[i-1]; f.to >= v {
			dst = append(dst, f.test)
		}
	}
	return dst
}

// begun is how many spans begin at or before v. It takes the same way for each v, so that the processor need not guess.
func (s *spans) begun(v float64) int {
	if len(s.froms) == 0 {
		return 0
	}
	order, at := orderOf(v), 0
	for n := len(s.froms); n > 1; {
		half := n / 2
		_, before := bits.Sub64(order, s.froms[at+half], 0)
		at += half & (int(before) - 1)
		n -= half
	}
	if s.froms[at] <= order {
		at++
	}
	return at
}

// orderOf is a number that is in the order in which v is.
func orderOf(v float64) uint64 {
	b := math.Float64bits(v + 0) // + 0: minus zero is zero
	return b ^ (uint64(int64(b)>>63) | 1<<63)
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

// own makes the list the plan's own, and says whether it was another's.
func (s *spans) own(age uint64) bool {
	if s.age == age {
		return false
	}
	s.list, s.age = slices.Clone(s.list), age
	return true
}

// settle puts what was changed in order.
func (s *spans) settle() {
	slices.SortFunc(s.list, func(a, b filedSpan) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.test, b.test))
	})
	s.most, s.reach, s.froms = make([]float64, len(s.list)), make([]float64, len(s.list)), make([]uint64, len(s.list))
	if len(s.list) == 0 {
		return
	}
	s.climb(0, len(s.list))
	reach := math.Inf(-1)
	for i := range s.list {
		f := &s.list[i]
		reach = max(reach, f.to)
		s.froms[i], s.reach[i] = orderOf(f.from), reach
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
	texts   filed
}

// affixLength is a length and how many tests ask for a text of that length.
type affixLength struct{ bytes, tests int }

func (x *affixes) starting(text string, dst []int32) []int32 {
	for _, n := range x.lengths {
		if n.bytes > len(text) {
			break
		}
		dst = x.texts.appendTo(dst, text[:n.bytes])
	}
	return dst
}

func (x *affixes) ending(text string, dst []int32) []int32 {
	for _, n := range x.lengths {
		if n.bytes > len(text) {
			break
		}
		dst = x.texts.appendTo(dst, text[len(text)-n.bytes:])
	}
	return dst
}

// note counts a test for the length of its text, or takes it away.
func (x *affixes) note(text string, add bool) {
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
