package engine

import (
	"nudge"
	"nudge/rules"
)

// longIDs remembers the ids of long texts, which are hashes: the paths of a site and the ids of its users come again and again, and to see that a
// text is the same one takes a tenth of the time that hashing it does. What an id is does not depend on it.
type longIDs struct {
	slots   []longID // none: no long text so far; the length is a power of two
	unknown int      // texts that were hashed since there are so many slots
}

// longID is one text with its id, in one cache line.
type longID struct {
	id   valueID
	size uint8 // of the text; 0: none
	text [longIDText]byte
}

const (
	longIDFirst = 1 << 10 // slots: a text has its place in one of them, where the newest stands
	longIDMost  = 1 << 14 // 1 MiB
	longIDText  = 47      // bytes; longer texts are hashed each time
)

func (m *longIDs) ofLong(v nudge.Value) valueID {
	if m == nil || v.Kind != nudge.Text || len(v.Text) > longIDText {
		return idIn(hashOf(v.Kind, v.Text))
	}
	hash := rules.TextHash(v.Text)
	if len(m.slots) > 0 {
		if k := m.place(hash); string(k.text[:k.size]) == v.Text {
			return k.id
		}
	}
	return m.note(hash, v)
}

func (m *longIDs) place(hash uint64) *longID { return &m.slots[hash&uint64(len(m.slots)-1)] }

// note hashes a text and remembers its id. Where many are not known there are twice as many slots from then on; each is noted anew when it comes again.
func (m *longIDs) note(hash uint64, v nudge.Value) valueID {
	switch n := len(m.slots); {
	case n == 0:
		m.slots = make([]longID, longIDFirst)
	case m.unknown == 2*n && n < longIDMost:
		m.slots, m.unknown = make([]longID, 2*n), 0
	}
	m.unknown++
	k := m.place(hash)
	k.id, k.size = idIn(hashOf(v.Kind, v.Text)), uint8(copy(k.text[:], v.Text))
	return k.id
}
