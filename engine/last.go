package engine

import (
	"encoding/binary"
	"math"
	"unsafe"

	"nudge"
)

// The slot of OpLast, the value of the newest matching event, of those that share a time the one stamped last:
//
//	0 i64 its time · 8 u64 its stamp · 16 u64 its source, 0 at a person's key · 24 u8 kind
//	25 text: u32 length, bytes · number: 8 bytes IEEE 754 · bool: 1 byte
//
// What follows is zero. Kind 0: that event has no value of which anything is known.
const lastHeader = 25

// noteLast notes the value of an event.
func (t *table) noteLast(i, num uint32, v nudge.Value, ts nudge.Millis, at stamp, source nudge.KeyHash) {
	slot := t.slot(i, num)
	if slot != nil && ts < lastTime(slot) {
		return
	}
	if size := lastHeader + lastBytes(v); len(slot) < size {
		slot = t.grow(i, num, size)
	}
	binary.LittleEndian.PutUint64(slot, uint64(ts))
	binary.LittleEndian.PutUint64(slot[8:], uint64(at))
	binary.LittleEndian.PutUint64(slot[16:], uint64(source))
	slot[lastHeader-1] = byte(v.Kind)
	rest := slot[lastHeader:]
	switch v.Kind {
	case nudge.Text:
		binary.LittleEndian.PutUint32(rest, uint32(len(v.Text)))
		rest = rest[4+copy(rest[4:], v.Text):]
	case nudge.Number:
		binary.LittleEndian.PutUint64(rest, math.Float64bits(v.Num))
		rest = rest[8:]
	case nudge.Bool:
		rest[0] = byte(v.Num)
		rest = rest[1:]
	default:
		slot[lastHeader-1] = byte(nudge.Missing)
	}
	clear(rest) // no traces of what was there: equal states are equal bytes
}

// mergeLast takes over another slot's value where that is the newer one.
func (t *table) mergeLast(i, num uint32, src []byte) {
	slot := t.slot(i, num)
	if !newer(src, slot) {
		return
	}
	if len(slot) < len(src) {
		slot = t.grow(i, num, len(src))
	}
	clear(slot[copy(slot, src):])
}

func lastSource(slot []byte) nudge.KeyHash {
	return nudge.KeyHash(binary.LittleEndian.Uint64(slot[16:]))
}

func lastTime(slot []byte) nudge.Millis { return nudge.Millis(binary.LittleEndian.Uint64(slot)) }

// lastBytes is what a value takes behind its kind.
func lastBytes(v nudge.Value) int {
	switch v.Kind {
	case nudge.Text:
		return 4 + len(v.Text)
	case nudge.Number:
		return 8
	case nudge.Bool:
		return 1
	}
	return 0
}

// lastValue is the value of the newest event. Its text lies in the slot, so that no event pays for a copy: it is valid until the key's
// record changes, as all readings are.
func lastValue(slot []byte) nudge.Value {
	v, rest := nudge.Value{Kind: nudge.ValueKind(slot[lastHeader-1])}, slot[lastHeader:]
	switch v.Kind {
	case nudge.Text:
		text := rest[4:][:binary.LittleEndian.Uint32(rest)]
		v.Text = unsafe.String(unsafe.SliceData(text), len(text))
	case nudge.Number:
		v.Num = math.Float64frombits(binary.LittleEndian.Uint64(rest))
	case nudge.Bool:
		v.Num = float64(rest[0])
	}
	return v
}
