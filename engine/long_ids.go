package engine

import (
	"nudge"
	"nudge/rules"
)

// longIDs remembers the ids of long texts, which are hashes: the paths of a site and the ids of its users come again and again, and to see that a
// text is the same one takes a tenth of the time that hashing it does. What an id is does not depend on it.
type longIDs struct {
	slots *[longIDSlots]longID // nil: no long text so far
	today today
}

// today is the id of a day: that of the times in [from, to). Most events are of the same day as the one before.
type today struct {
	id       valueID
	from, to nudge.Millis
}

// longID is one text with its id, in one cache line.
type longID struct {
	id   valueID
	size uint8 // of the text; 0: none
	text [longIDText]byte
}

const (
	longIDSlots = 1 << 10 // a text has its place in one of them, where the newest stands
	longIDText  = 47      // bytes; longer texts are hashed each time
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

// placeOfLong is the place of a text, by all of it: the paths of a site may differ in the middle only.
func placeOfLong(text string) uint64 { return rules.TextHash(text) % longIDSlots }

// ofDay is the id of the day on which a time falls.
func (m *longIDs) ofDay(day rules.DayFunc, ts nudge.Millis) valueID {
	if t := &m.today; ts < t.from || ts >= t.to {
		n, from, to := day(ts)
		*t = today{m.of(nudge.NumberValue(n)), from, to}
	}
	return m.today.id
}
