package ingest

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"nudge"
)

// rank says which of two values of one field wins: the higher, and of one rank the later.
type rank uint8

const (
	rankNone    rank = iota
	rankContext      // Segment's context.page and context.campaign
	rankProps        // props, properties, traits
	rankTop          // the event's own top level
)

// field is one property of the event being decoded.
type field struct {
	name  nudge.NameID
	rank  rank
	value nudge.Value
}

// other is a property for whose name the process has no room.
type other struct {
	name  string
	rank  rank
	value nudge.Value
}

// draft is one event while its parts come in, whatever form it was sent in. Its texts point into the body or the arena.
type draft struct {
	typ    string
	ts     nudge.Millis
	sent   nudge.Millis
	at     nudge.Millis
	hasTs  bool
	hasAt  bool
	hasSnt bool
	void   bool // well formed, but says nothing: no record

	texts  [nudge.NameUTMContent + 1]string
	ranks  [nudge.NameUTMContent + 1]rank
	fields []field
	others []other

	path  []byte // dotted name of the nested field being read
	arena []byte // bytes made while reading: digits, lower-cased addresses, arrays
}

func (d *draft) reset() {
	if cap(d.arena) > maxKeptBytes {
		d.arena = nil
	}
	*d = draft{fields: d.fields[:0], others: d.others[:0], path: d.path[:0], arena: d.arena[:0]}
}

// has says whether a named text field has a value.
func (d *draft) has(id nudge.NameID) bool { return d.ranks[id] != rankNone }

// put gives a named text field its value unless a better one is there.
func (d *draft) put(id nudge.NameID, r rank, s string) {
	if r >= d.ranks[id] {
		d.texts[id], d.ranks[id] = s, r
	}
}

// named takes a field with a fixed meaning. null is missing.
func (c *Codec) named(id nudge.NameID, r rank, v nudge.Value, at where) *Error {
	d := &c.draft
	if v.Kind == nudge.Null {
		return nil
	}
	var err *Error
	switch id {
	case nudge.NameTs:
		d.ts, err = instant(v, at)
		d.hasTs = true
	case nudge.NameAt:
		if c.replay {
			d.at, err = instant(v, at)
			d.hasAt = true
		}
	case nudge.NameType:
		if v.Kind != nudge.Text {
			return wrongType(at, "text", v)
		}
		d.typ = v.Text
	case nudge.NameID_, nudge.NameVisitor, nudge.NameUser, nudge.NameCompany:
		var s string
		if s, err = c.keyText(v, at); err == nil && s != "" {
			d.put(id, r, s)
		}
	case nudge.NameEmail:
		var s string
		if s, err = c.emailText(v, at); err == nil && s != "" {
			d.put(id, r, s)
		}
	default:
		if v.Kind != nudge.Text {
			return wrongType(at, "text", v)
		}
		if len(v.Text) > MaxTextBytes {
			return tooLong(at, len(v.Text), MaxTextBytes)
		}
		d.put(id, r, v.Text)
	}
	return err
}

// keyText is the text that identifies somebody: text as it is, a whole number in its own digits, which a float would lose from 2^53 on.
func (c *Codec) keyText(v nudge.Value, at where) (string, *Error) {
	s := v.Text
	switch {
	case v.Kind == nudge.Text:
	case v.Kind != nudge.Number:
		return "", wrongType(at, "text or a whole number", v)
	case isInteger(s):
		if s == "-0" {
			s = "0"
		}
	case v.Num == math.Trunc(v.Num) && math.Abs(v.Num) < 1<<53: // 12.0, 1e3
		start := len(c.draft.arena)
		c.draft.arena = strconv.AppendInt(c.draft.arena, int64(v.Num), 10)
		s = view(c.draft.arena[start:])
	default:
		return "", refuse(CodeWrongType, at, "must be text or a whole number, not %s", clip(s, 40))
	}
	if len(s) > MaxKeyBytes {
		return "", tooLong(at, len(s), MaxKeyBytes)
	}
	return s, nil
}

// emailText is a mail address without surrounding space and in lower case, so that one person is one key.
func (c *Codec) emailText(v nudge.Value, at where) (string, *Error) {
	if v.Kind != nudge.Text {
		return "", wrongType(at, "text", v)
	}
	s := strings.TrimSpace(v.Text)
	for i := 0; i < len(s); i++ {
		if ch := s[i]; ch >= utf8.RuneSelf {
			s = strings.ToLower(s)
			break
		} else if 'A' <= ch && ch <= 'Z' {
			s = c.lower(s)
			break
		}
	}
	if len(s) > MaxKeyBytes {
		return "", tooLong(at, len(s), MaxKeyBytes)
	}
	return s, nil
}

// lower is strings.ToLower into the arena for ASCII.
func (c *Codec) lower(s string) string {
	start := len(c.draft.arena)
	c.draft.arena = append(c.draft.arena, s...)
	out := c.draft.arena[start:]
	for i, ch := range out {
		switch {
		case ch >= utf8.RuneSelf:
			return strings.ToLower(s)
		case 'A' <= ch && ch <= 'Z':
			out[i] = ch + 'a' - 'A'
		}
	}
	return view(out)
}

// member takes one member of an event or of its props whose value is not an object. name is dotted where it was nested.
func (c *Codec) member(r rank, name string, v nudge.Value, at where) *Error {
	id, err := c.names.id(name, at)
	if err != nil {
		return err
	}
	switch {
	case id == nudge.NameOther:
		return c.other(name, r, v, at)
	case !isNamed(id):
	case r == rankTop || isPage(id):
		return c.named(id, r, v, at)
	default:
		c.draft.arena = append(append(c.draft.arena, propsPrefix...), name...)
		name = view(c.draft.arena[len(c.draft.arena)-len(propsPrefix)-len(name):])
		if id, err = c.names.id(name, at); err != nil {
			return err
		}
		if id == nudge.NameOther {
			return c.other(name, r, v, at)
		}
	}
	return c.property(id, r, v, at)
}

// enter starts a member: it returns its dotted name and what leave needs to end it.
func (c *Codec) enter(key, prefix string, isObject bool) (name string, outer int, err *Error) {
	d := &c.draft
	outer = len(d.path)
	if outer == 0 && !isObject {
		return key, outer, nil
	}
	if key == "" {
		return "", outer, refuse(CodeBadName, where{prefix, strings.TrimSuffix(view(d.path), ".")}, "holds a field without a name: give it one or leave it out")
	}
	d.path = append(d.path, key...)
	return view(d.path), outer, nil
}

func (c *Codec) leave(outer int) { c.draft.path = c.draft.path[:outer] }

// object goes down into a member that is an object, whose members become fields with dotted names.
func (c *Codec) object(r rank, name string, at where, outer, depth int) *Error {
	if depth == 0 {
		return tooDeep(at)
	}
	if len(name) > nudge.MaxNameBytes {
		return tooLong(at, len(name), nudge.MaxNameBytes)
	}
	if outer == 0 {
		id, known := c.names.fixed[name]
		if known && (r == rankTop || isPage(id)) {
			return refuse(CodeWrongType, at, "must be %s, not an object", wanted(id))
		}
		if known {
			p := append(c.draft.path, propsPrefix...) // name lies in path: move it before its place is written to
			copy(p[len(propsPrefix):], name)
			copy(p, propsPrefix)
			c.draft.path = p
		}
	}
	c.draft.path = append(c.draft.path, '.')
	return nil
}

func wanted(id nudge.NameID) string {
	switch id {
	case nudge.NameTs, nudge.NameAt:
		return "milliseconds since 1970 or RFC 3339 text"
	case nudge.NameID_, nudge.NameVisitor, nudge.NameUser, nudge.NameCompany:
		return "text or a whole number"
	}
	return "text"
}

// propsPrefix goes before the name of a property that is called like a field of the envelope or of identity.
const propsPrefix = "props."

// property takes one of the event's own fields.
func (c *Codec) property(id nudge.NameID, r rank, v nudge.Value, at where) *Error {
	d := &c.draft
	if v.Kind == nudge.Text && len(v.Text) > MaxTextBytes {
		return tooLong(at, len(v.Text), MaxTextBytes)
	}
	for i := range d.fields {
		if f := &d.fields[i]; f.name == id {
			if r >= f.rank {
				f.rank, f.value = r, v
			}
			return nil
		}
	}
	if len(d.fields)+len(d.others) == MaxFields {
		return tooManyFields()
	}
	d.fields = append(d.fields, field{name: id, rank: r, value: v})
	return nil
}

// other is property for a name without an id.
func (c *Codec) other(name string, r rank, v nudge.Value, at where) *Error {
	d := &c.draft
	if v.Kind == nudge.Text && len(v.Text) > MaxTextBytes {
		return tooLong(at, len(v.Text), MaxTextBytes)
	}
	for i := range d.others {
		if o := &d.others[i]; o.name == name {
			if r >= o.rank {
				o.rank, o.value = r, v
			}
			return nil
		}
	}
	if len(d.fields)+len(d.others) == MaxFields {
		return tooManyFields()
	}
	start := len(d.arena)
	d.arena = append(d.arena, name...) // it may lie in path
	d.others = append(d.others, other{name: view(d.arena[start:]), rank: r, value: v})
	return nil
}

func tooManyFields() *Error {
	return refuse(CodeTooManyFields, where{}, "an event has more than %d fields: send fewer, or put a list into an array", MaxFields)
}

func wrongType(at where, want string, v nudge.Value) *Error {
	return refuse(CodeWrongType, at, "must be %s, not %s", want, kindName(v.Kind))
}

func tooLong(at where, n, limit int) *Error {
	return refuse(CodeTooLong, at, "has %d bytes, the limit is %d", n, limit)
}

// isInteger says whether s is -?[0-9]+.
func isInteger(s string) bool {
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// view is b as a string without a copy; b must not change while the string lives.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
