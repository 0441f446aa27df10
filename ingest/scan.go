package ingest

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// scanner walks over JSON text and accepts exactly RFC 8259. Half a body is refused whole, with the place where it breaks. A native event is decoded while
// it is scanned (native.go); where there is anything wrong with one, and in Segment's form, it is first found where an event ends, so that its size is
// known, and what is decoded is well-formed.
//
// It changes one thing in b: the escape of half a surrogate pair becomes that of U+FFFD, which is what it means.
type scanner struct {
	b   []byte
	pos int

	// For who reads while scanning (native.go).
	broken bool // what was read is not well-formed
	room   int  // how deep the value of an event's member may nest
}

type syntaxError struct {
	pos  int
	want string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.want, e.pos) }

func (s *scanner) fail(want string) error {
	if s.pos >= len(s.b) {
		return &syntaxError{pos: len(s.b), want: "the text ends too early"}
	}
	return &syntaxError{pos: s.pos, want: want}
}

// space skips white space.
func (s *scanner) space() {
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case ' ', '\n', '\t', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte behind white space, 0 at the end (or one that has no place in JSON: see ended).
func (s *scanner) peek() byte {
	if s.pos < len(s.b) && s.b[s.pos] > ' ' {
		return s.b[s.pos]
	}
	s.space()
	if s.pos == len(s.b) {
		return 0
	}
	return s.b[s.pos]
}

// ended says whether nothing but white space follows.
func (s *scanner) ended() bool { return s.peek() == 0 && s.pos == len(s.b) }

// value skips one value. depth is how many more levels may open.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '"':
		return s.text()
	case c == '{':
		return s.members(depth, nil)
	case c == '[':
		return s.elements(depth, nil, nil)
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	return s.fail("a value is expected")
}

// members skips an object. each, where given, is told the raw key (without its quotes) and the raw value of every member.
func (s *scanner) members(depth int, each func(key, value []byte) error) error {
	if depth == 0 {
		return s.fail("nested too deeply")
	}
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("a name in double quotes is expected")
		}
		k := s.pos
		if err := s.text(); err != nil {
			return err
		}
		key := s.b[k+1 : s.pos-1]
		if s.peek() != ':' {
			return s.fail("':' is expected")
		}
		s.pos++
		s.space()
		v := s.pos
		if err := s.value(depth - 1); err != nil {
			return err
		}
		if each != nil {
			if err := each(key, s.b[v:s.pos]); err != nil {
				return err
			}
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

// elements skips an array. here, where given, may take an element that begins, and go behind it; each, where given, is told every other one.
func (s *scanner) elements(depth int, here func() bool, each func(element []byte) error) error {
	if depth == 0 {
		return s.fail("nested too deeply")
	}
	s.pos++
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		s.space()
		if here == nil || !here() {
			if err := s.element(depth-1, each); err != nil {
				return err
			}
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

func (s *scanner) element(depth int, each func(element []byte) error) error {
	v := s.pos
	err := s.value(depth)
	if err == nil && each != nil {
		err = each(s.b[v:s.pos])
	}
	return err
}

// next takes the comma before another item or the bracket behind the last.
func (s *scanner) next(end byte) (done bool, err error) {
	switch s.peek() {
	case ',':
		s.pos++
		return false, nil
	case end:
		s.pos++
		return true, nil
	}
	return false, s.fail("',' or '" + string(end) + "' is expected")
}

// text skips a string, from quote to quote.
func (s *scanner) text() error {
	b, i := s.b, s.pos+1
	for {
		i = plainEnd(b, i)
		s.pos = i
		switch {
		case i == len(b):
			return s.fail("")
		case b[i] == '"':
			s.pos++
			return nil
		case b[i] != '\\':
			return s.fail("a control character must be escaped")
		}
		n := escapeLen(b[i:])
		if n == 0 {
			return s.fail("an escape is cut off or unknown")
		}
		if n == 6 && isSurrogate(b[i:]) {
			n = s.surrogate(i)
		}
		i += n
	}
}

// Eight bytes at once, each of the same value or with its highest bit alone.
const (
	eachByte = 0x0101010101010101
	topBits  = 0x80 * eachByte
)

// plainEnd is the place of the first byte from i on that does not stand for itself in a string: a quote, a backslash, a control character.
func plainEnd(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		quote, slash := v^('"'*eachByte), v^('\\'*eachByte)
		// The highest bit of each byte that is 0, or less than a space. Bytes above such a one may have it too: only the lowest counts.
		found := ((quote-eachByte)&^quote | (slash-eachByte)&^slash | (v-' '*eachByte)&^v) & topBits
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// escapeLen is the length of the escape sequence that b starts with, 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}

// isSurrogate says whether a \uXXXX escape stands for half a pair: D800 to DFFF.
func isSurrogate(b []byte) bool { return b[2]|0x20 == 'd' && b[3] >= '8' }

// surrogate returns the length of the pair of escapes at i, or of the half, which it replaces.
func (s *scanner) surrogate(i int) int {
	isHigh := func(b []byte) bool { return b[3]|0x20 <= 'b' } // 8, 9, a, b
	b := s.b[i:]
	if isHigh(b) && len(b) > 6 && b[6] == '\\' && escapeLen(b[6:]) == 6 && isSurrogate(b[6:]) && !isHigh(b[6:]) {
		return 12
	}
	copy(b, `\ufffd`)
	return 6
}

func (s *scanner) word(w string) error {
	if len(s.b)-s.pos < len(w) || string(s.b[s.pos:s.pos+len(w)]) != w {
		return s.fail("a value is expected")
	}
	s.pos += len(w)
	return nil
}

// number skips -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?.
func (s *scanner) number() error {
	if s.b[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.b) && s.b[s.pos] == '0' {
		s.pos++
	} else if !s.digits() {
		return s.fail("a digit is expected")
	}
	if s.pos < len(s.b) && s.b[s.pos] == '.' {
		s.pos++
		if !s.digits() {
			return s.fail("a digit is expected")
		}
	}
	if s.pos < len(s.b) && s.b[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.b) && (s.b[s.pos] == '+' || s.b[s.pos] == '-') {
			s.pos++
		}
		if !s.digits() {
			return s.fail("a digit is expected")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.b) && s.b[s.pos] >= '0' && s.b[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// jsonDepth is how deep well-formed JSON text nests.
func jsonDepth(b []byte) int {
	depth, deepest := 0, 0
	s := scanner{b: b}
	for s.pos < len(b) {
		switch b[s.pos] {
		case '"':
			if s.text() != nil {
				return deepest
			}
			continue
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
		s.pos++
	}
	return deepest
}
