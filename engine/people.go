package engine

import (
	"iter"

	"nudge"
)

// people finds what is known of visitors, or of users, by the hash of their key, which is at hand wherever one is asked for: open addressing, in parts by
// eight bits of the hash. A part that grows moves its own few alone, so that no event waits for millions. Lost: a Go map by text, which hashes the text
// once more and meets more memory on the way.
type people[T any] struct {
	parts [peopleParts]peoplePart[T]
	count int
}

type peoplePart[T any] struct {
	slots []someone[T] // at most three quarters are taken, and half of them where they were made anew
	taken int
}

// someone is one of them. A slot whose known is nil is free.
type someone[T any] struct {
	keyText
	known *T
}

// keyText is a key of a kind that is clear from where it stands.
type keyText struct {
	hash nudge.KeyHash
	text string
}

const (
	peopleParts = 256
	firstPeople = 8 // slots of a part at first
)

// The part takes other bits of the hash than shards, and than the place within the part.
func (p *people[T]) part(hash nudge.KeyHash) *peoplePart[T] { return &p.parts[hash>>44%peopleParts] }

// home is the place of a hash: its last 32 bits, as a fraction, of the length.
func (p *peoplePart[T]) home(hash nudge.KeyHash) int {
	return int(uint64(uint32(hash)) * uint64(len(p.slots)) >> 32)
}

func (p *peoplePart[T]) after(pos int) int {
	if pos++; pos == len(p.slots) {
		return 0
	}
	return pos
}

// way is how many places lie from one to another.
func (p *peoplePart[T]) way(from, to int) int {
	if from > to {
		to += len(p.slots)
	}
	return to - from
}

// get is what is known of a key, nil if nothing is.
func (p *people[T]) get(hash nudge.KeyHash, text string) *T {
	part := p.part(hash)
	if len(part.slots) == 0 {
		return nil
	}
	for pos := part.home(hash); ; pos = part.after(pos) {
		s := &part.slots[pos]
		if s.known == nil || s.hash == hash && s.text == text {
			return s.known
		}
	}
}

// near meets the memory in which get looks first (ahead.go).
func (p *people[T]) near(hash nudge.KeyHash) int {
	part := p.part(hash)
	if len(part.slots) == 0 {
		return 0
	}
	return len(part.slots[part.home(hash)].text)
}

// put notes what is known of a key of which nothing is known so far. The text is kept.
func (p *people[T]) put(hash nudge.KeyHash, text string, known *T) {
	part := p.part(hash)
	if 4*(part.taken+1) > 3*len(part.slots) {
		old := part.slots
		part.slots = make([]someone[T], max(len(old)+len(old)/2, firstPeople))
		for i := range old {
			if old[i].known != nil {
				part.put(old[i])
			}
		}
	}
	part.put(someone[T]{keyText{hash, text}, known})
	part.taken++
	p.count++
}

func (p *peoplePart[T]) put(s someone[T]) {
	pos := p.home(s.hash)
	for p.slots[pos].known != nil {
		pos = p.after(pos)
	}
	p.slots[pos] = s
}

// remove forgets a key of which something is known. Those behind it that it kept from their places move up, so that no search meets a gap.
func (p *people[T]) remove(hash nudge.KeyHash, text string) {
	part := p.part(hash)
	gap := part.home(hash)
	for part.slots[gap].hash != hash || part.slots[gap].text != text {
		gap = part.after(gap)
	}
	for pos := part.after(gap); part.slots[pos].known != nil; pos = part.after(pos) {
		if home := part.home(part.slots[pos].hash); part.way(home, pos) >= part.way(gap, pos) { // on its way from home it passed the gap
			part.slots[gap] = part.slots[pos]
			gap = pos
		}
	}
	part.slots[gap] = someone[T]{}
	part.taken--
	p.count--
}

// len is of how many keys something is known.
func (p *people[T]) len() int { return p.count }

// all goes over the keys, in no order that means anything, with what is known of each.
func (p *people[T]) all() iter.Seq2[keyText, *T] {
	return func(yield func(keyText, *T) bool) {
		for i := range p.parts {
			for j := range p.parts[i].slots {
				if s := &p.parts[i].slots[j]; s.known != nil && !yield(s.keyText, s.known) {
					return
				}
			}
		}
	}
}
