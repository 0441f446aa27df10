package engine

import (
	"encoding/binary"
	"math"
	"sort"
	"unsafe"

	"nudge"
)

// distinctSet is the slot of OpDistinct: the newest different values, each with the newest time of an event that had it, in a circle, newest first.
//
//	0 u16 entries · 2 u16 bit 0: a short text may stand there as its hash; the other bits: position of the newest
//	4 for each entry: 16 bytes that stand for the value, i64 time
//
// Of the events that share a time, the one stamped last counts as newer. An erasure makes hashes of the short texts, so that the numbers stay
// and nobody can read what they were (scrub.go).
type distinctSet []byte

const (
	distinctHeader = 4
	distinctEntry  = 24
	distinctFirst  = 1 // entries of a new set

	flagHashed        = 1
	distinctHeadShift = 17 // of the first four bytes
	shortText         = 15 // bytes; a longer one always stands there as its hash
)

func (d distinctSet) len() int     { return int(binary.LittleEndian.Uint16(d)) }
func (d distinctSet) setLen(n int) { binary.LittleEndian.PutUint16(d, uint16(n)) }
func (d distinctSet) cap() int     { return (len(d) - distinctHeader) / distinctEntry }

func (d distinctSet) head() int { return int(binary.LittleEndian.Uint32(d) >> distinctHeadShift) }

func (d distinctSet) setHead(head int) {
	d[2], d[3] = d[2]&flagHashed|byte(head<<1), byte(head>>7)
}

// position is where an entry stands; i counts from the newest.
func (d distinctSet) position(i int) int {
	at := distinctHeader + distinctEntry*(d.head()+i)
	if at >= len(d) {
		at -= len(d) - distinctHeader
	}
	return at
}

func (d distinctSet) at(i int) nudge.Millis { return timeAt(d, d.position(i)+16) }

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

func (d distinctSet) find(id valueID) int {
	n, at := d.len(), d.position(0)
	for i := range n {
		if id.is(readID(d[at : at+16 : at+16])) {
			return i
		}
		if at += distinctEntry; at == len(d) {
			at = distinctHeader
		}
	}
	if !d.hashed() {
		return -1
	}
	bytes := id.bytes()
	if text, short := shortOf(bytes[:]); short {
		return d.find(idIn(digestOf(text)))
	}
	return -1
}

func (d distinctSet) entry(i int) []byte {
	at := d.position(i)
	return d[at : at+distinctEntry : at+distinctEntry]
}

// value is the 16 bytes that stand for a value.
func (d distinctSet) value(i int) []byte { return d.entry(i)[:16] }

func (d distinctSet) id(i int) valueID { return readID(d.value(i)) }

func (d distinctSet) hashed() bool { return d[2]&flagHashed != 0 }

// write makes an entry of a value.
func (d distinctSet) write(i int, id valueID, ts nudge.Millis) {
	entry := d.entry(i)
	id.put(entry)
	binary.LittleEndian.PutUint64(entry[16:], uint64(ts))
}

// place moves the entries [to, from) one place down and writes the value at to.
func (d distinctSet) place(to, from int, id valueID, ts nudge.Millis) {
	a, b := d.position(to), d.position(from)
	if a > b { // the part goes over the end
		copy(d[distinctHeader+distinctEntry:], d[distinctHeader:b])
		copy(d[distinctHeader:], d[len(d)-distinctEntry:])
		b = len(d) - distinctEntry
	}
	copy(d[a+distinctEntry:], d[a:b])
	d.write(to, id, ts)
}

// note adds a value, unless that takes room for more: then it says so and nothing has changed. Times at or before expired can never count again.
//
// What comes most, the newest value once more and a new one that takes the oldest's place, is written out.
func (d distinctSet) note(keep int, id valueID, ts, expired nudge.Millis) bool {
	head := int(binary.LittleEndian.Uint32(d))
	n, first := head&mostNarrow, distinctHeader+distinctEntry*(head>>distinctHeadShift)
	if newest := d[first : first+distinctEntry : first+distinctEntry]; n > 0 && timeAt(newest, 16) <= ts {
		if id.is(readID(newest)) {
			putTime(newest, 16, ts)
			return true
		}
		if n == keep && distinctHeader+distinctEntry*n == len(d) && !d.hashed() && d.lacks(id) {
			d.begin(id, ts)
			return true
		}
	}
	return d.noteAny(keep, id, ts, expired)
}

// lacks says whether no entry is of a value. The set is full, and has no hashes of short texts.
func (d distinctSet) lacks(id valueID) bool {
	for ; len(d) > distinctEntry; d = d[:len(d)-distinctEntry] {
		if id.is(readID(d[len(d)-distinctEntry : len(d) : len(d)])) {
			return false
		}
	}
	return true
}

// noteAny is note for all cases.
func (d distinctSet) noteAny(keep int, id valueID, ts, expired nudge.Millis) bool {
	n, to := d.len(), 0
	if n > 0 && d.at(0) > ts {
		to = d.after(ts)
	}
	if at := d.find(id); at >= 0 {
		if d.at(at) <= ts {
			d.place(to, at, id, ts)
		}
		return true
	}
	if n == d.cap() {
		switch live := d.after(expired); {
		case live < n:
			d.drop(live)
			n = live
		case n < keep:
			return false
		case to == n:
			return true
		default:
			n--
		}
	}
	if d.setLen(n + 1); to == 0 {
		d.begin(id, ts)
	} else {
		d.place(min(to, n), n, id, ts)
	}
	return true
}

// begin puts a value before the newest: into the room that there is, or in place of the oldest.
func (d distinctSet) begin(id valueID, ts nudge.Millis) {
	head := d.head()
	if head == 0 {
		head = d.cap()
	}
	d.setHead(head - 1)
	d.write(0, id, ts)
}

// drop forgets the oldest values, down to n of them. Nothing is left of what they were.
func (d distinctSet) drop(n int) {
	for i := n; i < d.len(); i++ {
		clear(d.entry(i))
	}
	d.setLen(n)
}

// addValue adds a value to the key's set, growing it up to keep entries.
func (t *table) addValue(i uint32, num uint32, keep int, id valueID, ts, expired nudge.Millis) {
	d := distinctSet(t.slot(i, num))
	if d == nil {
		d = distinctSet(t.grow(i, num, distinctHeader+distinctEntry*min(distinctFirst, keep)))
	}
	if !d.note(keep, id, ts, expired) {
		d = distinctSet(t.grow(i, num, d.larger(keep)))
		d.spread()
		d.note(keep, id, ts, expired)
	}
}

// larger is how many bytes a full set gets that is to keep so many values.
func (d distinctSet) larger(keep int) int { return distinctHeader + distinctEntry*min(2*d.cap(), keep) }

// spread makes use of the bytes that a full set has got more: they come to lie between the oldest value and the newest, which move to the end.
func (d distinctSet) spread() {
	n, head := d.len(), d.head()
	if head == 0 {
		return
	}
	room, from := d.cap()-n, distinctHeader+distinctEntry*head
	copy(d[from+distinctEntry*room:], d[from:distinctHeader+distinctEntry*n])
	clear(d[from : from+distinctEntry*min(room, n-head)]) // nothing is left where they were: an erasure would not find it
	d.setHead(head + room)
}

// mergeDistinct adds the values of an other set: the newest of both stay.
func (t *table) mergeDistinct(i, num uint32, keep int, src distinctSet, expired nudge.Millis) {
	d := distinctSet(t.slot(i, num))
	a, b := d.after(expired), src.after(expired)
	keep = max(keep, d.cap())
	seen := map[valueID]bool{}
	var out []byte
	for j, k := 0, 0; len(seen) < keep && j+k < a+b; {
		from, at := d, &j
		if j == a || k < b && src.at(k) >= d.at(j) {
			from, at = src, &k
		}
		if id := from.id(*at); !seen[id] {
			seen[id] = true
			out = append(out, from.entry(*at)...)
		}
		*at++
	}
	if len(d) < distinctHeader+len(out) {
		d = distinctSet(t.grow(i, num, distinctHeader+len(out)))
	}
	d.setLen(len(seen))
	d.setHead(0)
	clear(d[distinctHeader+copy(d[distinctHeader:], out):])
}

// valueID stands for a value: the value itself where it is short, else 127 bits of its hash. These are its 16 bytes, little endian; the first byte tells
// kinds and lengths apart.
type valueID struct{ first, rest uint64 }

// of is the id of a value. Where nothing is remembered, m being nil, every long text is hashed.
func (m *longIDs) of(v nudge.Value) valueID {
	switch {
	case v.Kind == nudge.Number:
		bits := math.Float64bits(v.Num + 0) // + 0: minus zero is zero
		return valueID{0x20 | bits<<8, bits >> 56}
	case v.Kind == nudge.Bool:
		return valueID{first: 0x30 | uint64(v.Num)<<8}
	case v.Kind == nudge.Text && len(v.Text) <= shortText:
		return idOfShort(v.Text)
	}
	return m.ofLong(v)
}

// idOfShort is the id of a text of up to shortText bytes: its length, then its bytes, then zeros.
func idOfShort(text string) valueID {
	b, n := unsafe.Slice(unsafe.StringData(text), len(text)), len(text)
	var first, rest uint64 // the text's bytes
	switch {
	case n >= 8: // the last eight bytes may share some with the first
		first, rest = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])>>(8*(16-n))
	case n >= 4:
		first = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4))
	default:
		for i, c := range b {
			first |= uint64(c) << (8 * i)
		}
	}
	return valueID{uint64(n) | first<<8, first>>56 | rest<<8}
}

// idIn is the id that 16 bytes hold.
func idIn[B [16]byte | digest](b B) valueID {
	bytes := [16]byte(b)
	return readID(bytes[:])
}

func readID(b []byte) valueID {
	return valueID{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

func (id valueID) put(b []byte) {
	binary.LittleEndian.PutUint64(b, id.first)
	binary.LittleEndian.PutUint64(b[8:], id.rest)
}

// is says whether two ids are the same. It takes one branch: many differ in one half only, and in which one is hard for the processor to guess.
func (id valueID) is(other valueID) bool { return (id.first^other.first)|(id.rest^other.rest) == 0 }

func (id valueID) bytes() (b [16]byte) {
	id.put(b[:])
	return b
}

// shortOf is the text that an id holds as it is, if it holds one.
func shortOf(id []byte) (text string, ok bool) {
	if id[0] > shortText {
		return "", false
	}
	return string(id[1 : 1+id[0]]), true
}
