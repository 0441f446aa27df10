package engine

import (
	"encoding/binary"
	"unsafe"

	"nudge"
)

// longIDs remembers the ids of long texts, which are hashes: the paths of a site and the ids of its users come again and again, and to see that a
// text is the same one takes a tenth of the time that hashing it does. What an id is does not depend on it.
type longIDs struct {
	slots *[longIDSlots]longID // nil: no long text so far
}

// longID is one text with its id, in one cache line.
type longID struct {
	id   valueID
	size uint8 // of the text; 0: none
	text [longIDText]byte
}

const (
	longIDBits  = 10
	longIDSlots = 1 << longIDBits // a text has its place in one of them, where the newest stands
	longIDText  = 47              // bytes; longer texts are hashed each time
)

func (m *longIDs) ofLong(v nudge.Value) valueID {
	if m == nil || v.Kind != nudge.Text || len(v.Text) > longIDText {
		return idIn(hashOf(v.Kind, v.Text))
	}
	if m.slots == nil {
		m.slots = new([longIDSlots]longID)
	}
	k := &m.slots[placeOfLong(v.Text)]
	if string(k.text[:k.size]) != v.Text {
		k.id, k.size = idIn(hashOf(v.Kind, v.Text)), uint8(copy(k.text[:], v.Text))
	}
	return k.id
}

// placeOfLong is the place of a text by its length and both ends, which is where ids and paths differ. It has more than shortText bytes.
func placeOfLong(text string) uint64 {
	b, n := unsafe.Slice(unsafe.StringData(text), len(text)), len(text)
	mixed := (binary.LittleEndian.Uint64(b)+uint64(n))*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(b[n-8:])
	return mixed * 0x9e3779b97f4a7c15 >> (64 - longIDBits) // the first bits depend on all of mixed
}
