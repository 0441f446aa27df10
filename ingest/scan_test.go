package ingest

import (
	"bytes"
	"testing"
)

// plainEnd finds every byte that does not stand for itself, wherever it is, and no other.
func TestPlainEnd(t *testing.T) {
	for c := range 256 {
		special := c < ' ' || c == '"' || c == '\\'
		for _, plain := range []byte{' ', '!', '#', '[', ']', 'x', 0x7F, 0x80, 0xA0, 0xA2, 0xDC, 0xFF} {
			for n := range 20 {
				for at := range n {
					b := bytes.Repeat([]byte{plain}, n)
					b[at] = byte(c)
					want := n
					if special {
						want = at
					}
					if got := plainEnd(b, 0); got != want {
						t.Fatalf("%q: %d, want %d", b, got, want)
					}
					if got := plainEnd(b, at); got != want {
						t.Fatalf("%q from %d on: %d, want %d", b, at, got, want)
					}
				}
			}
		}
	}
}
