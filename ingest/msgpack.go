package ingest

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"nudge"
)

// This file is the only one that knows the MessagePack library, and uses no more of it than its reading of single tokens: its reflection
// costs three times as much and allocates, its Skip descends as deep as the sender wishes.

// msgpackReader reads tokens off one body. Texts point into the body.
type msgpackReader struct {
	body []byte
	rd   bytes.Reader
	dec  *msgpack.Decoder
}

func (m *msgpackReader) reset(body []byte, pos int) {
	m.body = body
	m.rd.Reset(body)
	if m.dec == nil {
		m.dec = msgpack.NewDecoder(&m.rd)
	}
	m.seek(pos)
}

func (m *msgpackReader) pos() int     { return len(m.body) - m.rd.Len() }
func (m *msgpackReader) seek(pos int) { m.rd.Seek(int64(pos), io.SeekStart) }

// isMsgpack says whether a body is MessagePack: it starts with a map or an array, bytes that no JSON text starts with, or it says so and
// does not start like JSON.
func isMsgpack(first byte, contentType string) bool {
	return isMap(first) || isArray(first) || strings.Contains(contentType, "msgpack") && strings.IndexByte("{[ \t\r\n", first) < 0
}

func isMap(c byte) bool {
	return msgpcode.IsFixedMap(c) || c == msgpcode.Map16 || c == msgpcode.Map32
}

func isArray(c byte) bool {
	return msgpcode.IsFixedArray(c) || c == msgpcode.Array16 || c == msgpcode.Array32
}

// msgpackBody finds the events of a MessagePack body and decodes each: a map, maps one behind the other, or an array of maps.
func (c *Codec) msgpackBody(body []byte, r *request) error {
	m := &c.mp
	defer m.reset(nil, 0)
	m.reset(body, 0)
	n := math.MaxInt
	if isArray(body[0]) {
		var err error
		if n, err = m.dec.DecodeArrayLen(); err != nil {
			return badMsgpack(m.pos(), msgpackCutOff)
		}
	}
	pos := m.pos()
	for i := 0; i < n && (pos < len(body) || n != math.MaxInt); i++ {
		m.reset(body, pos)
		if n == math.MaxInt && !isMap(body[pos]) {
			return badMsgpack(pos, "a map or an array of maps is expected")
		}
		if fault := m.skip(maxBodyDepth); fault != "" {
			return badMsgpack(m.pos(), fault)
		}
		text := body[pos:m.pos()]
		pos = m.pos()
		if i == 0 && !c.allowMsgpack(text) {
			return errNotAllowed
		}
		if err := r.take(text, c.msgpackEvent); err != nil {
			return err
		}
	}
	if pos < len(body) {
		return badMsgpack(pos, "nothing more is expected behind the array")
	}
	return nil
}

func badMsgpack(pos int, what string) *Error {
	return refuse(CodeBadBody, where{}, "the body is not well-formed MessagePack: %s at byte %d; nothing of it was taken", what, pos)
}

const msgpackCutOff = "the body ends too early or holds an unknown code"

// skip passes over one value and says what is wrong with it, "" if nothing is. depth is how many more levels may open.
func (m *msgpackReader) skip(depth int) string {
	code, err := m.dec.PeekCode()
	n := 0
	switch {
	case err != nil:
	case isMap(code):
		n, err = m.dec.DecodeMapLen()
		n *= 2
	case isArray(code):
		n, err = m.dec.DecodeArrayLen()
	case msgpcode.IsString(code) || msgpcode.IsBin(code):
		_, err = m.bytes()
	case msgpcode.IsExt(code):
		var size int
		if _, size, err = m.dec.DecodeExtHeader(); err == nil && size > m.rd.Len() {
			return msgpackCutOff
		}
		m.seek(m.pos() + size)
	default:
		_, err = m.scalar(code)
	}
	if err != nil {
		return msgpackCutOff
	}
	if n > 0 && depth == 0 {
		return "nested too deeply"
	}
	for range n {
		if fault := m.skip(depth - 1); fault != "" {
			return fault
		}
	}
	return ""
}

// bytes reads text or binary data, in place.
func (m *msgpackReader) bytes() ([]byte, error) {
	n, err := m.dec.DecodeBytesLen()
	if err != nil {
		return nil, err
	}
	if n > m.rd.Len() {
		return nil, io.ErrUnexpectedEOF
	}
	start := m.pos()
	m.seek(start + n)
	return m.body[start : start+n], nil
}

// text reads text; what is not UTF-8 in it becomes U+FFFD.
func (m *msgpackReader) text() (string, error) {
	b, err := m.bytes()
	if err != nil || utf8.Valid(b) {
		return view(b), err
	}
	return strings.ToValidUTF8(view(b), "\uFFFD"), nil
}

// number is a number before it is known whether its digits are wanted.
type number struct {
	f        float64
	i        int64
	u        uint64
	isI, isU bool
}

// scalar reads nil, a bool or a number. A bool is 0 or 1.
func (m *msgpackReader) scalar(code byte) (n number, err error) {
	switch {
	case code == msgpcode.Nil:
		err = m.dec.DecodeNil()
	case code == msgpcode.True || code == msgpcode.False:
		var b bool
		if b, err = m.dec.DecodeBool(); b {
			n.f = 1
		}
	case code == msgpcode.Float || code == msgpcode.Double:
		n.f, err = m.dec.DecodeFloat64()
	case code == msgpcode.Uint64:
		n.u, err = m.dec.DecodeUint64()
		n.f, n.isU = float64(n.u), true
	default: // an integer, or an unknown code, which DecodeInt64 refuses
		n.i, err = m.dec.DecodeInt64()
		n.f, n.isI = float64(n.i), true
	}
	return n, err
}

func (n number) appendDigits(dst []byte) []byte {
	switch {
	case n.isU:
		return strconv.AppendUint(dst, n.u, 10)
	case n.isI:
		return strconv.AppendInt(dst, n.i, 10)
	}
	return strconv.AppendFloat(dst, n.f, 'g', -1, 64)
}

// allowMsgpack asks for the write key in an event, before anything of it is kept. It leaves the reader anywhere.
func (c *Codec) allowMsgpack(event []byte) bool {
	if c.allow == nil {
		return true
	}
	m := &c.mp
	m.reset(event, 0)
	key := ""
	if isMap(event[0]) {
		n, _ := m.dec.DecodeMapLen()
		for range n {
			code, _ := m.dec.PeekCode()
			if !msgpcode.IsString(code) {
				break
			}
			name, _ := m.text()
			if code, _ = m.dec.PeekCode(); name == "writeKey" && msgpcode.IsString(code) {
				key, _ = m.text()
				break
			}
			m.skip(maxBodyDepth)
		}
	}
	return c.allow(strings.Clone(key))
}

// msgpackEvent reads one native event from a value that skip has passed over, so that tokens cannot be cut off.
func (c *Codec) msgpackEvent(text []byte) *Error {
	m := &c.mp
	m.reset(text, 0)
	if !isMap(text[0]) {
		return refuse(CodeWrongType, where{}, "an event must be a map")
	}
	n, _ := m.dec.DecodeMapLen()
	for range n {
		key, err := c.msgpackName("")
		if err != nil {
			return err
		}
		if err := c.msgpackTop(key); err != nil {
			return err
		}
	}
	return nil
}

// msgpackTop takes the value of one member of an event's top level.
func (c *Codec) msgpackTop(key string) *Error {
	at := where{name: key}
	code, _ := c.mp.dec.PeekCode()
	switch key {
	case "props":
		if isMap(code) {
			return c.msgpackMembers(rankProps, "props.", MaxDepth)
		}
		v, err := c.msgpackValue(at, MaxDepth)
		if err == nil && v.Kind != nudge.Null {
			err = refuse(CodeWrongType, at, "must be a map, not %s", kindName(v.Kind))
		}
		return err
	case "sentAt":
		if isMap(code) {
			return refuse(CodeWrongType, at, "must be milliseconds since 1970 or RFC 3339 text, not an object")
		}
		v, err := c.msgpackValue(at, 1)
		if err != nil || v.Kind == nudge.Null {
			return err
		}
		c.draft.sent, err = instant(v, at)
		c.draft.hasSnt = err == nil
		return err
	case "writeKey", "at":
		c.mp.skip(maxBodyDepth)
		return nil
	}
	return c.msgpackMember(rankTop, key, "", MaxDepth)
}

// msgpackMembers is nativeMembers for the map that comes next.
func (c *Codec) msgpackMembers(r rank, prefix string, depth int) *Error {
	n, _ := c.mp.dec.DecodeMapLen()
	for range n {
		key, err := c.msgpackName(prefix)
		if err == nil {
			err = c.msgpackMember(r, key, prefix, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Codec) msgpackMember(r rank, key, prefix string, depth int) *Error {
	code, _ := c.mp.dec.PeekCode()
	name, outer, err := c.enter(key, prefix, isMap(code))
	if err != nil {
		return err
	}
	defer c.leave(outer)
	at := where{prefix, name}
	if !isMap(code) {
		v, err := c.msgpackValue(at, depth)
		if err == nil {
			err = c.member(r, name, v, at)
		}
		return err
	}
	if err := c.object(r, name, at, outer, depth); err != nil {
		return err
	}
	return c.msgpackMembers(r, prefix, depth-1)
}

func (c *Codec) msgpackName(prefix string) (string, *Error) {
	code, _ := c.mp.dec.PeekCode()
	if !msgpcode.IsString(code) {
		return "", refuse(CodeBadName, where{}, "a name in a map (under %q) must be text", prefix)
	}
	name, _ := c.mp.text()
	return name, nil
}

// msgpackValue reads what is not a map.
func (c *Codec) msgpackValue(at where, depth int) (nudge.Value, *Error) {
	m, d := &c.mp, &c.draft
	code, _ := m.dec.PeekCode()
	start := len(d.arena)
	switch {
	case msgpcode.IsString(code):
		s, _ := m.text()
		return nudge.TextValue(s), nil
	case isArray(code):
		var err *Error
		if d.arena, err = c.appendMsgpackJSON(d.arena, at, depth); err != nil {
			return nudge.Value{}, err
		}
		return nudge.Value{Kind: nudge.JSON, Text: view(d.arena[start:])}, nil
	case msgpcode.IsBin(code):
		return nudge.Value{}, refuse(CodeWrongType, at, "must not be binary data: send text")
	case msgpcode.IsExt(code):
		t, err := m.dec.DecodeTime()
		if err != nil {
			return nudge.Value{}, refuse(CodeWrongType, at, "is of an extension type other than a timestamp")
		}
		d.arena = t.UTC().AppendFormat(d.arena, time.RFC3339Nano)
		return nudge.TextValue(view(d.arena[start:])), nil
	}
	n, _ := m.scalar(code)
	switch code {
	case msgpcode.Nil:
		return nudge.Value{Kind: nudge.Null}, nil
	case msgpcode.True, msgpcode.False:
		return nudge.BoolValue(n.f != 0), nil
	}
	if math.IsNaN(n.f) || math.IsInf(n.f, 0) {
		return nudge.Value{}, refuse(CodeBadValue, at, "is not a finite number")
	}
	d.arena = n.appendDigits(d.arena)
	return nudge.Value{Kind: nudge.Number, Num: n.f, Text: view(d.arena[start:])}, nil
}

// appendMsgpackJSON appends the next value as JSON text.
func (c *Codec) appendMsgpackJSON(dst []byte, at where, depth int) ([]byte, *Error) {
	m := &c.mp
	code, _ := m.dec.PeekCode()
	if !isMap(code) && !isArray(code) {
		return c.appendMsgpackScalar(dst, at)
	}
	if depth == 0 {
		return dst, tooDeep(at)
	}
	opening, closing, n := byte('['), byte(']'), 0
	if isMap(code) {
		opening, closing = '{', '}'
		n, _ = m.dec.DecodeMapLen()
	} else {
		n, _ = m.dec.DecodeArrayLen()
	}
	dst = append(dst, opening)
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if opening == '{' {
			key, err := c.msgpackName(at.String())
			if err != nil {
				return dst, err
			}
			dst = append(nudge.AppendJSONString(dst, key), ':')
		}
		var err *Error
		if dst, err = c.appendMsgpackJSON(dst, at, depth-1); err != nil {
			return dst, err
		}
	}
	return append(dst, closing), nil
}

// appendMsgpackScalar appends a value that holds no others. What it is read into must not be the arena, since dst is the top of that.
func (c *Codec) appendMsgpackScalar(dst []byte, at where) ([]byte, *Error) {
	arena := c.draft.arena
	c.draft.arena = c.scalar[:0]
	v, err := c.msgpackValue(at, 0)
	c.scalar, c.draft.arena = c.draft.arena, arena
	if err != nil {
		return dst, err
	}
	if v.Kind == nudge.Number {
		return append(dst, v.Text...), nil
	}
	return v.AppendJSON(dst), nil
}
