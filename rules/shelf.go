package rules

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"

	"nudge"
)

// shelf is a table of which every plan has its own version, all of them sharing what they have in common: base is never changed once a
// plan has it, fresh holds what is different by now. The plans of one line are made one after the other, each with a higher age; what
// has the age of the plan that is being made belongs to it alone and is changed in place. Lost: one table cloned for each plan, which takes
// a millisecond for ten thousand entries.
type shelf[K comparable, V any] struct {
	base, fresh       table[K, V]
	baseAge, freshAge uint64
}

// fewFresh is how many entries fresh may have whatever base has; beyond it an eighth of base.
const fewFresh = 32

// get is the value of a key with that hash.
func (s *shelf[K, V]) get(hash uint64, k K) (V, bool) {
	if s.fresh.taken > 0 {
		if v, ok := s.fresh.get(hash, k); ok {
			return v, true
		}
	}
	return s.base.get(hash, k)
}

// each calls f for all entries, in no order.
func (s *shelf[K, V]) each(f func(K, V)) {
	s.base.each(func(hash uint64, k K, v V) {
		if _, newer := s.fresh.get(hash, k); !newer {
			f(k, v)
		}
	})
	s.fresh.each(func(_ uint64, k K, v V) { f(k, v) })
}

// put is called with the age of the plan that is being made, on a shelf that belongs to it. There is no removing: what is gone is put as
// the zero value.
func (s *shelf[K, V]) put(hash uint64, k K, v V, age uint64) {
	if s.base.slots == nil {
		s.baseAge = age
	}
	if s.baseAge == age {
		s.base.put(hash, k, v)
		return
	}
	if s.freshAge != age {
		s.fresh, s.freshAge = s.fresh.clone(), age
	}
	if s.fresh.put(hash, k, v); s.fresh.taken > fewFresh+s.base.taken/8 {
		s.base, s.baseAge = s.base.clone(), age
		s.fresh.each(s.base.put)
		s.fresh = table[K, V]{}
	}
}

// table is a hash table with open addressing. A Go map holds the same, and takes longer to clone.
type table[K comparable, V any] struct {
	slots []slot[K, V] // the length is a power of two, at most two thirds are taken
	taken int
}

type slot[K comparable, V any] struct {
	hash  uint64 // 0: free
	key   K
	value V
}

const firstSlots = 4

// home is the slot at which the search for a hash begins. There must be slots.
func (t *table[K, V]) home(hash uint64) *slot[K, V] { return &t.slots[hash&uint64(len(t.slots)-1)] }

func (t *table[K, V]) get(hash uint64, k K) (v V, ok bool) {
	if len(t.slots) == 0 {
		return v, false
	}
	for i := hash; ; i++ {
		switch s := t.home(i); {
		case s.hash == hash && s.key == k:
			return s.value, true
		case s.hash == 0:
			return v, false
		}
	}
}

func (t *table[K, V]) put(hash uint64, k K, v V) {
	if 3*(t.taken+1) > 2*len(t.slots) {
		old := *t
		*t = table[K, V]{slots: make([]slot[K, V], max(firstSlots, 2*len(old.slots)))}
		old.each(t.put)
	}
	i := hash
	for s := t.home(i); s.hash != 0 && (s.hash != hash || s.key != k); s = t.home(i) {
		i++
	}
	s := t.home(i)
	if s.hash == 0 {
		t.taken++
	}
	*s = slot[K, V]{hash, k, v}
}

func (t *table[K, V]) each(f func(hash uint64, k K, v V)) {
	for i := range t.slots {
		if s := &t.slots[i]; s.hash != 0 {
			f(s.hash, s.key, s.value)
		}
	}
}

func (t *table[K, V]) clone() table[K, V] {
	return table[K, V]{slots: append([]slot[K, V](nil), t.slots...), taken: t.taken}
}

// TextHash and typeHash are hashes for tables: never 0. They are no secret: an event must not be able to make such a table longer.
func TextHash(s string) uint64 {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	n := len(b)
	h := uint64(n)
	switch {
	case n >= 8: // the last eight bytes may share some with those before
		last := binary.LittleEndian.Uint64(b[n-8:])
		for ; len(b) > 8; b = b[8:] {
			h = mixed(h ^ binary.LittleEndian.Uint64(b))
		}
		h = mixed(h ^ last)
	case n >= 4:
		h = mixed(h ^ (uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32))
	case n > 0:
		h = mixed(h ^ (uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16))
	}
	return h | 1<<63
}

// filedNumber is the text under which a number is filed.
func filedNumber(f float64) (text [8]byte) {
	binary.LittleEndian.PutUint64(text[:], math.Float64bits(f+0)) // + 0: minus zero is zero
	return text
}

func typeHash(id nudge.NameID) uint64 { return mixed(uint64(id)) | 1<<63 }

// mixed lets every bit have a say in every other.
func mixed(h uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return hi ^ lo
}
