package engine

import "math"

// dedupParts is into how many tables the index is cut, so that one that grows holds nobody up for long.
const dedupParts = 256

// dedupIndex finds the entry of a fingerprint in a queue: open addressing with linear probing, 4 bytes a slot, three quarters full at most. A slot
// holds the low half of the entry's number and 1 more; 0 is empty.
type dedupIndex struct {
	parts [dedupParts]idTable
}

type idTable struct {
	slots []uint32 // a power of two of them
	used  int
}

const leastSlots = 8

func (x *dedupIndex) part(fingerprint uint64) *idTable {
	return &x.parts[fingerprint>>56]
}

func (x *dedupIndex) has(fingerprint uint64, q *dedupQueue) bool {
	_, found := x.part(fingerprint).find(fingerprint, q)
	return found
}

// near meets the memory of a fingerprint's slot (ahead.go).
func (x *dedupIndex) near(fingerprint uint64) int {
	t := x.part(fingerprint)
	if len(t.slots) == 0 {
		return 0
	}
	return int(t.slots[int(fingerprint)&(len(t.slots)-1)])
}

// find is the slot of a fingerprint, or the empty one where it would be.
func (t *idTable) find(fingerprint uint64, q *dedupQueue) (slot int, found bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	mask := len(t.slots) - 1
	for i := int(fingerprint) & mask; ; i = (i + 1) & mask {
		if t.slots[i] == 0 {
			return i, false
		}
		if q.fingerprint(q.number(t.slots[i])) == fingerprint {
			return i, true
		}
	}
}

// number is the entry's that a slot stands for: those that are held span far less than the numbers that the slot's half tells apart.
func (q *dedupQueue) number(slot uint32) uint64 {
	n := q.head&^math.MaxUint32 | uint64(slot-1)
	if n < q.head {
		n += 1 << 32
	}
	return n
}

// add notes the number of an entry whose fingerprint is not in the index.
func (x *dedupIndex) add(fingerprint, number uint64, q *dedupQueue) {
	t := x.part(fingerprint)
	if (t.used+1)*4 > len(t.slots)*3 {
		t.grow(q)
	}
	i, _ := t.find(fingerprint, q)
	t.slots[i] = uint32(number) + 1
	t.used++
}

// reserve makes room for so many entries in an index that has none: it grows no more than it would for a few above.
func (x *dedupIndex) reserve(entries int) {
	slots := leastSlots
	for slots*3 < entries/dedupParts*4 {
		slots *= 2
	}
	for i := range x.parts {
		x.parts[i].slots = make([]uint32, slots)
	}
}

func (t *idTable) grow(q *dedupQueue) {
	old := t.slots
	t.slots = make([]uint32, max(2*len(old), leastSlots))
	for _, slot := range old {
		if slot != 0 {
			i, _ := t.find(q.fingerprint(q.number(slot)), q)
			t.slots[i] = slot
		}
	}
}

// remove forgets an entry, unless another one with its fingerprint has taken its place. Those behind it move up, so that each is found from its own
// place on without a gap.
func (x *dedupIndex) remove(fingerprint, number uint64, q *dedupQueue) {
	t := x.part(fingerprint)
	i, found := t.find(fingerprint, q)
	if !found || t.slots[i] != uint32(number)+1 {
		return
	}
	t.used--
	mask := len(t.slots) - 1
	for j := (i + 1) & mask; t.slots[j] != 0; j = (j + 1) & mask {
		home := int(q.fingerprint(q.number(t.slots[j]))) & mask
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
}
