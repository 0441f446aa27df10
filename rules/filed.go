package rules

import (
	"encoding/binary"
	"math"
	"strings"
)

// filed finds the tests that are filed under a text. Most stand packed, which no plan changes; what is different by now is fresh, and where that has become
// much it is all packed anew.
type filed struct {
	packed packed
	fresh  table[string, []int32]
	age    uint64 // of the plan that fresh belongs to
}

// holds says whether there is anything.
func (f *filed) holds() bool { return f.packed.taken > 0 || f.fresh.taken > 0 }

// appendTo appends the tests that are filed under a text.
func (f *filed) appendTo(dst []int32, text string) []int32 {
	if !f.holds() {
		return dst
	}
	hash := TextHash(text)
	if f.fresh.taken > 0 {
		if tests, found := f.fresh.get(hash, text); found {
			return append(dst, tests...)
		}
	}
	return f.packed.appendTo(dst, hash, text)
}

// change adds a test to a text, or takes it away. fresh must be the plan's own.
func (f *filed) change(text string, test int32, add bool) {
	hash := TextHash(text)
	tests, found := f.fresh.get(hash, text)
	if !found {
		tests = f.packed.appendTo(nil, hash, text)
	}
	f.fresh.put(hash, strings.Clone(text), changed(tests, test, add))
}

// own makes fresh the plan's own, and says whether it was another's.
func (f *filed) own(age uint64) bool {
	if f.age == age {
		return false
	}
	f.fresh, f.age = f.fresh.clone(), age
	return true
}

// settle packs everything, if much is fresh.
func (f *filed) settle() {
	if f.fresh.taken <= fewFresh+f.packed.taken/8 {
		return
	}
	f.packed.each(func(hash uint64, text string) {
		if _, newer := f.fresh.get(hash, text); !newer {
			f.fresh.put(hash, text, f.packed.appendTo(nil, hash, text))
		}
	})
	f.packed = pack(&f.fresh)
	f.fresh = table[string, []int32]{}
}

// packed is a hash table from texts to tests, with open addressing, that is made once. An event meets few lines of memory in it: that of a slot, and that of
// an entry, where the tests stand beside the text.
type packed struct {
	slots   []packedSlot // the length is a power of two, at most half are taken
	entries []byte       // each: u32 bytes of the text, u32 how many tests, the tests, u32 each, the text
	taken   int
}

type packedSlot struct {
	tag uint32 // the upper half of the hash
	at  uint32 // 1 + where in entries; 0: free
}

const packedHead = 8

func (p *packed) appendTo(dst []int32, hash uint64, text string) []int32 {
	if p.taken == 0 {
		return dst
	}
	for i := hash; ; i++ {
		s := p.slots[i&uint64(len(p.slots)-1)]
		if s.at == 0 {
			return dst
		}
		if s.tag != uint32(hash>>32) {
			continue
		}
		e := p.entries[s.at-1:]
		head := binary.LittleEndian.Uint64(e)
		tests, rest := e[packedHead:packedHead+4*(head>>32)], e[packedHead+4*(head>>32):]
		if uint64(len(text)) != head&math.MaxUint32 || string(rest[:len(text)]) != text {
			continue
		}
		for ; len(tests) >= 4; tests = tests[4:] {
			dst = append(dst, int32(binary.LittleEndian.Uint32(tests)))
		}
		return dst
	}
}

func (p *packed) each(f func(hash uint64, text string)) {
	for e := p.entries; len(e) > 0; {
		from := packedHead + 4*binary.LittleEndian.Uint32(e[4:])
		to := from + binary.LittleEndian.Uint32(e)
		text := string(e[from:to])
		f(TextHash(text), text)
		e = e[to:]
	}
}

// pack makes a table of those texts that have tests.
func pack(t *table[string, []int32]) (p packed) {
	t.each(func(_ uint64, _ string, tests []int32) {
		if len(tests) > 0 {
			p.taken++
		}
	})
	length := firstSlots
	for length < 2*p.taken {
		length *= 2
	}
	p.slots = make([]packedSlot, length)
	t.each(func(hash uint64, text string, tests []int32) {
		if len(tests) == 0 {
			return
		}
		i := hash
		for p.slots[i&uint64(length-1)].at != 0 {
			i++
		}
		p.slots[i&uint64(length-1)] = packedSlot{uint32(hash >> 32), 1 + uint32(len(p.entries))}
		p.entries = binary.LittleEndian.AppendUint32(p.entries, uint32(len(text)))
		p.entries = binary.LittleEndian.AppendUint32(p.entries, uint32(len(tests)))
		for _, test := range tests {
			p.entries = binary.LittleEndian.AppendUint32(p.entries, uint32(test))
		}
		p.entries = append(p.entries, text...)
	})
	return p
}
