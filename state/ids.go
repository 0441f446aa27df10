package state

import (
	"encoding/binary"
	"unsafe"
)

const (
	uuidBytes = 36
	hexBytes  = 32
	idBytes   = 16 // of what they write
)

// hyphens are where the text of a UUID has them.
var hyphens = [...]int{8, 13, 18, 23}

// appendID appends the 16 bytes that text, of 36 or 32 bytes, writes in lower-case hexadecimal digits, and says in which form. ok is false if it is no such text.
func appendID(dst, text []byte) (out []byte, form int, ok bool) {
	form = formHex
	if len(text) == uuidBytes {
		form = formUUID
		for _, i := range hyphens {
			if text[i] != '-' {
				return dst, 0, false
			}
		}
	}
	var d [hexBytes]byte
	if form == formHex {
		copy(d[:], text)
	} else {
		copy(d[:8], text)
		copy(d[8:12], text[9:13])
		copy(d[12:16], text[14:18])
		copy(d[16:20], text[19:23])
		copy(d[20:], text[24:])
	}
	out = dst
	for i := 0; i < hexBytes; i += 8 {
		v, ok := digitsValue(binary.BigEndian.Uint64(d[i:]))
		if !ok {
			return dst, 0, false
		}
		out = binary.BigEndian.AppendUint32(out, v)
	}
	return out, form, true
}

// digitsValue is what eight lower-case hexadecimal digits write, the first of them in the highest byte: all at once.
func digitsValue(x uint64) (v uint32, ok bool) {
	n := x&0x0F0F0F0F0F0F0F0F + x>>6&0x0101010101010101*9 // a letter is nine more than its lowest bits
	n = (n | n>>4) & 0x00FF00FF00FF00FF
	n = (n | n>>8) & 0x0000FFFF0000FFFF
	v = uint32(n | n>>16)
	return v, hexDigits(v) == x
}

// appendIDText appends the text of an id.
func appendIDText(dst []byte, id [idBytes]byte, form int) []byte {
	var d [hexBytes]byte
	for i := 0; i < idBytes; i += 4 {
		binary.BigEndian.PutUint64(d[2*i:], hexDigits(binary.BigEndian.Uint32(id[i:])))
	}
	if form == formHex {
		return append(dst, d[:]...)
	}
	text := [uuidBytes]byte{8: '-', 13: '-', 18: '-', 23: '-'}
	copy(text[:8], d[:8])
	copy(text[9:13], d[8:12])
	copy(text[14:18], d[12:16])
	copy(text[19:23], d[16:20])
	copy(text[24:], d[20:])
	return append(dst, text[:]...)
}

// hexDigits are the eight digits of v, the highest in the highest byte: all at once.
func hexDigits(v uint32) uint64 {
	x := uint64(v)
	x = (x<<16 | x) & 0x0000FFFF0000FFFF
	x = (x<<8 | x) & 0x00FF00FF00FF00FF
	x = (x<<4 | x) & 0x0F0F0F0F0F0F0F0F
	letters := (x + 0x0606060606060606) >> 4 & 0x0101010101010101 // where the digit is 10 or more
	return x + 0x3030303030303030 + letters*('a'-'0'-10)
}

// viewOf is b as a string without a copy; b must not change while the string lives.
func viewOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
