package ingest

import (
	"bytes"
	"math"
	"strconv"
	"testing"

	"nudge"
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

// TestNothingBehind: what follows the last event is refused, a zero byte too.
func TestNothingBehind(t *testing.T) {
	c := NewCodec(CodecOptions{Names: nudge.NewNames()})
	const one = `{"type":"track","event":"a","visitor":"v","anonymousId":"v"}`
	for name, take := range map[string]func(body string) error{
		"one": func(body string) error {
			_, err := c.Events([]byte(body), "", received, new(nudge.RecordBuilder))
			return err
		},
		"array": func(body string) error {
			_, err := c.Events([]byte("["+one+"]"+body[len(one):]), "", received, new(nudge.RecordBuilder))
			return err
		},
		"track": func(body string) error {
			_, err := c.Segment("track", []byte(body), received, new(nudge.RecordBuilder))
			return err
		},
		"line": func(body string) error {
			_, _, err := c.ReplayEvent([]byte(body), new(nudge.RecordBuilder))
			return err
		},
	} {
		for behind, good := range map[string]bool{"": true, " \n": true, "\x00": false, " \x00 ": false, "x": false, "]": false} {
			if err := take(one + behind); (err == nil) != good {
				t.Errorf("%s and %q behind it: %v", name, behind, err)
			}
		}
	}
}

// TestHalfPairs: half of a surrogate pair is U+FFFD, whatever stands behind it, and never takes along what does.
func TestHalfPairs(t *testing.T) {
	for text, want := range map[string]string{
		`"\ud83d"udc00"`: `"\ufffd"`, `"\ud83dxudc00"`: `"\ufffdxudc00"`, `"\ud83d\ude00"`: `"\ud83d\ude00"`, `"\ud83d\ud83d\ude00"`: `"\ufffd\ud83d\ude00"`,
		`"\ude00\ud83d"`: `"\ufffd\ufffd"`, `"\ud83d"`: `"\ufffd"`,
	} {
		s := scanner{b: []byte(text)}
		if err := s.value(1); err != nil || string(s.b[:s.pos]) != want {
			t.Errorf("%s: %v, %s; want %s", text, err, s.b[:s.pos], want)
		}
	}
}
