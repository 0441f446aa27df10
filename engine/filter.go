package engine

import "nudge"

// hashFilter says of most hashes that were never added that they were not, for a bit's look: most visitors are nobody's. The bits are far
// fewer than what they stand before, and stay in the processor's caches. Its parts grow each by itself, so that no event waits for millions.
type hashFilter struct {
	parts [filterParts]filterPart
}

type filterPart struct {
	bits   []uint64 // the length is a power of two
	hashes []nudge.KeyHash
}

const (
	filterParts = 256

	// filterBits is how many bits there are at least for each hash added: one in so many others passes.
	filterBits = 16
)

// The part takes other bits of the hash than shards, and than the place within the part.
func (f *hashFilter) part(hash nudge.KeyHash) *filterPart { return &f.parts[hash>>44%filterParts] }

func (f *hashFilter) mayHave(hash nudge.KeyHash) bool {
	p := f.part(hash)
	return len(p.bits) > 0 && p.bits[int(hash>>6)&(len(p.bits)-1)]>>(hash&63)&1 != 0
}

func (f *hashFilter) add(hash nudge.KeyHash) {
	p := f.part(hash)
	p.hashes = append(p.hashes, hash)
	if len(p.hashes)*filterBits <= 64*len(p.bits) {
		p.set(hash)
		return
	}
	p.bits = make([]uint64, max(1, 2*len(p.bits)))
	for _, h := range p.hashes {
		p.set(h)
	}
}

func (p *filterPart) set(hash nudge.KeyHash) {
	p.bits[int(hash>>6)&(len(p.bits)-1)] |= 1 << (hash & 63)
}
