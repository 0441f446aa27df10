package engine

import (
	"encoding/binary"
	"math"
	"sort"
	"unsafe"

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
	shiftEntries   = 8 // up to how many are moved one by one while a value is looked for

	flagHashed = 1
	shortText  = 15 // bytes; a longer one always stands there as its hash
)

func (d distinctSet) len() int     { return int(binary.LittleEndian.Uint16(d)) }
func (d distinctSet) setLen(n int) { binary.LittleEndian.PutUint16(d, uint16(n)) }
func (d distinctSet) cap() int     { return (len(d) - distinctHeader) / distinctEntry }

func (d distinctSet) at(i int) nudge.Millis {
	return timeAt(d, distinctHeader+i*distinctEntry+16)
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

func (d distinctSet) find(id valueID) int {
	for at, end := distinctHeader, distinctHeader+d.len()*distinctEntry; at < end; at += distinctEntry {
		if id.is(readID(d[at : at+16 : at+16])) {
			return (at - distinctHeader) / distinctEntry
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

// value is the 16 bytes that stand for a value.
func (d distinctSet) value(i int) []byte {
	at := distinctHeader + i*distinctEntry
	return d[at : at+16 : at+16]
}

func (d distinctSet) id(i int) valueID { return readID(d.value(i)) }

func (d distinctSet) hashed() bool { return d[2]&flagHashed != 0 }

// place moves the entries [to, from) one place down and writes the value at to.
func (d distinctSet) place(to, from int, id valueID, ts nudge.Millis) {
	at := distinctHeader + to*distinctEntry
	copy(d[at+distinctEntry:distinctHeader+(from+1)*distinctEntry], d[at:distinctHeader+from*distinctEntry])
	entry := d[at : at+distinctEntry : at+distinctEntry]
	id.put(entry)
	binary.LittleEndian.PutUint64(entry[16:], uint64(ts))
}

// putFirst makes a value the newest. It is looked for and the entries are moved in one go, up to where it was; if it is new and there is no room, the
// oldest is lost.
func (d distinctSet) putFirst(n int, id valueID, ts nudge.Millis) {
	if n > shiftEntries {
		d.moveFirst(n, id, ts)
		return
	}
	next, time := id, uint64(ts)
	at := distinctHeader
	for end := at + n*distinctEntry; at < end; at += distinctEntry {
		e := d[at : at+distinctEntry : at+distinctEntry]
		was, wasTime := readID(e), binary.LittleEndian.Uint64(e[16:])
		next.put(e)
		binary.LittleEndian.PutUint64(e[16:], time)
		if was.is(id) {
			return
		}
		next, time = was, wasTime
	}
	if at < len(d) {
		e := d[at : at+distinctEntry : at+distinctEntry]
		next.put(e)
		binary.LittleEndian.PutUint64(e[16:], time)
		d.setLen(n + 1)
	}
}

// moveFirst is putFirst for many entries: to look for the value and to move what is before it in one piece is then less work.
func (d distinctSet) moveFirst(n int, id valueID, ts nudge.Millis) {
	from := d.find(id)
	switch {
	case from >= 0:
	case n < d.cap():
		from = n
		d.setLen(n + 1)
	default:
		from = n - 1
	}
	d.place(0, from, id, ts)
}

func (d distinctSet) setTime(i int, ts nudge.Millis) {
	putTime(d, distinctHeader+i*distinctEntry+16, ts)
}

// note adds a value, unless that takes room for more: then it says so and nothing has changed. Times at or before expired can never count again.
func (d distinctSet) note(keep int, id valueID, ts, expired nudge.Millis) bool {
	n, to := d.len(), 0
	switch {
	case n == 0:
	case d.at(0) > ts:
		to = d.after(ts)
	case id.is(d.id(0)): // the newest once more, as of days most are
		d.setTime(0, ts)
		return true
	}
	if to == 0 && !d.hashed() && (n < d.cap() || n == keep || d.at(n-1) <= expired) {
		d.putFirst(n, id, ts)
		return true
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
			n = live
		case n < keep:
			return false
		case to == n:
			return true
		default:
			n--
		}
	}
	d.place(min(to, n), n, id, ts)
	d.setLen(n + 1)
	return true
}

// addValue adds a value to the key's set, growing it up to keep entries.
func (t *table) addValue(i uint32, num uint32, keep int, id valueID, ts, expired nudge.Millis) {
	d := distinctSet(t.slot(i, num))
	if d == nil {
		d = distinctSet(t.grow(i, num, distinctHeader+distinctEntry*min(distinctFirst, keep)))
	}
	if !d.note(keep, id, ts, expired) {
		distinctSet(t.grow(i, num, distinctHeader+distinctEntry*min(2*d.len(), keep))).note(keep, id, ts, expired)
	}
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
