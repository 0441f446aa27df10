package engine

import (
	"encoding/binary"
	"slices"
	"sort"

	"nudge"
)

// ring is the slot of OpCount: the newest times of matching events, in a circle.
//
//	0 u16 entries · 2 u16 position of the oldest · 4 i64 times, oldest first from that position on
//
// A count over a window is exact as long as it stays below the number of entries kept; that is all a comparison with a constant needs.
type ring []byte

const (
	ringHeader = 4
	ringFirst  = 1 // entries of a new ring: most keys are met once

	// scanEntries is up to how many entries are scanned from the newest on: most windows hold few of them.
	scanEntries = 32
)

func (r ring) len() int { return int(binary.LittleEndian.Uint16(r)) }
func (r ring) cap() int { return (len(r) - ringHeader) / 8 }

func (r ring) head() int { return int(binary.LittleEndian.Uint16(r[2:])) }

func (r ring) set(n, head int) {
	binary.LittleEndian.PutUint16(r, uint16(n))
	binary.LittleEndian.PutUint16(r[2:], uint16(head))
}

func (r ring) position(i int) int { // i counts from the oldest
	i += r.head()
	if c := r.cap(); i >= c {
		i -= c
	}
	return ringHeader + 8*i
}

func (r ring) at(i int) nudge.Millis {
	return timeAt(r, r.position(i))
}

func (r ring) put(i int, ts nudge.Millis) {
	putTime(r, r.position(i), ts)
}

// newest is the time of the n-th newest entry, counting from 1.
func (r ring) newest(n int) nudge.Millis { return r.at(r.len() - n) }

// dropOldest removes the oldest n entries.
func (r ring) dropOldest(n int) {
	head := r.head() + n
	if c := r.cap(); head >= c {
		head -= c
	}
	r.set(r.len()-n, head)
}

// after is how many entries are newer than ts.
func (r ring) after(ts nudge.Millis) int {
	n := r.len()
	if n == 0 || r.at(0) > ts {
		return n
	}
	if n > scanEntries {
		return n - sort.Search(n, func(i int) bool { return r.at(i) > ts })
	}
	i := n
	for i > 0 && r.at(i-1) > ts {
		i--
	}
	return n - i
}

// insert puts ts in its place; there is room.
func (r ring) insert(ts nudge.Millis) {
	n := r.len()
	r.set(n+1, r.head())
	i := n
	for ; i > 0 && r.at(i-1) > ts; i-- { // one step, unless the event is late
		r.put(i, r.at(i-1))
	}
	r.put(i, ts)
}

// note adds an event's time, unless that takes a longer ring: then it says so and nothing has changed. Times at or before expired can never count again.
// What comes most, a time that is the newest, is written out.
func (r ring) note(keep int, ts, expired nudge.Millis) bool {
	if ts <= expired {
		return true
	}
	start := int(binary.LittleEndian.Uint32(r))
	n, head := start&mostNarrow, start>>16
	free := ringHeader + 8*(head+n) // where the next time goes; of a full ring, where the oldest one is
	if free >= len(r) {
		free -= len(r) - ringHeader
	}
	newest := free - 8
	if newest < ringHeader {
		newest += len(r) - ringHeader
	}
	isNewest := n == 0 || timeAt(r, newest) <= ts
	if ringHeader+8*n < len(r) {
		if isNewest {
			putTime(r, free, ts)
			binary.LittleEndian.PutUint16(r, uint16(n+1))
			return true
		}
		r.insert(ts)
		return true
	}
	switch oldest := timeAt(r, free); {
	case oldest <= expired:
		r.dropOldest(n - r.after(expired))
	case n < keep:
		return false
	case isNewest:
		putTime(r, free, ts)
		if head++; head == n {
			head = 0
		}
		binary.LittleEndian.PutUint16(r[2:], uint16(head))
		return true
	case ts <= oldest:
		return true
	default:
		r.dropOldest(1)
	}
	r.insert(ts)
	return true
}

// timeAt is the time that stands at a byte. The limits of the slice spare the compiler a case in which it is empty.
func timeAt(b []byte, at int) nudge.Millis {
	return nudge.Millis(binary.LittleEndian.Uint64(b[at : at+8 : at+8]))
}

func putTime(b []byte, at int, ts nudge.Millis) {
	binary.LittleEndian.PutUint64(b[at:at+8:at+8], uint64(ts))
}

// addTime adds an event's time to the key's ring, growing it up to keep entries.
func (t *table) addTime(i uint32, num uint32, keep int, ts, expired nudge.Millis) {
	r := ring(t.slot(i, num))
	if r == nil {
		r = ring(t.grow(i, num, ringHeader+8*min(ringFirst, keep)))
	}
	if !r.note(keep, ts, expired) {
		r = ring(t.grow(i, num, r.larger(keep)))
		r.spread()
		r.insert(ts)
	}
}

// mergeTimes adds the times of an other ring: the newest of both stay.
func (t *table) mergeTimes(i, num uint32, keep int, src ring, expired nudge.Millis) {
	r := ring(t.slot(i, num))
	times := make([]nudge.Millis, 0, r.len()+src.len())
	for _, from := range []ring{r, src} {
		for j := from.len() - from.after(expired); j < from.len(); j++ {
			times = append(times, from.at(j))
		}
	}
	slices.Sort(times)
	times = times[max(0, len(times)-max(keep, r.cap())):]
	if len(times) > r.cap() {
		r = ring(t.grow(i, num, ringHeader+8*len(times)))
	}
	r.set(len(times), 0)
	for j, ts := range times {
		r.put(j, ts)
	}
}

// larger is how many bytes a full ring gets that is to keep so many entries.
func (r ring) larger(keep int) int { return ringHeader + 8*min(2*r.cap()+1, keep) }

// spread makes use of the bytes that a full ring has got more: they come to lie between the newest entry and the oldest, which move to the end.
func (r ring) spread() {
	if n, head := r.len(), r.head(); head > 0 {
		copy(r[len(r)-8*(n-head):], r[ringHeader+8*head:ringHeader+8*n])
		r.set(n, r.cap()-(n-head))
	}
}
