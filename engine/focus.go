package engine

import "encoding/binary"

// focus is the key that a table's owner is at work on: where each of its slots lies is noted once, as one event looks for the same slots
// several times.
type focus struct {
	entry  uint32 // + 1; 0: none, which is noEntry too: it has no slots
	slots  int    // how many it has
	rec    []byte
	mark   uint32      // of the places that are this key's
	places []slotPlace // by number
	ids    *longIDs    // of the shard; nil where a key is only tried
}

// slotPlace is mark << 32 | to << 16 | from, of a slot in a narrow record: from and to are where it begins and ends.
type slotPlace uint64

func (p slotPlace) isOf(mark uint32) bool { return uint32(p>>32) == mark }
func (p slotPlace) from() int             { return int(p & mostNarrow) }
func (p slotPlace) to() int               { return int(p >> 16 & mostNarrow) }

// maxFocus is how many slots a key has at most to be worth it: with more, they are found by binary search.
const maxFocus = 64

// unfocus voids what is noted.
func (f *focus) unfocus() {
	f.entry = 0
	if f.mark++; f.mark == 0 {
		clear(f.places)
		f.mark = 1
	}
}

// focusOn notes where the slots of an entry lie. Whatever moves a record ends the focus on it.
func (t *table) focusOn(i uint32) {
	if t.focus.entry == i+1 {
		return
	}
	t.focus.unfocus()
	if i != noEntry {
		t.notePlaces(i)
	}
}

func (t *table) notePlaces(i uint32) {
	f, rec := &t.focus, t.record(i)
	slots, dir, narrow := narrowDirectory(rec)
	if slots > maxFocus || !narrow {
		return
	}
	f.entry, f.slots, f.rec = i+1, slots, rec
	if slots == 0 {
		return
	}
	if last := int(binary.LittleEndian.Uint16(dir[len(dir)-dirEntry:])); last >= len(f.places) {
		f.places = append(f.places, make([]slotPlace, last+1-len(f.places))...)
	}
	places, mark, end := f.places, slotPlace(f.mark)<<32, slotPlace(len(rec))<<16
	for ; len(dir) >= dirEntry; dir = dir[:len(dir)-dirEntry] {
		e := binary.LittleEndian.Uint32(dir[len(dir)-dirEntry : len(dir) : len(dir)])
		places[e&mostNarrow] = mark | end | slotPlace(e>>16)
		end = slotPlace(e &^ mostNarrow)
	}
}

// slot is the bytes of a slot of the key, nil if it has none.
func (f *focus) slot(num uint32) []byte {
	if int(num) >= len(f.places) {
		return nil
	}
	p := f.places[num]
	if !p.isOf(f.mark) {
		return nil
	}
	return f.rec[p.from():p.to()]
}

// focusOf is the focus if an entry is in it, else nil.
func (t *table) focusOf(i uint32) *focus {
	if f := &t.focus; i != noEntry && f.entry == i+1 {
		return f
	}
	return nil
}
