package ingest

import (
	"bytes"

	"github.com/valyala/fastjson"

	"nudge"
)

// Segment decodes a body in the form of Segment's HTTP API and appends the records to b. call is the path's last part: "track",
// "identify", "page", "screen", "group", "alias" or "batch". Errors and rejections are as with Events.
func (c *Codec) Segment(call string, body []byte, received nudge.Millis, b *nudge.RecordBuilder) (Decoded, error) {
	defer c.trim()
	c.replay = false
	start := len(b.Buf)
	body = validUTF8(bytes.TrimPrefix(body, byteOrderMark))
	r := segmentRequest{request: request{c: c, b: b, received: received, limit: MaxSegmentEvents}, call: call}
	if err := badJSON(body, r.decode(body)); err != nil {
		b.Buf = b.Buf[:start]
		return Decoded{}, err
	}
	return r.done, nil
}

// segmentRequest is the decoding of one body in Segment's form.
type segmentRequest struct {
	request
	call string

	context *fastjson.Value // the batch's, which its items inherit; nil if there is none
	sentAt  nudge.Millis
	hasSent bool
}

func (r *segmentRequest) decode(body []byte) error {
	s := scanner{b: body}
	if s.peek() != '{' {
		return s.fail("an object is expected")
	}
	start := s.pos
	var items []byte
	around := r.c.around[:0]
	err := s.members(maxBodyDepth, func(key, value []byte) error {
		if r.call == "batch" && string(key) == "batch" {
			items = value
		} else if r.call == "batch" {
			around = appendMember(around, key, value)
		}
		return nil
	})
	end := s.pos
	if err == nil && !s.ended() {
		err = s.fail("nothing more is expected behind the object")
	}
	if err != nil {
		return err
	}
	if r.call != "batch" {
		return r.one(body[start:end])
	}
	if len(around) == 0 {
		around = append(around, '{')
	}
	r.c.around = append(around, '}')
	return r.batch(items, r.c.around)
}

// appendMember collects the members around a batch's items into an object of their own, still without its closing bracket.
func appendMember(dst, key, value []byte) []byte {
	if len(dst) == 0 {
		dst = append(dst, '{')
	} else {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), key...), '"', ':')
	return append(dst, value...)
}

func (r *segmentRequest) one(text []byte) error {
	if !r.c.allowJSON(text) {
		return errNotAllowed
	}
	return r.take(text, r.item)
}

func (r *segmentRequest) batch(items, around []byte) error {
	v, err := r.c.outer.ParseBytes(around)
	if err != nil {
		return refuse(CodeBadBody, where{}, "what surrounds the batch cannot be read")
	}
	if r.c.allow != nil && !r.c.allow(string(v.GetStringBytes("writeKey"))) {
		return errNotAllowed
	}
	s := scanner{b: items}
	if s.peek() != '[' {
		return refuse(CodeMissing, where{name: "batch"}, "is missing or not an array: put the events into it")
	}
	r.context = v.Get("context")
	r.sentAt, r.hasSent = lenientInstant(v.Get("sentAt"))
	return s.elements(maxBodyDepth, nil, func(text []byte) error { return r.take(text, r.item) })
}

// lenientInstant reads a time that only serves to correct another one: what cannot be read is as if it were not there.
func lenientInstant(v *fastjson.Value) (nudge.Millis, bool) {
	if v == nil || v.Type() != fastjson.TypeString {
		return 0, false
	}
	return parseRFC3339(view(v.GetStringBytes()))
}

// item decodes one event.
func (r *segmentRequest) item(text []byte) *Error {
	v, perr := r.c.parser.ParseBytes(text)
	if perr != nil || v.Type() != fastjson.TypeObject {
		return refuse(CodeWrongType, where{}, "an event must be an object")
	}
	e := segmentEvent{c: r.c, v: v, contexts: [2]*fastjson.Value{v.Get("context"), r.context}}
	call := r.call
	if call == "batch" {
		call = string(v.GetStringBytes("type"))
	}
	if err := e.times(r); err != nil {
		return err
	}
	return e.read(call)
}
