package engine

import (
	"encoding/binary"
	"math"
	"sort"

	"nudge"
)

// distinctSet is the slot of OpDistinct: the newest different values, each with the newest time of an event that had it,
// newest first.
//
//	0 u16 entries · 2 u16 flags: 1 = a short text may stand there as its hash · 4 for each entry: 16 bytes that stand for the value, i64 time
//
// Of the events that share a time, the one stamped last counts as newer. An erasure makes hashes of the short texts, so that the numbers stay
// and nobody can read what they were (scrub.go).
type distinctSet []byte

const (
	distinctHeader = 4
	distinctEntry  = 24
	distinctFirst  = 1 // entries of a new set

	flagHashed = 1
	shortText  = 15 // bytes; a longer one always stands there as its hash
)

func (d distinctSet) len() int     { return int(binary.LittleEndian.Uint16(d)) }
func (d distinctSet) setLen(n int) { binary.LittleEndian.PutUint16(d, uint16(n)) }
func (d distinctSet) cap() int     { return (len(d) - distinctHeader) / distinctEntry }

func (d distinctSet) at(i int) nudge.Millis {
	return nudge.Millis(binary.LittleEndian.Uint64(d[distinctHeader+i*distinctEntry+16:]))
}

// newest is the time of the n-th newest value, counting from 1.
func (d distinctSet) newest(n int) nudge.Millis { return d.at(n - 1) }

// after is how many values are newer than ts.
func (d distinctSet) after(ts nudge.Millis) int {
	n := d.len()
	if n == 0 || d.at(n-1) > ts {
		return n
	}
	if n > scanEntries {
		return sort.Search(n, func(i int) bool { return d.at(i) <= ts })
	}
	i := 0
	for d.at(i) > ts {
		i++
	}
	return i
}

func (d distinctSet) find(id *[16]byte) int {
	first, rest := binary.LittleEndian.Uint64(id[:]), binary.LittleEndian.Uint64(id[8:])
	for i, left := 0, d[distinctHeader:distinctHeader+distinctEntry*d.len()]; len(left) >= distinctEntry; i, left = i+1, left[distinctEntry:] {
		if binary.LittleEndian.Uint64(left) == first && binary.LittleEndian.Uint64(left[8:]) == rest {
			return i
		}
	}
	if !d.hashed() {
		return -1
	}
	if text, short := shortOf(id[:]); short {
		hash := [16]byte(digestOf(text))
		return d.find(&hash)
	}
	return -1
}

// value is the 16 bytes that stand for a value.
func (d distinctSet) value(i int) []byte {
	at := distinctHeader + i*distinctEntry
	return d[at : at+16]
}

func (d distinctSet) hashed() bool { return d[2]&flagHashed != 0 }

// place moves the entries [to, from) one place down and writes the value at to.
func (d distinctSet) place(to, from int, id *[16]byte, ts nudge.Millis) {
	at := distinctHeader + to*distinctEntry
	copy(d[at+distinctEntry:distinctHeader+(from+1)*distinctEntry], d[at:distinctHeader+from*distinctEntry])
	copy(d[at:], id[:])
	d.setTime(to, ts)
}

func (d distinctSet) setTime(i int, ts nudge.Millis) {
	binary.LittleEndian.PutUint64(d[distinctHeader+i*distinctEntry+16:], uint64(ts))
}

// addValue adds a value to the key's set, growing it up to keep entries. Times at or before expired can never count again.
func (t *table) addValue(i uint32, num uint32, keep int, id [16]byte, ts, expired nudge.Millis) {
	d := distinctSet(t.slot(i, num))
	if d == nil {
		d = distinctSet(t.grow(i, num, distinctHeader+distinctEntry*min(distinctFirst, keep)))
	}
	n, to := d.len(), 0
	switch {
	case n == 0:
	case d.at(0) > ts:
		to = d.after(ts)
	case [16]byte(d.value(0)) == id: // the newest once more, as of days most are
		d.setTime(0, ts)
		return
	}
	if at := d.find(&id); at >= 0 {
		if d.at(at) <= ts {
			d.place(to, at, &id, ts)
		}
		return
	}
	if n == d.cap() {
		if live := d.after(expired); live < n {
			n = live
		} else if n < keep {
			d = distinctSet(t.grow(i, num, distinctHeader+distinctEntry*min(2*n, keep)))
		} else if to == n {
			return
		} else {
			n--
		}
	}
	if to > n {
		to = n
	}
	d.place(to, n, &id, ts)
	d.setLen(n + 1)
}

// mergeDistinct adds the values of an other set: the newest of both stay.
func (t *table) mergeDistinct(i, num uint32, keep int, src distinctSet, expired nudge.Millis) {
	d := distinctSet(t.slot(i, num))
	a, b := d.entries(expired), src.entries(expired)
	keep = max(keep, d.cap())
	seen := map[[16]byte]bool{}
	var out []byte
	for len(seen) < keep && len(a)+len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && entryTime(b) >= entryTime(a) {
			from = &b
		}
		if id := [16]byte((*from)[:16]); !seen[id] {
			seen[id] = true
			out = append(out, (*from)[:distinctEntry]...)
		}
		*from = (*from)[distinctEntry:]
	}
	if len(d) < distinctHeader+len(out) {
		d = distinctSet(t.grow(i, num, distinctHeader+len(out)))
	}
	d.setLen(len(seen))
	copy(d[distinctHeader:], out)
}

// entries are the encoded values that are newer than a time.
func (d distinctSet) entries(expired nudge.Millis) []byte {
	return d[distinctHeader : distinctHeader+d.after(expired)*distinctEntry]
}

// entryTime is the time of the first of encoded values.
func entryTime(entries []byte) nudge.Millis {
	return nudge.Millis(binary.LittleEndian.Uint64(entries[16:]))
}

// valueID stands for a value: the value itself where it is short, else 127 bits of its hash. The first byte tells kinds and lengths apart.
func valueID(v nudge.Value) (id [16]byte) {
	switch {
	case v.Kind == nudge.Number:
		id[0] = 0x20
		binary.LittleEndian.PutUint64(id[1:], math.Float64bits(v.Num+0)) // + 0: minus zero is zero
	case v.Kind == nudge.Bool:
		id[0] = 0x30
		id[1] = byte(v.Num)
	case v.Kind == nudge.Text && len(v.Text) <= shortText:
		id[0] = byte(len(v.Text))
		copy(id[1:], v.Text)
	default:
		id = hashOf(v.Kind, v.Text)
	}
	return id
}

// shortOf is the text that an id holds as it is, if it holds one.
func shortOf(id []byte) (text string, ok bool) {
	if id[0] > shortText {
		return "", false
	}
	return string(id[1 : 1+id[0]]), true
}
