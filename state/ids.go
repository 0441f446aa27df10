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

// hyphenBefore reports whether one stands before a byte.
func hyphenBefore(i int) bool { return i == 4 || i == 6 || i == 8 || i == 10 }

// noDigit is the value of what is not a lower-case hexadecimal digit.
const noDigit = 0xFF

var digitValue = func() (t [256]byte) {
	for i := range t {
		t[i] = noDigit
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = byte(i)
	}
	return t
}()

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
	var id [idBytes]byte
	bad := byte(0)
	for i, at := 0, 0; i < len(id); i++ {
		if form == formUUID && hyphenBefore(i) {
			at++
		}
		hi, lo := digitValue[text[at]], digitValue[text[at+1]]
		bad |= hi | lo
		id[i] = hi<<4 | lo&15
		at += 2
	}
	if bad > 15 {
		return dst, 0, false
	}
	return append(dst, id[:]...), form, true
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
