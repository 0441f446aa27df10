package engine

import "nudge"

// hashFilter says of most hashes that are not among people that they are not, for a bit's look: most visitors are nobody's. The bits are far
// fewer than what they stand before, and stay in the processor's caches. Its parts are those of people, and grow each by itself.
type hashFilter struct {
	parts [peopleParts][]uint64 // the lengths are powers of two
}

// filterBits is how many bits there are at least for each hash added: one in so many others passes.
const filterBits = 16

func (f *hashFilter) part(hash nudge.KeyHash) *[]uint64 { return &f.parts[hash>>44%peopleParts] }

func (f *hashFilter) mayHave(hash nudge.KeyHash) bool {
	bits := *f.part(hash)
	return len(bits) > 0 && bits[int(hash>>6)&(len(bits)-1)]>>(hash&63)&1 != 0
}

// add adds a hash. It is among part, all that is known in this part: where there are too few bits, these are set anew in more.
func (f *hashFilter) add(hash nudge.KeyHash, part *peoplePart[visitorIdentity]) {
	bits := f.part(hash)
	if part.taken*filterBits <= 64*len(*bits) {
		setBit(*bits, hash)
		return
	}
	*bits = make([]uint64, max(1, 2*len(*bits)))
	for i := range part.slots {
		if s := &part.slots[i]; s.known != nil {
			setBit(*bits, s.hash)
		}
	}
}

func setBit(bits []uint64, hash nudge.KeyHash) {
	bits[int(hash>>6)&(len(bits)-1)] |= 1 << (hash & 63)
}
