package ingest

import (
	"bytes"

	"nudge"
)

// Segment decodes a body in the form of Segment's HTTP API and appends the records to b. call is the path's last part: "track",
// "identify", "page", "screen", "group", "alias" or "batch". Errors and rejections are as with Events.
func (c *Codec) Segment(call string, body []byte, received nudge.Millis, b *nudge.RecordBuilder) (Decoded, error) {
	defer c.trim()
	c.replay = false
	start := len(b.Buf)
	body = validUTF8(bytes.TrimPrefix(body, byteOrderMark))
	r := segmentRequest{request: request{c: c, b: b, received: received, limit: MaxSegmentEvents, start: start}, call: call}
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

	context []byte // the batch's, which its items inherit; nil if there is none
	sentAt  nudge.Millis
	hasSent bool
}

func (r *segmentRequest) decode(body []byte) error {
	s := scanner{b: body}
	if s.peek() != '{' {
		return s.fail("an object is expected")
	}
	start := s.pos
	m, err := r.c.segmentMembers(&s)
	end := s.pos
	if err == nil && !s.ended() {
		err = s.fail("nothing more is expected behind the object")
	}
	switch {
	case err != nil:
		return err
	case r.call == "batch":
		return r.batch(&m)
	case !r.c.allowed(m.writeKey):
		return errNotAllowed
	}
	return r.take(body[start:end], r.item)
}

func (r *segmentRequest) batch(m *segmentMembers) error {
	if !r.c.allowed(m.writeKey) {
		return errNotAllowed
	}
	if len(m.batch) == 0 || m.batch[0] != '[' {
		return refuse(CodeMissing, where{name: "batch"}, "is missing or not an array: put the events into it")
	}
	r.context = m.context
	r.sentAt, r.hasSent = r.c.lenientInstant(m.sentAt)
	s := scanner{b: m.batch}
	return s.elements(maxBodyDepth, nil, func(text []byte) error { return r.take(text, r.item) })
}

// segmentMembers are the members, each as text, that Segment's API knows of an event and of what surrounds a batch of them; nil where there is none.
type segmentMembers struct {
	messageID, anonymousID, userID, groupID, previousID []byte

	typ, event, name, category  []byte
	properties, traits, context []byte

	sentAt, timestamp, original []byte

	batch, writeKey []byte
}

// place is where a member of that name belongs, nil if nobody asks for it.
func (m *segmentMembers) place(name string) *[]byte {
	switch name {
	case "messageId":
		return &m.messageID
	case "anonymousId":
		return &m.anonymousID
	case "userId":
		return &m.userID
	case "groupId":
		return &m.groupID
	case "previousId":
		return &m.previousID
	case "type":
		return &m.typ
	case "event":
		return &m.event
	case "name":
		return &m.name
	case "category":
		return &m.category
	case "properties":
		return &m.properties
	case "traits":
		return &m.traits
	case "context":
		return &m.context
	case "sentAt":
		return &m.sentAt
	case "timestamp":
		return &m.timestamp
	case "originalTimestamp":
		return &m.original
	case "batch":
		return &m.batch
	case "writeKey":
		return &m.writeKey
	}
	return nil
}

// segmentMembers scans the object that starts here. Of two members of one name the first counts.
func (c *Codec) segmentMembers(s *scanner) (m segmentMembers, err error) {
	err = s.members(maxBodyDepth, func(key, value []byte) error {
		name := view(key)
		if bytes.IndexByte(key, '\\') >= 0 {
			name = view(c.unescaped(key))
		}
		if place := m.place(name); place != nil && *place == nil {
			*place = value
		}
		return nil
	})
	return m, err
}

// textOf is the text that a member's value is, "" where it is something else.
func (c *Codec) textOf(value []byte) string {
	if len(value) == 0 || value[0] != '"' {
		return ""
	}
	return c.text(&scanner{b: value})
}

// lenientInstant reads a time that only serves to correct another one: what cannot be read is as if it were not there.
func (c *Codec) lenientInstant(value []byte) (nudge.Millis, bool) {
	return parseRFC3339(c.textOf(value))
}

// item decodes one event.
func (r *segmentRequest) item(text []byte) *Error {
	s := scanner{b: text}
	if s.peek() != '{' {
		return refuse(CodeWrongType, where{}, "an event must be an object")
	}
	m, err := r.c.segmentMembers(&s)
	if err != nil {
		panic("BUG: what the scanner has accepted is not well-formed: " + err.Error())
	}
	e := segmentEvent{c: r.c, m: m, contexts: [2][]byte{m.context, r.context}}
	call := r.call
	if call == "batch" {
		call = r.c.textOf(m.typ)
	}
	if err := e.times(r); err != nil {
		return err
	}
	return e.read(call)
}
