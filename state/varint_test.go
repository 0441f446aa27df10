package state

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// someVarints are varints of all lengths, and bytes that are none: cut off, too long, longer than they need be.
func someVarints() (all [][]byte) {
	for bits := range 65 {
		for _, v := range []uint64{1<<bits - 1, 1 << bits, 0x5555555555555555 >> (64 - bits), rand.Uint64() >> (64 - bits)} {
			b := binary.AppendUvarint(nil, v)
			all = append(all, b, b[:len(b)-1])
		}
	}
	for n := range 15 {
		long := make([]byte, n, n+1)
		for i := range long {
			long[i] = moreBit
		}
		all = append(all, long, append(long[:n:n], 1), append(long[:n:n], 0))
	}
	return all
}

// A varint is what encoding/binary says, whatever stands before and behind it.
func TestVarintAt(t *testing.T) {
	before, behind := []byte{0xFF, 1, 0x80}, []byte{0xFF, 0xFF, 0x80, 0, 1, 0x80, 0x80, 2, 3}
	for _, b := range someVarints() {
		for n := range len(behind) {
			buf := append(append(append([]byte(nil), before...), b...), behind[:n]...)
			want, size := binary.Uvarint(buf[len(before):])
			next := len(before) + size
			if size <= 0 {
				want, next = 0, 0
			}
			if v, at := varintAt(buf, len(before)); v != want || at != next {
				t.Errorf("% x with %d behind: %d up to %d, want %d up to %d", b, n, v, at, want, next)
			}
		}
	}
	if _, at := varintAt(before, len(before)); at != 0 {
		t.Errorf("behind the end: %d", at)
	}
}

func TestSkipVarints(t *testing.T) {
	var b []byte
	ends := []int{0}
	for _, v := range someVarints() {
		if _, size := binary.Uvarint(v); size == len(v) && size > 0 {
			b = append(b, v...)
			ends = append(ends, len(b))
		}
	}
	for n, end := range ends {
		if rest, ok := skipVarints(b, n); !ok || len(rest) != len(b)-end {
			t.Errorf("behind %d: %d bytes are left, %v; want %d", n, len(rest), ok, len(b)-end)
		}
		if _, ok := skipVarints(b[:end], n+1); ok {
			t.Errorf("%d of %d", n+1, n)
		}
	}
}
