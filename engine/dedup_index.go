package engine

import "math/bits"

// dedupIndex finds the entry of a fingerprint in a queue. It is cut into tables of buckets; an id stands in the bucket that its fingerprint says, or, where that is
// full, in the next one with room. A bucket is a line of the processor's cache and counts the ids that went past it: most look-ups end in the first one, and an id can go
// without another one's moving. Of a slot's 32 bits, low hold the low part of the entry's number and 1 more, the others a tag of the fingerprint: what has another tag is
// passed over without a look at the queue, which is much larger than the caches are. The scheme is that of F14 (Bronson and Shi, "Open-sourcing F14", 2019).
type dedupIndex struct {
	parts [dedupParts]idTable
	low   int // 0: nothing was added yet
}

// dedupParts is into how many tables the index is cut, so that one that grows holds nobody up for long.
const dedupParts = 256

type idTable struct {
	buckets []idBucket // a power of two of them
	used    int
}

type idBucket struct {
	slots  [bucketIDs]uint32 // 0: free; those that are taken come first
	passed uint32            // ids that went past this bucket
}

// At most mostLoad/loadOf of the slots are taken.
const (
	bucketIDs = 15
	mostLoad  = 3
	loadOf    = 4
)

// leastLow is the number's part of a slot where the window does not need more: eight bits are left for the tag.
const leastLow = 24

// lowFor is how many bits tell the numbers apart that are held at once, within a window of so many events.
func lowFor(window uint64) int {
	return min(max(bits.Len64(window+2*dedupPage), leastLow), 32)
}

func (x *dedupIndex) part(fingerprint uint64) *idTable { return &x.parts[fingerprint>>56] }

// tag is that of a fingerprint: never 0, unless there is no room for one.
func (x *dedupIndex) tag(fingerprint uint64) uint32 {
	tags := uint64(1)<<(32-x.low) - 1
	if tags == 0 {
		return 0
	}
	return uint32(fingerprint>>32%tags) + 1
}

// slot is what stands for an entry. It is never 0: either its tag is not, or its number's low half is not all ones.
func (x *dedupIndex) slot(fingerprint, number uint64) uint32 {
	return uint32(uint64(x.tag(fingerprint))<<x.low | (number+1)&(1<<x.low-1))
}

// number is the entry's that a slot stands for: those that are held span less than the numbers that the slot's part tells apart.
func (x *dedupIndex) number(slot uint32, q *dedupQueue) uint64 {
	mask := uint64(1)<<x.low - 1
	n := q.head&^mask | (uint64(slot)-1)&mask
	if n < q.head {
		n += mask + 1
	}
	return n
}

// near meets the memory of a fingerprint's bucket (ahead.go).
func (x *dedupIndex) near(fingerprint uint64) int {
	t := x.part(fingerprint)
	if len(t.buckets) == 0 {
		return 0
	}
	return int(t.buckets[t.home(fingerprint)].passed)
}

func (t *idTable) home(fingerprint uint64) int { return int(fingerprint) & (len(t.buckets) - 1) }

func (t *idTable) after(i int) int { return (i + 1) & (len(t.buckets) - 1) }

func (x *dedupIndex) has(fingerprint uint64, q *dedupQueue) bool {
	t := x.part(fingerprint)
	if len(t.buckets) == 0 {
		return false
	}
	tag := uint64(x.tag(fingerprint))
	for i := t.home(fingerprint); ; i = t.after(i) {
		b := &t.buckets[i]
		for j := range b.slots {
			slot := b.slots[j]
			if slot == 0 {
				break
			}
			if uint64(slot)>>x.low == tag && q.fingerprint(x.number(slot, q)) == fingerprint {
				return true
			}
		}
		if b.passed == 0 {
			return false
		}
	}
}

// add notes the number of an entry whose fingerprint is not in the index. window is the one of the ids.
func (x *dedupIndex) add(fingerprint, number, window uint64, q *dedupQueue) {
	if x.low == 0 {
		x.low = lowFor(window)
	}
	t := x.part(fingerprint)
	if (t.used+1)*loadOf > len(t.buckets)*bucketIDs*mostLoad {
		x.grow(t, q)
	}
	t.put(fingerprint, x.slot(fingerprint, number))
	t.used++
}

func (t *idTable) put(fingerprint uint64, slot uint32) {
	for i := t.home(fingerprint); ; i = t.after(i) {
		b := &t.buckets[i]
		if n := b.taken(); n < bucketIDs {
			b.slots[n] = slot
			return
		}
		b.passed++
	}
}

func (b *idBucket) taken() int {
	for j := range b.slots {
		if b.slots[j] == 0 {
			return j
		}
	}
	return bucketIDs
}

// reserve makes room for so many entries in an index that has none: it grows no more than it would for a few above.
func (x *dedupIndex) reserve(entries int) {
	buckets := 1
	for buckets*bucketIDs*mostLoad < entries/dedupParts*loadOf {
		buckets *= 2
	}
	for i := range x.parts {
		x.parts[i].buckets = make([]idBucket, buckets)
	}
}

func (x *dedupIndex) grow(t *idTable, q *dedupQueue) {
	old := t.buckets
	t.buckets = make([]idBucket, max(2*len(old), 1))
	for i := range old {
		for _, slot := range old[i].slots[:old[i].taken()] {
			t.put(q.fingerprint(x.number(slot, q)), slot)
		}
	}
}

// remove forgets an entry.
func (x *dedupIndex) remove(fingerprint, number uint64) {
	t, slot := x.part(fingerprint), x.slot(fingerprint, number)
	home := t.home(fingerprint)
	at, place := t.locate(home, slot)
	b := &t.buckets[at]
	last := b.taken() - 1
	b.slots[place], b.slots[last] = b.slots[last], 0
	t.used--
	for i := home; i != at; i = t.after(i) {
		t.buckets[i].passed--
	}
}

// locate is where a slot stands that is there.
func (t *idTable) locate(home int, slot uint32) (bucket, place int) {
	for i := home; ; i = t.after(i) {
		b := &t.buckets[i]
		for j := range b.slots {
			if b.slots[j] == slot {
				return i, j
			}
		}
		if b.passed == 0 {
			panic("BUG: an id that is remembered is not in the index")
		}
	}
}
