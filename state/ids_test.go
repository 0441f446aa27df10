package state

import (
	"encoding/binary"
	"encoding/hex"
	"testing"
)

// digitsValue takes lower-case hexadecimal digits, and nothing else at any place.
func TestDigitsValue(t *testing.T) {
	for _, base := range []string{"00000000", "ffffffff", "0189abef"} {
		for at := range 8 {
			for c := range 256 {
				text := []byte(base)
				text[at] = byte(c)
				var want [4]byte
				_, err := hex.Decode(want[:], text)
				is := err == nil && (c < 'A' || c > 'F')
				v, ok := digitsValue(binary.BigEndian.Uint64(text))
				if ok != is || ok && v != binary.BigEndian.Uint32(want[:]) {
					t.Errorf("%q: %08x, %v", text, v, ok)
				}
			}
		}
	}
}
