package engine

import "encoding/binary"

// focus is the key that a table's owner is at work on: where each of its slots lies is noted once, as one event looks for the same slots
// several times.
type focus struct {
	entry uint32 // + 1; 0: none
	rec   []byte
	mark  uint32 // of the slots in places that are this key's
	place []slotPlace
}

type slotPlace struct {
	mark, from, to uint32
}

// maxFocus is how many slots a key has at most to be worth it: with more, they are found by binary search.
const maxFocus = 64

// focusOn notes where the slots of an entry lie. Whatever moves a record ends the focus on it.
func (t *table) focusOn(i uint32) {
	f := &t.focus
	if f.entry == i+1 && i != noEntry {
		return
	}
	f.entry = 0
	if i == noEntry {
		return
	}
	rec := t.record(i)
	at, n := directory(rec)
	if n > maxFocus {
		return
	}
	if f.mark++; f.mark == 0 {
		clear(f.place)
		f.mark = 1
	}
	f.entry, f.rec = i+1, rec
	if n == 0 {
		return
	}
	dir := rec[at : at+n*dirEntry]
	if last := int(binary.LittleEndian.Uint32(dir[len(dir)-dirEntry:])); last >= len(f.place) {
		f.place = append(f.place, make([]slotPlace, last+1-len(f.place))...)
	}
	to := uint32(len(rec))
	for j := len(dir) - dirEntry; j >= 0; j -= dirEntry {
		from := binary.LittleEndian.Uint32(dir[j+4:])
		f.place[binary.LittleEndian.Uint32(dir[j:])] = slotPlace{f.mark, from, to}
		to = from
	}
}

func (f *focus) slot(num uint32) []byte {
	if int(num) >= len(f.place) {
		return nil
	}
	p := &f.place[num]
	if p.mark != f.mark {
		return nil
	}
	return f.rec[p.from:p.to]
}
