package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"nudge"
)

// received is the instant at which the scripts' requests arrive.
const received = nudge.Millis(1764000020000)

// TestCodec runs the scripts under testdata/codec. Commands:
//
//	events            a native body; one line for each record, then the rejections
//	msgpack           the same, sent as MessagePack: the body is JSON that the test translates
//	replay            one line each of a replay file
//	row               a table: header line, then rows
//	segment call=x    a body in Segment's form
//	message id=x      a native body that a broker hands over; it was received 10 s before the others
//
// A codec that has no room for names, and spells them out, says the same. What a body became is looked at when the codec has read another one and the body is gone: a server gives both away before it answers.
func TestCodec(t *testing.T) {
	datadriven.Walk(t, "testdata/codec", func(t *testing.T, path string) {
		names, full := nudge.NewNames(), nudge.NewNamesWith(0)
		c, spelling := NewCodec(CodecOptions{Names: names}), NewCodec(CodecOptions{Names: full})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out := codecSays(t, d, c, names)
			if got := codecSays(t, d, spelling, full); got != out {
				t.Errorf("%s: with all names spelled out:\n%s\nwith ids:\n%s", d.Pos, got, out)
			}
			return out
		})
	})
}

func codecSays(t *testing.T, d *datadriven.TestData, c *Codec, names *nudge.Names) string {
	var b nudge.RecordBuilder
	var out strings.Builder
	switch d.Cmd {
	case "events":
		body := []byte(unquote(d.Input))
		done, err := c.Events(body, "application/json", received, &b)
		spoil(c, body)
		report(&out, names, b.Buf, done, err)
	case "msgpack":
		body := toMsgpack(t, d.Input)
		done, err := c.Events(body, "application/msgpack", received, &b)
		spoil(c, body)
		report(&out, names, b.Buf, done, err)
	case "segment":
		var call string
		d.ScanArgs(t, "call", &call)
		body := []byte(d.Input)
		done, err := c.Segment(call, body, received, &b)
		spoil(c, body)
		report(&out, names, b.Buf, done, err)
	case "message":
		var id string
		d.ScanArgs(t, "id", &id)
		done, err := c.Message([]byte(unquote(d.Input)), "", Origin{ID: id, Ts: received - 10_000}, &b)
		report(&out, names, b.Buf, done, err)
	case "replay":
		for line := range strings.Lines(d.Input) {
			b.Buf = b.Buf[:0]
			at, hasAt, err := c.ReplayEvent([]byte(unquote(line)), &b)
			reportLine(&out, names, b.Buf, at, hasAt, err)
		}
	case "row":
		lines := strings.Split(d.Input, "\n")
		for _, row := range lines[1:] {
			b.Buf = b.Buf[:0]
			at, hasAt, err := c.ReplayFields(strings.Split(lines[0], ","), strings.Split(row, ","), &b)
			reportLine(&out, names, b.Buf, at, hasAt, err)
		}
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return out.String()
}

// spoil overwrites a body that was read and what the codec has kept of it.
func spoil(c *Codec, body []byte) {
	for i := range body {
		body[i] = '#'
	}
	var other nudge.RecordBuilder
	other.Buf = make([]byte, 0, 4096)
	for _, text := range []string{
		`{"type":"other","visitor":"` + strings.Repeat("#", 200) + `","email":"OTHER@OTHER.EXAMPLE","n":[1,2,3,4,5,6,7,8,9],"o":{"p":{"q":12345678}}}`,
		`{"type":"other","` + strings.Repeat("#", 90) + `":{}}`,
	} {
		c.Events([]byte(text), "application/json", received, &other)
	}
}

func unquote(s string) string {
	return strings.NewReplacer(`\xff`, "\xff", `\uFEFF`, "\uFEFF").Replace(s)
}

func reportLine(out *strings.Builder, names *nudge.Names, buf []byte, at nudge.Millis, hasAt bool, err error) {
	if hasAt {
		fmt.Fprintf(out, "at=%d ", at)
	}
	report(out, names, buf, Decoded{}, err)
}

func report(out *strings.Builder, names *nudge.Names, buf []byte, done Decoded, err error) {
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			panic(err)
		}
		fmt.Fprintf(out, "error %s field=%q: %s\n", e.Code, e.Field, e.Message)
	}
	for len(buf) > 0 {
		rec, rest, err := nudge.NextRecord(buf)
		if err != nil {
			fmt.Fprintf(out, "BAD RECORD %v\n", err)
			return
		}
		buf = rest
		out.WriteString(dump(names, rec))
		out.WriteByte('\n')
	}
	for _, r := range done.Rejected {
		fmt.Fprintf(out, "rejected %d %s field=%q: %s\n", r.Index, r.Code, r.Field, r.Message)
	}
	if done.Accepted != done.Records {
		fmt.Fprintf(out, "accepted %d, records %d\n", done.Accepted, done.Records)
	}
}

// dump is a record as one line: type, key, ts, fields.
func dump(names *nudge.Names, rec nudge.Record) string {
	var s strings.Builder
	typ := names.Text(rec.Type())
	if rec.Type() == nudge.NameOther {
		typ = rec.SpelledType()
	}
	s.WriteString(typ)
	s.WriteString(" key=" + scopeOf(rec))
	if ts, ok := rec.Ts(); ok {
		fmt.Fprintf(&s, " ts=%d", ts)
	}
	for it := rec.Fields(); it.Next(); {
		if it.Name == nudge.NameType {
			continue
		}
		name := it.Spell(names)
		if it.Name == nudge.NameMailDomain {
			name = "(mail domain)"
		}
		s.WriteString(" " + name)
		switch it.Value.Kind {
		case nudge.JSON:
			s.WriteString(":json=" + it.Value.Text)
		default:
			s.WriteString("=" + string(it.Value.AppendJSON(nil)))
		}
	}
	return s.String()
}

// scopeOf names the scope whose text the record's hash is of.
func scopeOf(rec nudge.Record) string {
	for scope, id := range map[string]nudge.NameID{
		"visitor": nudge.NameVisitor, "user": nudge.NameUser, "email": nudge.NameEmail, "company": nudge.NameCompany,
	} {
		if v := rec.Field(id); v.Kind == nudge.Text && rec.Hash() == nudge.HashKey(scope, v.Text) {
			return scope
		}
	}
	return "NONE"
}
