package state

import (
	"encoding/binary"
	"math/bits"
)

const (
	moreBit  = 0x80               // of a byte of a varint: another one follows
	moreBits = 0x8080808080808080 // of eight bytes at once
)

// uvarint splits a varint off b.
func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	v, n := varintAt(b, 0)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// varintAt is the varint at a place of b, and the place behind it, 0 if there is none.
func varintAt(b []byte, at int) (v uint64, next int) {
	if at < len(b) && b[at] < moreBit {
		return uint64(b[at]), at + 1
	}
	return longVarintAt(b, at)
}

// longVarintAt is varintAt for more than one byte: up to eight without a loop.
func longVarintAt(b []byte, at int) (v uint64, next int) {
	if at+8 <= len(b) {
		v = binary.LittleEndian.Uint64(b[at:])
		if ends := ^v & moreBits; ends != 0 {
			upTo := ends ^ (ends - 1) // the lowest bit that is set, and all below it
			return septets(v & upTo), at + bits.Len64(upTo)/8
		}
	}
	v, n := binary.Uvarint(b[min(at, len(b)):])
	if n <= 0 {
		return 0, 0
	}
	return v, at + n
}

// septets puts the lowest seven bits of each byte together.
func septets(v uint64) uint64 {
	v = v&0x007F007F007F007F | v&0x7F007F007F007F00>>1
	v = v&0x00003FFF00003FFF | v&0x3FFF00003FFF0000>>2
	return v&0x0FFFFFFF | v&0x0FFFFFFF00000000>>4
}

// skipVarints is what stands behind n varints at the start of b; ok is false if there are not so many. How long they are is not looked at.
func skipVarints(b []byte, n int) (rest []byte, ok bool) {
	at := 0
	for ; n > 8 && at+8 <= len(b); at += 8 {
		n -= bits.OnesCount64(^binary.LittleEndian.Uint64(b[at:]) & moreBits)
	}
	for ; n > 0; at++ {
		if at == len(b) {
			return nil, false
		}
		if b[at] < moreBit {
			n--
		}
	}
	return b[at:], true
}
