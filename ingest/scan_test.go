package ingest

import (
	"bytes"
	"math"
	"strconv"
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

// A number is what strconv says, whole ones of up to as many digits as are exact too.
func TestParseNumber(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "7", "-7", "19.99", "1e3", "1764000000123", "999999999999999", "1000000000000000", "9007199254740993", "123456789012345678901234567890", "1e400", "000000000000001",
	} {
		got, err := parseNumber(text)
		want, wantErr := strconv.ParseFloat(text, 64)
		if math.Float64bits(got) != math.Float64bits(want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%s: %v, %v; want %v, %v", text, got, err, want, wantErr)
		}
	}
}
