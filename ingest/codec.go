package ingest

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"nudge"
)

// CodecOptions configure a codec.
type CodecOptions struct {
	Names    *nudge.Names            // required: the names of fields and event types are interned here
	Reserved func(nudge.NameID) bool // types of events that only rules make; nil: none but fired
}

// Codec turns what senders send into records. It keeps its buffers from one call to the next, so it serves one goroutine at a time; in the
// steady state it allocates nothing.
type Codec struct {
	names    nameCache
	reserved func(nudge.NameID) bool
	mail     mailCache
	mp       msgpackReader
	scalar   []byte // the digits or the time of an array's element in MessagePack
	draft    draft
	replay   bool // the event's own at counts
	origin   Origin

	// allow, where given, is told the write key found in a body before the first event is decoded; false ends the decoding. An array or a
	// sequence of events has the key of its first event.
	allow func(writeKey string) bool
}

// NewCodec returns a codec. It panics without a table of names.
func NewCodec(o CodecOptions) *Codec {
	if o.Names == nil {
		panic("BUG: a codec without a table of names")
	}
	if o.Reserved == nil {
		o.Reserved = func(nudge.NameID) bool { return false }
	}
	return &Codec{names: newNameCache(o.Names), reserved: o.Reserved, mail: mailCache{table: sharedMailDomains(), employers: make(map[string]string)}}
}

// Events decodes a native body and appends the record of every event that is well formed to b: one JSON object, an array of them, objects
// one behind the other (NDJSON), or MessagePack: a map, an array of maps, maps one behind the other. What the body is shows in its first
// byte; contentType matters only where it says MessagePack, since senders put anything there.
//
// A body that is cut off or not well formed is refused whole: b is as it was, and the error is an *Error. Events that are well formed but
// wrong are rejected one by one. Names, texts and times are as the package comment says; body may be changed.
func (c *Codec) Events(body []byte, contentType string, received nudge.Millis, b *nudge.RecordBuilder) (Decoded, error) {
	return c.events(body, contentType, received, b)
}

// Origin is what is known of a message that carries events, for those of them that do not say it themselves. The zero value is nothing.
type Origin struct {
	ID string       // id of the first event that has none; the nth after the message's first gets ":n" behind it. At most MaxOriginBytes
	Ts nudge.Millis // ts of events that have none, and when the message was received
}

// MaxOriginBytes leaves room behind an Origin's ID for the number of an event.
const MaxOriginBytes = MaxKeyBytes - 5

// Message is Events for what a broker hands over: where an event lacks an id or ts it has what follows from the message, so that the same message
// gives the same records however often it comes.
func (c *Codec) Message(body []byte, contentType string, from Origin, b *nudge.RecordBuilder) (Decoded, error) {
	c.origin = from
	return c.events(body, contentType, from.Ts, b)
}

func (c *Codec) events(body []byte, contentType string, received nudge.Millis, b *nudge.RecordBuilder) (Decoded, error) {
	defer c.trim()
	c.replay = false
	start := len(b.Buf)
	body = bytes.TrimPrefix(body, byteOrderMark)
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return Decoded{}, refuse(CodeBadBody, where{}, "the body is empty: send an event, an array of events, or one event per line")
	}
	r := request{c: c, b: b, received: received, limit: MaxEvents, start: start}
	var err error
	if isMsgpack(body[0], contentType) {
		err = c.msgpackBody(body, &r)
	} else {
		err = c.jsonBody(validUTF8(body), &r)
	}
	if err == nil && r.done.Accepted+len(r.done.Rejected) == 0 && c.allow != nil && !c.allow("") {
		err = errNotAllowed // no event, so no key
	}
	if err != nil {
		b.Buf = b.Buf[:start]
		return Decoded{}, err
	}
	return r.done, nil
}

// request is the decoding of one body.
type request struct {
	c        *Codec
	b        *nudge.RecordBuilder
	received nudge.Millis
	limit    int
	start    int // of its records in b
	done     Decoded
}

// take decodes one event with read and appends its record.
func (r *request) take(text []byte, read func(text []byte) *Error) error {
	if r.done.Accepted+len(r.done.Rejected) == r.limit {
		return refuse(CodeTooMany, where{}, "more than %d events in one request: send them in several", r.limit)
	}
	if len(text) > MaxEventBytes {
		r.done.reject(refuse(CodeTooLarge, where{}, "the event has %d bytes, the limit is %d", len(text), MaxEventBytes))
		return nil
	}
	r.c.draft.reset()
	err := read(text)
	if err == nil && r.c.draft.void {
		r.done.Accepted++
		return nil
	}
	if err == nil {
		err = r.finish()
	}
	if err != nil {
		r.done.reject(err)
		return nil
	}
	r.done.Accepted++
	r.done.Records++
	return nil
}

// finish appends the record of the event that was read.
func (r *request) finish() *Error {
	r.c.complete(r.done.Accepted + len(r.done.Rejected))
	before := len(r.b.Buf)
	err := r.c.finish(r.received, true, r.b)
	if err == nil && len(r.c.draft.others) > 0 && len(r.b.Buf)-r.start > maxSpelledBytes {
		r.b.Buf = r.b.Buf[:before]
		err = refuse(CodeTooLarge, where{}, "the request's events take more than %d bytes with all names of fields written out: send them in several requests, or send objects with shorter names", maxSpelledBytes)
	}
	return err
}

// takeHere decodes the event that starts here, and appends its record, without looking first where it ends. Where there is anything wrong with it, or its
// write key is to be asked for first, it has done nothing: scanning it before decoding tells what.
func (r *request) takeHere(s *scanner) bool {
	start := *s
	if r.c.allow != nil || r.done.Accepted+len(r.done.Rejected) == r.limit {
		return false
	}
	r.c.draft.reset()
	err := r.c.nativeEvent(s)
	s.broken = s.broken || s.pos-start.pos > MaxEventBytes
	if err == nil && !s.broken {
		err = r.finish()
	}
	if err != nil || s.broken {
		*s = start
		return false
	}
	r.done.Accepted++
	r.done.Records++
	return true
}

// jsonBody finds the events of a JSON body and decodes each.
func (c *Codec) jsonBody(body []byte, r *request) error {
	s := scanner{b: body}
	each := func(text []byte) error {
		if r.done.Accepted+len(r.done.Rejected) == 0 && !c.allowJSON(text) {
			return errNotAllowed
		}
		return r.take(text, c.jsonEvent)
	}
	var err error
	switch s.peek() {
	case '[':
		s.room = maxBodyDepth - 2
		here := func() bool { return s.peek() == '{' && r.takeHere(&s) }
		if err = s.elements(maxBodyDepth, here, each); err == nil && !s.ended() {
			err = s.fail("nothing more is expected behind the array")
		}
	case '{':
		s.room = maxBodyDepth - 1
		for err == nil && s.peek() == '{' {
			if r.takeHere(&s) {
				continue
			}
			start := s.pos
			if err = s.members(maxBodyDepth, nil); err == nil {
				err = each(body[start:s.pos])
			}
		}
		if err == nil && !s.ended() {
			err = s.fail("another event, an object, is expected")
		}
	default:
		err = s.fail("an object or an array of objects is expected")
	}
	return badJSON(body, err)
}

// allowJSON asks for the write key in an event's text, before anything of it is kept.
func (c *Codec) allowJSON(text []byte) bool {
	if c.allow == nil {
		return true
	}
	if len(text) > MaxEventBytes {
		return c.allow("")
	}
	s := scanner{b: text, room: maxBodyDepth}
	key := ""
	for more := s.peek() == '{' && s.first(); more; more = s.another() {
		if c.name(&s) == "writeKey" && key == "" && s.peek() == '"' {
			key = c.text(&s)
		} else {
			s.skip()
		}
	}
	s.whole()
	return c.allow(key)
}

// allowed asks for a write key that stands in a member's value.
func (c *Codec) allowed(value []byte) bool { return c.allow == nil || c.allow(c.textOf(value)) }

// errNotAllowed ends the decoding of a body whose write key is not one of ours.
var errNotAllowed = &Error{
	Code: CodeUnauthorized, Field: "writeKey",
	Message: "the write key is missing or unknown: send it as header X-Write-Key, as Authorization (Bearer, or the user of Basic), as ?key=, or as writeKey in the body",
}

// badJSON makes a syntax error speak of the line, where there are several.
func badJSON(body []byte, err error) error {
	s, ok := err.(*syntaxError)
	if !ok {
		return err
	}
	at := fmt.Sprintf("at byte %d", s.pos)
	if line := bytes.Count(body[:s.pos], []byte{'\n'}); line > 0 {
		at = fmt.Sprintf("in line %d, byte %d", line+1, s.pos-bytes.LastIndexByte(body[:s.pos], '\n')-1)
	}
	return refuse(CodeBadBody, where{}, "the body is not well-formed JSON: %s %s; nothing of it was taken", s.want, at)
}

// ReplayEvent decodes one line of a replay file: one native event as a JSON object. It returns the line's own log time, which live ingest
// takes no notice of. On an error b is as it was.
func (c *Codec) ReplayEvent(line []byte, b *nudge.RecordBuilder) (at nudge.Millis, hasAt bool, err error) {
	defer c.trim()
	c.draft.reset()
	line = validUTF8(bytes.Trim(bytes.TrimPrefix(line, byteOrderMark), " \t\r\n"))
	s := scanner{b: line}
	if len(line) > MaxEventBytes {
		return 0, false, refuse(CodeTooLarge, where{}, "the event has %d bytes, the limit is %d", len(line), MaxEventBytes)
	}
	if s.peek() != '{' {
		return 0, false, refuse(CodeBadBody, where{}, "an event, one JSON object, is expected")
	}
	serr := s.members(maxBodyDepth, nil)
	if serr == nil && !s.ended() {
		serr = s.fail("nothing more is expected behind the event")
	}
	if serr != nil {
		return 0, false, refuse(CodeBadBody, where{}, "the line is not well-formed JSON: %v", serr)
	}
	c.replay = true
	if err := c.jsonEvent(line); err != nil {
		return 0, false, err
	}
	return c.finishReplay(b)
}

func (c *Codec) finishReplay(b *nudge.RecordBuilder) (nudge.Millis, bool, error) {
	d := &c.draft
	if err := c.finish(d.at, d.hasAt, b); err != nil {
		return 0, false, err
	}
	return d.at, d.hasAt, nil
}

// trim lets go of what an unusually large body has left behind.
func (c *Codec) trim() {
	if cap(c.draft.arena) > maxKeptBytes {
		c.draft.arena = nil
	}
	c.allow = nil
	c.origin = Origin{}
}

var byteOrderMark = []byte("\uFEFF")

// validUTF8 is body, or where it is not UTF-8 a copy with U+FFFD in place of what is wrong: one broken title must not lose an event.
func validUTF8(body []byte) []byte {
	if utf8.Valid(body) {
		return body
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD"))
}
