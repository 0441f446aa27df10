package engine

import "encoding/binary"

// widen is grow for the common case: the record is narrow and stays so, all its slots are used, and the one with the number gets longer, or is
// new. What stands before it and behind it is moved as it is. It says whether it has done it.
func (t *table) widen(i, num uint32, size int) bool {
	rec := t.record(i)
	d := directoryOf(rec)
	if d.wide || num > mostNarrow {
		return false
	}
	g, ok := t.gapFor(&d, num, size)
	if !ok {
		return false
	}
	ref, room := t.entry(i).ref, len(rec)+g.entry+g.bytes
	if room > mostNarrow {
		return false
	}
	if t.slabs.room(ref) < room {
		ref = t.slabs.alloc(room)
	}
	g.open(t.slabs.bytes(ref, room), rec, int(d.at), d.len())
	if g.entry > 0 {
		g.enter(t.slabs.bytes(ref, room), int(d.at), d.len(), num)
	}
	t.replace(i, ref, room)
	return true
}

// gap is where a record gets longer.
type gap struct {
	place int // in the directory, of the slot
	entry int // bytes that the directory gets longer by, before place: dirEntry or none
	end   int // of the slot as it is; of a new one where it comes to stand, but for the directory's getting longer
	bytes int // that follow end
}

// gapFor is the gap that a slot needs to have size bytes. ok is false if it has more, or if a slot is in the record that no rule uses any more.
func (t *table) gapFor(d *directory, num uint32, size int) (g gap, ok bool) {
	n := d.len()
	g = gap{place: n, entry: dirEntry, end: len(d.rec), bytes: size}
	for j := n - 1; j >= 0; j-- {
		m, from := d.entry(j)
		switch {
		case !t.isLive(m):
			return g, false
		case m == num:
			g.place, g.entry, g.bytes = j, 0, size-(g.end-from)
		case m > num:
			g.place, g.end = j, from
		}
	}
	return g, g.bytes >= 0
}

// open copies a record of n slots to dst, which may begin where it does, with the gap in it. What is new in the slot is zero.
func (g *gap) open(dst, rec []byte, dir, n int) {
	slots := dir + n*dirEntry
	entries := dir + g.place*dirEntry
	copy(dst[g.end+g.entry+g.bytes:], rec[g.end:])
	copy(dst[slots+g.entry:], rec[slots:g.end])
	clear(dst[g.end+g.entry : g.end+g.entry+g.bytes])
	copy(dst[entries+g.entry:slots+g.entry], rec[entries:slots])
	copy(dst[:entries], rec[:entries])
	behind := g.place
	if g.entry == 0 {
		behind++
	}
	for j := range n {
		at, by := dir+j*dirEntry, g.entry
		if j >= g.place {
			at += g.entry
		}
		if j >= behind {
			by += g.bytes
		}
		e := binary.LittleEndian.Uint32(dst[at:])
		binary.LittleEndian.PutUint32(dst[at:], e+uint32(by)<<16)
	}
}

// enter notes the new slot in the directory.
func (g *gap) enter(dst []byte, dir, n int, num uint32) {
	binary.LittleEndian.PutUint16(dst[4:], uint16(n+1))
	binary.LittleEndian.PutUint32(dst[dir+g.place*dirEntry:], num|uint32(g.end+dirEntry)<<16)
}
