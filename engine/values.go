package engine

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"nudge"
)

// The slot of OpValues: the newest different values themselves, newest first, for payloads.
//
//	0 u16 values · 2 u16 flags: 1 = each has its source · 4 u32 bytes used of what follows · 8 for each value: i64 time, u64 stamp,
//	  u64 source if flagged, u8 kind, then text: u16 length, bytes · number: 8 bytes IEEE 754 · bool: 1 byte
//
// Keys that are no person's keep the source, the hash of the primary key of the event that brought a value.
//
// maxKeptText bounds the text of one value kept for a payload, in bytes; a longer one is cut at a character, a longer array
// becomes null.
const (
	valuesHeader = 8
	valueHeader  = 16 // of an entry: time and stamp
	sourceBytes  = 8  // after that, if flagged
	flagSources  = 1
	maxKeptText  = 256
)

// cutText is v with its text bounded. Of an array nothing is kept rather than a part, which would not be JSON.
func cutText(v nudge.Value) nudge.Value {
	if len(v.Text) > maxKeptText {
		if v.Kind == nudge.JSON {
			return nudge.Value{Kind: nudge.Null}
		}
		n := maxKeptText
		for n > 0 && !utf8.RuneStart(v.Text[n]) {
			n--
		}
		v.Text = v.Text[:n]
	}
	return v
}

func appendValue(dst []byte, v nudge.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case nudge.Text, nudge.JSON:
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(v.Text)))
		dst = append(dst, v.Text...)
	case nudge.Number:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Num))
	case nudge.Bool:
		dst = append(dst, byte(v.Num))
	}
	return dst
}

// readValue reads what appendValue wrote; the text is a copy, because slots move.
func readValue(src []byte) (nudge.Value, []byte) {
	v := nudge.Value{Kind: nudge.ValueKind(src[0])}
	src = src[1:]
	switch v.Kind {
	case nudge.Text, nudge.JSON:
		n := int(binary.LittleEndian.Uint16(src))
		v.Text = string(src[2 : 2+n])
		src = src[2+n:]
	case nudge.Number:
		v.Num = math.Float64frombits(binary.LittleEndian.Uint64(src))
		src = src[8:]
	case nudge.Bool:
		v.Num = float64(src[0])
		src = src[1:]
	}
	return v, src
}

// keepValue adds a value to the key's newest different ones. It works on the encoded entries: one event costs a copy of them. source is 0
// where none is kept.
func (t *table) keepValue(i uint32, num uint32, keep int, v nudge.Value, ts nudge.Millis, taken stamp, source nudge.KeyHash) {
	slot, header := t.slot(i, num), valueHeader
	if slot != nil && hasSources(slot) || slot == nil && source != 0 {
		header += sourceBytes
	}
	t.value = binary.LittleEndian.AppendUint64(t.value[:0], uint64(ts))
	t.value = binary.LittleEndian.AppendUint64(t.value, uint64(taken))
	if header > valueHeader {
		t.value = binary.LittleEndian.AppendUint64(t.value, uint64(source))
	}
	t.value = appendValue(t.value, cutText(v))
	out, n, placed := t.values[:0], 0, false
	for rest := valueEntries(slot); len(rest) > 0; {
		size := header + valueBytes(rest[header:])
		entry := rest[:size]
		rest = rest[size:]
		at := nudge.Millis(binary.LittleEndian.Uint64(entry))
		if bytes.Equal(entry[header:], t.value[header:]) {
			if at > ts {
				return
			}
			continue
		}
		if !placed && (at < ts || at == ts && !planted(bugTie)) {
			out, n, placed = append(out, t.value...), n+1, true
		}
		if n < keep {
			out, n = append(out, entry...), n+1
		}
	}
	if !placed && n < keep {
		out, n = append(out, t.value...), n+1
	}
	if slot = t.setValues(i, num, slot, out, n); header > valueHeader {
		slot[2] = flagSources
	}
}

// mergeValues adds the values of an other slot: the newest of both stay.
func (t *table) mergeValues(i, num uint32, keep int, src []byte) {
	slot := t.slot(i, num)
	if hasSources(slot) || hasSources(src) {
		panic("BUG: values with sources are merged: only persons' keys are")
	}
	a, b := valueEntries(slot), valueEntries(src)
	seen := map[string]bool{}
	out := t.values[:0]
	for len(seen) < keep && len(a)+len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && newer(b, a) {
			from = &b
		}
		size := valueHeader + valueBytes((*from)[valueHeader:])
		if v := string((*from)[valueHeader:size]); !seen[v] {
			seen[v] = true
			out = append(out, (*from)[:size]...)
		}
		*from = (*from)[size:]
	}
	t.setValues(i, num, slot, out, len(seen))
}

// newer says whether the first of two entries, each i64 time, u64 stamp and what follows, has the later time, on a tie the later stamp. Where
// even these are the same, what the visitor did counts as newer.
func newer(visitor, user []byte) bool {
	if v, u := int64(binary.LittleEndian.Uint64(visitor)), int64(binary.LittleEndian.Uint64(user)); v != u {
		return v > u
	}
	return binary.LittleEndian.Uint64(visitor[8:]) >= binary.LittleEndian.Uint64(user[8:])
}

// setValues writes n encoded values, and returns the slot.
func (t *table) setValues(i, num uint32, slot, out []byte, n int) []byte {
	t.values = out
	if len(slot) < valuesHeader+len(out) {
		slot = t.grow(i, num, valuesHeader+len(out))
	}
	putValues(slot, out, n)
	return slot
}

// putValues writes n encoded values into a slot that is long enough.
func putValues(slot, out []byte, n int) {
	binary.LittleEndian.PutUint16(slot, uint16(n))
	binary.LittleEndian.PutUint32(slot[4:], uint32(len(out)))
	clear(slot[valuesHeader+copy(slot[valuesHeader:], out):]) // no traces of what was there: equal states are equal bytes
}

// valuesVacant says whether no value is newer than a time.
func valuesVacant(slot []byte, expired nudge.Millis) bool {
	entries := valueEntries(slot)
	return len(entries) == 0 || nudge.Millis(binary.LittleEndian.Uint64(entries)) <= expired
}

// valueEntries are the encoded entries of a slot.
func valueEntries(slot []byte) []byte {
	if slot == nil {
		return nil
	}
	return slot[valuesHeader : valuesHeader+binary.LittleEndian.Uint32(slot[4:])]
}

func hasSources(slot []byte) bool { return slot[2]&flagSources != 0 }

// entryHeader is how much stands before the value in each of a slot's entries.
func entryHeader(slot []byte) int {
	if hasSources(slot) {
		return valueHeader + sourceBytes
	}
	return valueHeader
}

// entrySource is the source of an entry that has one, else 0.
func entrySource(entry []byte, header int) nudge.KeyHash {
	if header == valueHeader {
		return 0
	}
	return nudge.KeyHash(binary.LittleEndian.Uint64(entry[valueHeader:]))
}

// valueBytes is the length of an encoded value.
func valueBytes(src []byte) int {
	switch nudge.ValueKind(src[0]) {
	case nudge.Text, nudge.JSON:
		return 3 + int(binary.LittleEndian.Uint16(src[1:]))
	case nudge.Number:
		return 9
	case nudge.Bool:
		return 2
	}
	return 1
}

// valuesAfter are the kept values that are newer than a time, newest first.
func valuesAfter(slot []byte, expired nudge.Millis) []nudge.Value {
	var out []nudge.Value
	header := entryHeader(slot)
	for rest := valueEntries(slot); len(rest) > 0 && nudge.Millis(binary.LittleEndian.Uint64(rest)) > expired; {
		var v nudge.Value
		v, rest = readValue(rest[header:])
		out = append(out, v)
	}
	return out
}
