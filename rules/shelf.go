package rules

import "maps"

// shelf is a map of which every plan has its own version, all of them sharing what they have in common: base is never changed once a
// plan has it, fresh holds what is different by now. The plans of one line are made one after the other, each with a higher age; what
// has the age of the plan that is being made belongs to it alone and is changed in place. Lost: one map cloned for each plan, which takes
// a millisecond for ten thousand entries.
type shelf[K comparable, V any] struct {
	base, fresh       map[K]V
	baseAge, freshAge uint64
}

// fewFresh is how many entries fresh may have whatever base has; beyond it an eighth of base.
const fewFresh = 32

func (s *shelf[K, V]) get(k K) (V, bool) {
	if len(s.fresh) > 0 {
		if v, ok := s.fresh[k]; ok {
			return v, true
		}
	}
	v, ok := s.base[k]
	return v, ok
}

// each calls f for all entries, in no order.
func (s *shelf[K, V]) each(f func(K, V)) {
	for k, v := range s.base {
		if _, newer := s.fresh[k]; !newer {
			f(k, v)
		}
	}
	for k, v := range s.fresh {
		f(k, v)
	}
}

// put is called with the age of the plan that is being made, on a shelf that belongs to it. There is no removing: what is gone is put as
// the zero value.
func (s *shelf[K, V]) put(k K, v V, age uint64) {
	if s.base == nil {
		s.base, s.baseAge = map[K]V{}, age
	}
	if s.baseAge == age {
		s.base[k] = v
		return
	}
	if s.freshAge != age {
		if s.fresh = maps.Clone(s.fresh); s.fresh == nil {
			s.fresh = map[K]V{}
		}
		s.freshAge = age
	}
	if s.fresh[k] = v; len(s.fresh) > fewFresh+len(s.base)/8 {
		s.base, s.baseAge = maps.Clone(s.base), age
		maps.Copy(s.base, s.fresh)
		s.fresh = nil
	}
}
