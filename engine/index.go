package engine

import "nudge"

// keyIndex finds entries by hash: 256 parts by eight bits of the hash, each an open-addressed table of entry numbers. A part that
// grows moves its own few keys only, so that no event waits for millions. Lost: one Go map, which takes five times the memory per
// key.
type keyIndex struct {
	parts [indexParts]indexPart
}

type indexPart struct {
	slots []uint32 // entry + 1, 0 if free; the length is a power of two, at most two thirds are taken
	taken int
}

const (
	indexParts     = 256
	firstPartSlots = 8
)

// The group takes the hash's top 12 bits, and shards take groups; the part takes the next eight, the place within it the lowest.
func (x *keyIndex) part(hash nudge.KeyHash) *indexPart { return &x.parts[hash>>44%indexParts] }

func (p *indexPart) home(hash nudge.KeyHash) int { return int(hash) & (len(p.slots) - 1) }

func (p *indexPart) after(pos int) int { return (pos + 1) & (len(p.slots) - 1) }

// at is the entry that stands so many places behind a hash's own, noEntry if none does.
func (x *keyIndex) at(hash nudge.KeyHash, past int) uint32 {
	p := x.part(hash)
	if len(p.slots) == 0 {
		return noEntry
	}
	return p.slots[(int(hash)+past)&(len(p.slots)-1)] - 1 // of a free slot 0 − 1, which is noEntry
}

// add notes an entry of t under its hash.
func (x *keyIndex) add(t *table, hash nudge.KeyHash, entry uint32) {
	p := x.part(hash)
	if 3*(p.taken+1) > 2*len(p.slots) {
		old := p.slots
		p.slots = make([]uint32, max(2*len(old), firstPartSlots))
		for _, slot := range old {
			if slot != 0 {
				p.put(t.entry(slot-1).hash, slot)
			}
		}
	}
	p.put(hash, entry+1)
	p.taken++
}

func (p *indexPart) put(hash nudge.KeyHash, slot uint32) {
	pos := p.home(hash)
	for p.slots[pos] != 0 {
		pos = p.after(pos)
	}
	p.slots[pos] = slot
}

// remove forgets an entry of t. Those behind it that it kept from their places move up, so that no search meets a gap.
func (x *keyIndex) remove(t *table, hash nudge.KeyHash, entry uint32) {
	p := x.part(hash)
	gap := p.home(hash)
	for p.slots[gap] != entry+1 {
		gap = p.after(gap)
	}
	last := len(p.slots) - 1
	for pos := p.after(gap); p.slots[pos] != 0; pos = p.after(pos) {
		home := p.home(t.entry(p.slots[pos] - 1).hash)
		if (pos-home)&last >= (pos-gap)&last { // on its way from home it passed the gap
			p.slots[gap] = p.slots[pos]
			gap = pos
		}
	}
	p.slots[gap] = 0
	p.taken--
}

// bytes is the memory of the slots.
func (x *keyIndex) bytes() int {
	n := 0
	for i := range x.parts {
		n += 4 * len(x.parts[i].slots)
	}
	return n
}
