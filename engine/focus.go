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
	d := directoryOf(t.record(i))
	if d.len() > maxFocus {
		return
	}
	if f.mark++; f.mark == 0 {
		clear(f.place)
		f.mark = 1
	}
	f.entry, f.rec = i+1, d.rec
	if d.n == 0 {
		return
	}
	if last := int(d.num(d.len() - 1)); last >= len(f.place) {
		f.place = append(f.place, make([]slotPlace, last+1-len(f.place))...)
	}
	to := uint32(len(d.rec))
	if d.wide {
		for j := d.len() - 1; j >= 0; j-- {
			num, from := d.entry(j)
			f.place[num] = slotPlace{f.mark, uint32(from), to}
			to = uint32(from)
		}
		return
	}
	place, mark := f.place, f.mark
	dir := d.rec[d.at:][:d.len()*dirEntry]
	for len(dir) >= dirEntry {
		e := binary.LittleEndian.Uint32(dir[len(dir)-dirEntry:])
		dir = dir[:len(dir)-dirEntry]
		place[e&mostNarrow] = slotPlace{mark, e >> 16, to}
		to = e >> 16
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
