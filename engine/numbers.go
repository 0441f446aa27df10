package engine

import (
	"encoding/binary"
	"math"
	"sort"

	"nudge"
	"nudge/rules"
)

// numbers is the slot of OpNumbers: the newest matching events' numbers with their times, in a circle ordered by time.
//
//	0 u16 entries · 2 u16 position of the oldest · 4 u8 flags · 5 3 bytes reserved, 0 · 8 i64 newest time of an entry that was dropped
//	16 for each entry, oldest first from that position on: i64 time, i64 number in 10⁻⁶
//
// An entry is dropped where it could still be in a window only when there is no more room. A fold over a window that would hold it is
// not known, and is again when the window has left it behind.
type numbers []byte

const (
	numbersHeader = 16
	numbersEntry  = 16
	numbersFirst  = 1 // entries of new numbers
	flagDropped   = 1 // the time of a dropped entry is set
)

func (n numbers) len() int { return int(binary.LittleEndian.Uint16(n)) }
func (n numbers) cap() int { return (len(n) - numbersHeader) / numbersEntry }

func (n numbers) set(count, head int) {
	binary.LittleEndian.PutUint16(n, uint16(count))
	binary.LittleEndian.PutUint16(n[2:], uint16(head))
}

func (n numbers) entry(i int) []byte { // i counts from the oldest
	i += int(binary.LittleEndian.Uint16(n[2:]))
	if c := n.cap(); i >= c {
		i -= c
	}
	return n[numbersHeader+numbersEntry*i:][:numbersEntry]
}

func (n numbers) at(i int) nudge.Millis {
	return nudge.Millis(binary.LittleEndian.Uint64(n.entry(i)))
}

// runs are the newest count entries as they lie in the circle: up to its end, and from its beginning.
func (n numbers) runs(count int) (older, newer []byte) {
	entries := n[numbersHeader:]
	from := int(binary.LittleEndian.Uint16(n[2:])) + n.len() - count
	to, c := from+count, n.cap()
	if from >= c {
		from, to = from-c, to-c
	}
	if to <= c {
		return entries[from*numbersEntry : to*numbersEntry], nil
	}
	return entries[from*numbersEntry : c*numbersEntry], entries[:(to-c)*numbersEntry]
}

// addEntries adds the numbers of a run.
func (t *totals) addEntries(run []byte) {
	if len(run) > 0 && t.n == 0 {
		t.least, t.most = math.MaxInt64, math.MinInt64
	}
	t.n += uint64(len(run) / numbersEntry)
	for ; len(run) >= numbersEntry; run = run[numbersEntry:] {
		v := int64(binary.LittleEndian.Uint64(run[8:]))
		t.sum.add(v)
		t.least, t.most = min(t.least, v), max(t.most, v)
	}
}

// newest is the time of the k-th newest entry, counting from 1.
func (n numbers) newest(k int) nudge.Millis { return n.at(n.len() - k) }

// after is how many entries are newer than ts.
func (n numbers) after(ts nudge.Millis) int {
	count := n.len()
	if count == 0 || n.at(0) > ts {
		return count
	}
	return count - sort.Search(count, func(i int) bool { return n.at(i) > ts })
}

func (n numbers) dropOldest(count int) {
	head := int(binary.LittleEndian.Uint16(n[2:])) + count
	if c := n.cap(); head >= c {
		head -= c
	}
	n.set(n.len()-count, head)
}

// insert puts a number in its place; there is room.
func (n numbers) insert(ts nudge.Millis, v int64) {
	i := n.len()
	n.set(i+1, int(binary.LittleEndian.Uint16(n[2:])))
	for ; i > 0 && n.at(i-1) > ts; i-- { // one step, unless the event is late
		copy(n.entry(i), n.entry(i-1))
	}
	e := n.entry(i)
	binary.LittleEndian.PutUint64(e, uint64(ts))
	binary.LittleEndian.PutUint64(e[8:], uint64(v))
}

// dropped is the newest time of an entry that was dropped, and whether there is one.
func (n numbers) dropped() (nudge.Millis, bool) {
	return nudge.Millis(binary.LittleEndian.Uint64(n[8:])), n[4]&flagDropped != 0
}

func (n numbers) noteDropped(ts nudge.Millis) {
	if was, ok := n.dropped(); ok && was >= ts {
		return
	}
	n[4] |= flagDropped
	binary.LittleEndian.PutUint64(n[8:], uint64(ts))
}

// lacks says whether an entry newer than ts was dropped.
func (n numbers) lacks(ts nudge.Millis) bool {
	d, ok := n.dropped()
	return ok && d > ts
}

// reading folds the numbers that are newer than expired.
func (n numbers) reading(f rules.Fold, expired nudge.Millis) rules.Reading {
	var sum totals
	older, newer := n.runs(n.after(expired))
	sum.addEntries(older)
	sum.addEntries(newer)
	r := sum.reading(f)
	r.More = n.lacks(expired)
	return r
}

// addNumber adds an event's number, growing the slot up to keep entries, and says whether one was dropped that a window may hold. Times
// at or before expired can never count again.
func (t *table) addNumber(i, num uint32, keep int, v int64, ts, expired nudge.Millis) (dropped bool) {
	n := numbers(t.slot(i, num))
	if n == nil {
		n = numbers(t.grow(i, num, numbersHeader+numbersEntry*min(numbersFirst, keep)))
	}
	if n.len() == n.cap() {
		if old := n.len() - n.after(expired); old > 0 {
			n.dropOldest(old)
		} else if n.cap() < keep {
			n = t.growNumbers(i, num, min(2*n.cap(), keep))
		} else if ts <= n.at(0) {
			n.noteDropped(ts)
			return true
		} else {
			n.noteDropped(n.at(0))
			n.dropOldest(1)
			dropped = true
		}
	}
	n.insert(ts, v)
	return dropped
}

// mergeNumbers adds the numbers of another slot, and says whether one was dropped that a window may hold.
func (t *table) mergeNumbers(i, num uint32, keep int, src numbers, expired nudge.Millis) (dropped bool) {
	for j := src.len() - src.after(expired); j < src.len(); j++ {
		v := int64(binary.LittleEndian.Uint64(src.entry(j)[8:]))
		dropped = t.addNumber(i, num, keep, v, src.at(j), expired) || dropped
	}
	if ts, ok := src.dropped(); ok {
		numbers(t.slot(i, num)).noteDropped(ts)
	}
	return dropped
}

// growNumbers gives the slot room for c entries, the oldest at position 0.
func (t *table) growNumbers(i, num uint32, c int) numbers {
	t.value = append(t.value[:0], t.slot(i, num)...)
	old := numbers(t.value)
	n := numbers(t.grow(i, num, numbersHeader+numbersEntry*c))
	n.set(old.len(), 0)
	for j := range old.len() {
		copy(n.entry(j), old.entry(j))
	}
	return n
}

// droppedExpiry is when a window of that length leaves the newest dropped entry behind, if that is after now.
func (n numbers) droppedExpiry(window, now nudge.Millis) nudge.Millis {
	if d, ok := n.dropped(); ok && d > expiredAt(now, window) {
		return d + window
	}
	return never
}
