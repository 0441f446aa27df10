package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"nudge"
	"nudge/rules"
)

// uniter returns what makes one slot of two for the operators that have grown, where the log does not reach back to its beginning: the
// key may know what the log no longer holds. Everywhere else what was read back is the whole truth. What the key knows of an instant that is not above
// the operator's floor counts for nothing, as a key that has vanished would not know it.
func (g *program) uniter() uniter {
	type grownOp struct {
		*rules.Op
		floor nudge.Millis
	}
	grown := map[uint32]grownOp{}
	for i, c := range g.cold {
		if c == coldGrown {
			grown[g.nums[i]] = grownOp{&g.plan.Ops[i], g.above(g.nums[i], noTime)}
		}
	}
	return func(num uint32, had, read []byte) []byte {
		op, isGrown := grown[num]
		switch {
		case !isGrown:
			return read
		case had == nil && (op.Kind == rules.OpAbsent || op.Kind == rules.OpDwell || op.Kind == rules.OpSequence):
			return nil // the key has seen all that was read, and nothing is open: what seems to be began before the log does
		case had == nil:
			return read
		}
		switch op.Kind {
		case rules.OpCount:
			return uniteRings(ring(had), ring(read), op.Keep, op.floor)
		case rules.OpDistinct:
			return uniteDistinct(distinctSet(had), distinctSet(read), op.Keep, op.floor)
		case rules.OpValues:
			return uniteValues(had, read, op.Keep, op.floor)
		case rules.OpNumbers:
			return uniteNumbers(numbers(had), numbers(read), op.Keep, op.floor)
		case rules.OpTotal, rules.OpTally, rules.OpScore, rules.OpLast, rules.OpSince, rules.OpSequence:
			return had // what they hold does not depend on their size, and they have seen at least what the log holds
		case rules.OpFirst:
			if sinceNewest(read) > sinceNewest(had) { // the key may have vanished meanwhile
				return read
			}
			return had
		case rules.OpAbsent, rules.OpDwell:
			return had // it lacks fields of what it waits for, but knows all else
		}
		return read // of an operator that is not known here: right as far as the log goes
	}
}

// uniteRings keeps the newest times of both, of had those above the floor. A time that both know is one event's.
func uniteRings(had, read ring, keep int, floor nudge.Millis) ring {
	var times []nudge.Millis // newest first
	first := had.len() - had.after(floor)
	for i, j := had.len()-1, read.len()-1; (i >= first || j >= 0) && len(times) < keep; {
		switch {
		case j < 0 || i >= first && had.at(i) > read.at(j):
			times = append(times, had.at(i))
			i--
		case i < first || read.at(j) > had.at(i):
			times = append(times, read.at(j))
			j--
		default:
			times = append(times, had.at(i))
			i--
			j--
		}
	}
	r := ring(make([]byte, ringHeader+8*max(len(times), 1))) // a circle without room could not grow
	r.set(len(times), 0)
	for i, ts := range times {
		r.put(len(times)-1-i, ts)
	}
	return r
}

// uniteNumbers keeps the newest numbers of both, of had those above the floor. A number of one time that both know is one event's. What either has
// dropped stays unknown, even if the other still holds it: better no answer than a wrong one.
func uniteNumbers(had, read numbers, keep int, floor nudge.Millis) numbers {
	type entry [numbersEntry]byte
	at := func(e entry) nudge.Millis { return nudge.Millis(binary.LittleEndian.Uint64(e[:])) }
	var all []entry // oldest first
	extra := map[entry]int{}
	for i := range read.len() {
		e := entry(read.entry(i))
		all = append(all, e)
		extra[e]--
	}
	for i := had.len() - had.after(floor); i < had.len(); i++ {
		e := entry(had.entry(i))
		if extra[e]++; extra[e] > 0 {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(at(a), at(b)) })
	kept := all[max(len(all)-keep, 0):]                                      // the key has seen all that was read: of what goes here it has dropped one that is as new
	n := numbers(make([]byte, numbersHeader+numbersEntry*max(len(kept), 1))) // a circle without room could not grow
	n.set(len(kept), 0)
	for i := range kept {
		copy(n.entry(i), kept[i][:])
	}
	if ts, ok := had.dropped(); ok && ts > floor {
		n.noteDropped(ts)
	}
	if ts, ok := read.dropped(); ok {
		n.noteDropped(ts)
	}
	return n
}

// dated is a value of a slot with its newest time, and the stamp and the source of the event that had it where the slot holds them.
type dated struct {
	ts     nudge.Millis
	taken  stamp
	source []byte
	value  []byte
}

// newestOf keeps the newest of different values, each with its newest time, in the order of time and stamp; of had those above the floor. Where these are equal,
// what was read goes first.
func newestOf(read, had []dated, keep int, floor nudge.Millis) []dated {
	all := append(slices.Clone(read), slices.DeleteFunc(had, func(d dated) bool { return d.ts <= floor })...)
	slices.SortStableFunc(all, func(a, b dated) int {
		return cmp.Or(cmp.Compare(b.ts, a.ts), cmp.Compare(b.taken, a.taken))
	})
	var kept []dated
	for _, d := range all {
		known := slices.ContainsFunc(kept, func(k dated) bool { return bytes.Equal(k.value, d.value) })
		if !known && len(kept) < keep {
			kept = append(kept, d)
		}
	}
	return kept
}

// dated are the values of a set; hashed: the short texts as their hashes.
func (d distinctSet) dated(hashed bool) (all []dated) {
	for i := range d.len() {
		value := d.value(i)
		if text, short := shortOf(value); short && hashed {
			hash := digestOf(text)
			value = hash[:]
		}
		all = append(all, dated{ts: d.at(i), value: value})
	}
	return all
}

// uniteDistinct keeps the newest values of both. Where an erasure has made hashes of the short texts of one, those of the other become hashes, too: else one text
// would be two values.
func uniteDistinct(had, read distinctSet, keep int, floor nudge.Millis) distinctSet {
	hashed := had.hashed() || read.hashed()
	kept := newestOf(read.dated(hashed), had.dated(hashed), keep, floor)
	d := distinctSet(make([]byte, distinctHeader+distinctEntry*max(len(kept), 1))) // a set without room could not grow
	if hashed {
		d[2] |= flagHashed
	}
	for i, k := range kept {
		d.place(i, i, idIn([16]byte(k.value)), k.ts)
	}
	d.setLen(len(kept))
	return d
}

func datedValues(slot []byte) (all []dated) {
	header := entryHeader(slot)
	for rest := valueEntries(slot); len(rest) > 0; {
		size := header + valueBytes(rest[header:])
		all = append(all, dated{
			nudge.Millis(binary.LittleEndian.Uint64(rest)), stamp(binary.LittleEndian.Uint64(rest[8:])), rest[valueHeader:header], rest[header:size],
		})
		rest = rest[size:]
	}
	return all
}

func uniteValues(had, read []byte, keep int, floor nudge.Millis) []byte {
	kept := newestOf(datedValues(read), datedValues(had), keep, floor)
	slot := make([]byte, valuesHeader)
	for _, k := range kept {
		slot = binary.LittleEndian.AppendUint64(slot, uint64(k.ts))
		slot = binary.LittleEndian.AppendUint64(slot, uint64(k.taken))
		slot = append(append(slot, k.source...), k.value...)
	}
	slot[2] = read[2]
	binary.LittleEndian.PutUint16(slot, uint16(len(kept)))
	binary.LittleEndian.PutUint32(slot[4:], uint32(len(slot)-valuesHeader))
	return slot
}
