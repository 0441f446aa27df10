package ingest

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"nudge"
)

// A native event, and what is inside one of Segment's, is read straight from its text. Texts and numbers stay where they stand; what is written differently
// there (an escape, space within an array) is put into the arena. Whatever is not well-formed is noticed, but not explained: that is left to the scanner.

// jsonEvent reads one native event from text that the scanner has accepted.
func (c *Codec) jsonEvent(text []byte) *Error {
	s := scanner{b: text, room: maxBodyDepth}
	if ch := s.peek(); ch != '{' {
		return refuse(CodeWrongType, where{}, "an event must be an object, not %s", textKind(ch))
	}
	err := c.nativeEvent(&s)
	s.whole()
	return err
}

// whole is called behind text that the scanner has accepted before.
func (s *scanner) whole() {
	if s.broken {
		panic("BUG: what the scanner has accepted is not well-formed")
	}
}

// nativeEvent reads the event that starts here. Where it returns an error, or finds the text broken, it may not have come to its end.
func (c *Codec) nativeEvent(s *scanner) *Error {
	for more := s.first(); more; more = s.another() {
		if err := c.nativeTop(s, c.name(s)); err != nil {
			return err
		}
	}
	return nil
}

// first goes into an object, and to the name of its first member; false where there is none.
func (s *scanner) first() bool {
	s.pos++
	return s.named(s.peek())
}

// another goes to the name of the next member; false, and behind the object, where there is none.
func (s *scanner) another() bool {
	ch := s.peek()
	if ch == ',' {
		s.pos++
		if ch = s.peek(); ch == '}' {
			s.broken = true
		}
	} else if ch == '"' {
		s.broken = true
	}
	return s.named(ch)
}

// named says whether ch starts a name; else it ends the object.
func (s *scanner) named(ch byte) bool {
	switch {
	case s.broken:
	case ch == '"':
		return true
	case ch == '}':
		s.pos++
	default:
		s.broken = true
	}
	return false
}

// skip goes behind the value of a member.
func (s *scanner) skip() {
	if s.value(s.room) != nil {
		s.broken = true
	}
}

// name reads the name of a member, and goes to its value.
func (c *Codec) name(s *scanner) string {
	name := c.text(s)
	if s.peek() != ':' {
		s.broken = true
		return name
	}
	s.pos++
	return name
}

// text reads a string.
func (c *Codec) text(s *scanner) string {
	start := s.pos + 1
	end := plainEnd(s.b, start)
	if end < len(s.b) && s.b[end] == '"' {
		s.pos = end + 1
		return view(s.b[start:end])
	}
	if s.text() != nil {
		s.broken = true
		return ""
	}
	return view(c.unescaped(s.b[start : s.pos-1]))
}

// nativeTop takes one member of an event's top level.
func (c *Codec) nativeTop(s *scanner, key string) *Error {
	switch key {
	case "props":
		switch ch := s.peek(); ch {
		case '{':
			return c.nativeMembers(s, rankProps, propsPrefix, MaxDepth)
		case 'n':
			s.skip()
			return nil
		default:
			return refuse(CodeWrongType, where{name: key}, "must be an object, not %s", textKind(ch))
		}
	case "sentAt":
		return c.nativeSentAt(s, where{name: key})
	case "writeKey": // the server has read it
		s.skip()
		return nil
	case "at":
		if !c.replay {
			s.skip()
			return nil
		}
	}
	return c.nativeMember(s, rankTop, key, "", MaxDepth)
}

// nativeSentAt takes the instant at which the sender's clock says the event was sent.
func (c *Codec) nativeSentAt(s *scanner, at where) *Error {
	val, err := c.nativeValue(s, at, 1)
	if err != nil || val.Kind == nudge.Null {
		return err
	}
	c.draft.sent, err = instant(val, at)
	c.draft.hasSnt = err == nil
	return err
}

// nativeMembers takes the members of the object that starts here. prefix is what stands before their names in what the sender wrote; the dotted name of the
// object is in c.draft.path. depth is how many levels may still open below.
func (c *Codec) nativeMembers(s *scanner, r rank, prefix string, depth int) *Error {
	for more := s.first(); more; more = s.another() {
		if err := c.nativeMember(s, r, c.name(s), prefix, depth); err != nil {
			return err
		}
	}
	return nil
}

// nativeMember takes the member whose value starts here.
func (c *Codec) nativeMember(s *scanner, r rank, key, prefix string, depth int) *Error {
	isObject := s.peek() == '{'
	name, outer, err := c.enter(key, prefix, isObject)
	if err != nil {
		return err
	}
	at := where{prefix, name}
	if isObject {
		if err = c.object(r, name, at, outer, depth); err == nil {
			err = c.nativeMembers(s, r, prefix, depth-1)
		}
	} else {
		var val nudge.Value
		if val, err = c.nativeValue(s, at, depth); err == nil {
			err = c.member(r, name, val, at)
		}
	}
	c.leave(outer)
	return err
}

// nativeValue reads the value that starts here, which is no object.
func (c *Codec) nativeValue(s *scanner, at where, depth int) (nudge.Value, *Error) {
	ch := s.peek()
	if ch == '"' {
		return nudge.TextValue(c.text(s)), nil
	}
	start := s.pos
	s.skip()
	if s.broken {
		return nudge.Value{}, nil // and nobody looks at it
	}
	text := s.b[start:s.pos]
	switch ch {
	case 't', 'f':
		return nudge.BoolValue(ch == 't'), nil
	case 'n':
		return nudge.Value{Kind: nudge.Null}, nil
	case '{': // its kind is none of ours: whoever wants a value refuses it
		return nudge.Value{}, nil
	case '[':
		if jsonDepth(text) > depth {
			return nudge.Value{}, tooDeep(at)
		}
		if digits := unheldNumber(text); digits != nil {
			return nudge.Value{}, refuse(CodeBadValue, at, "holds %s, which no number of 64 bits holds", clip(view(digits), 40))
		}
		return nudge.Value{Kind: nudge.JSON, Text: view(c.withoutSpace(text))}, nil
	}
	return numberValue(view(text), at)
}

// unescaped is what stands between the quotes of a string with escapes, in the arena.
func (c *Codec) unescaped(text []byte) []byte {
	dst := c.draft.arena
	start := len(dst)
	for len(text) > 0 {
		n := bytes.IndexByte(text, '\\')
		if n < 0 {
			dst = append(dst, text...)
			break
		}
		dst = append(dst, text[:n]...)
		text = text[n:]
		used := 2
		switch ch := text[1]; ch {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			var r rune
			r, used = escapedRune(text)
			dst = utf8.AppendRune(dst, r)
		default: // a quote, a slash or a backslash
			dst = append(dst, ch)
		}
		text = text[used:]
	}
	c.draft.arena = dst
	return dst[start:]
}

// escapedRune is what a \uXXXX stands for that text begins with, or a pair of them, and its length. The scanner has left no half of a pair.
func escapedRune(text []byte) (r rune, used int) {
	if r = hexRune(text[2:6]); !utf16.IsSurrogate(r) {
		return r, 6
	}
	return utf16.DecodeRune(r, hexRune(text[8:12])), 12
}

func hexRune(digits []byte) (r rune) {
	for _, ch := range digits {
		switch {
		case ch <= '9':
			ch -= '0'
		default:
			ch = ch | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(ch)
	}
	return r
}

// withoutSpace is JSON text without the space between its parts, in the arena.
func (c *Codec) withoutSpace(text []byte) []byte {
	dst := c.draft.arena
	start := len(dst)
	for s := (scanner{b: text, room: 1}); s.peek() != 0; {
		from := s.pos
		if text[from] == '"' {
			s.skip()
		} else {
			s.pos++
		}
		dst = append(dst, text[from:s.pos]...)
	}
	c.draft.arena = dst
	return dst[start:]
}

// textKind is what a value is that starts with a byte.
func textKind(ch byte) string {
	switch ch {
	case '"':
		return "text"
	case '[':
		return "an array"
	case '{':
		return "an object"
	case 'n':
		return "null"
	case 't', 'f':
		return "a bool"
	}
	return "a number"
}
