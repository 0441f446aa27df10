package ingest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"nudge"
)

// checkRecords fails unless buf holds exactly n well-formed records that keep the promises made to the engine.
func checkRecords(t *testing.T, buf []byte, n int) {
	t.Helper()
	for ; len(buf) > 0; n-- {
		rec, rest, err := nudge.NextRecord(buf)
		if err != nil {
			t.Fatal(err)
		}
		buf = rest
		if rec.Kind() != nudge.RecordEvent || rec.Type() == nudge.NameNone || rec.Type() == nudge.NameFired {
			t.Fatalf("kind %d, type %d", rec.Kind(), rec.Type())
		}
		if scopeOf(rec) == "NONE" {
			t.Fatal("the record has no key, or its hash is another's")
		}
		checkFields(t, rec)
	}
	if n != 0 {
		t.Fatalf("%d records too few", n)
	}
}

func checkFields(t *testing.T, rec nudge.Record) {
	t.Helper()
	seen := map[nudge.NameID]bool{}
	for it := rec.Fields(); it.Next(); {
		switch {
		case seen[it.Name]:
			t.Fatalf("field %d comes twice", it.Name)
		case it.Name == nudge.NameType || it.Name == nudge.NameTs || it.Name == nudge.NameAt:
			t.Fatalf("field %d belongs into the header", it.Name)
		case isNamed(it.Name) && it.Value.Kind != nudge.Text:
			t.Fatalf("field %d is %v", it.Name, it.Value)
		case !utf8.ValidString(it.Value.Text):
			t.Fatalf("field %d is not UTF-8: %q", it.Name, it.Value.Text)
		case it.Value.Kind == nudge.JSON && !json.Valid([]byte(it.Value.Text)):
			t.Fatalf("field %d is not JSON: %q", it.Name, it.Value.Text)
		}
		seen[it.Name] = true
	}
	if len(seen) > MaxFields {
		t.Fatalf("%d fields", len(seen))
	}
}

// seeds are native bodies of every shape.
var seeds = []string{
	typical, "[" + typical + "," + typical + "]", typical + "\n" + typical,
	`{"type":"a","visitor":1e3,"sentAt":"2025-11-24T16:00:21Z","ts":"2025-11-24T16:00:20Z","a":{"b":{"c":[{"d":[]}]}},"\ud83d":"\ud83d\ude00"}`,
	`[{"type":"a"},5,null,{"type":"a","visitor":"v","props":{"user":{"x":1},"title":"t"}}]`,
}

func FuzzEvents(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	names := nudge.NewNames()
	c := NewCodec(CodecOptions{Names: names})
	f.Fuzz(func(t *testing.T, body []byte) {
		sent := bytes.Clone(body)
		var b nudge.RecordBuilder
		done, err := c.Events(body, "application/json", received, &b)
		checkRecords(t, b.Buf, done.Records)
		if len(sent) == 0 || isMap(sent[0]) || isArray(sent[0]) {
			return
		}
		if sent = bytes.TrimPrefix(sent, byteOrderMark); (err == nil) != isJSONSequence(sent) && !tooMuch(err) {
			t.Fatalf("error %v, but encoding/json finds the opposite", err)
		}
	})
}

// isJSONSequence says whether encoding/json, which shares no code with the scanner, reads body as an array, or as objects one behind the
// other.
func isJSONSequence(body []byte) bool {
	text := strings.TrimLeft(string(body), " \t\r\n")
	if strings.HasPrefix(text, "[") {
		return json.Valid(body)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	n := 0
	for ; ; n++ {
		rest := strings.TrimLeft(text[dec.InputOffset():], " \t\r\n")
		if rest == "" {
			return n > 0
		}
		var v json.RawMessage
		if rest[0] != '{' || dec.Decode(&v) != nil {
			return false
		}
	}
}

// tooMuch: well-formed JSON that is refused whole.
func tooMuch(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "nested too deeply") || strings.Contains(err.Error(), "in one request"))
}

func FuzzMsgpack(f *testing.F) {
	for _, s := range seeds {
		f.Add(toMsgpack(f, s))
	}
	f.Add([]byte("\x83\xa4type\xa1a\xa7visitor\xa1v\xa2ts\xd6\xff\x00\x00\x00\x01")) // a timestamp
	f.Add([]byte("\x83\xa4type\xa1a\xa7visitor\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1b\xc4\x01x"))
	c := NewCodec(CodecOptions{Names: nudge.NewNames()})
	f.Fuzz(func(t *testing.T, body []byte) {
		var b nudge.RecordBuilder
		done, _ := c.Events(body, "application/msgpack", received, &b)
		checkRecords(t, b.Buf, done.Records)
		c.allow = func(string) bool { return true }
		again, _ := c.Events(body, "application/msgpack", received, &b)
		if again.Records != done.Records {
			t.Fatalf("%d records, with a key %d", done.Records, again.Records)
		}
	})
}

func FuzzSegment(f *testing.F) {
	for _, s := range []string{
		`{"batch":[{"type":"track","event":"A","userId":"u1"},{"type":"identify","userId":1,"traits":{"email":"a@b.example"}}],"sentAt":"2025-11-24T15:00:02Z","context":{"page":{"url":"/x"}}}`,
		`{"event":"A","userId":"u1","timestamp":"2025-11-24T15:00:02Z","properties":{"a":{"b":[1]}},"context":{"campaign":{"name":"x"}}}`,
		`{"groupId":"g","previousId":"p","userId":"u1","name":"n","category":"c","traits":{"x":null}}`,
	} {
		for i := range calls {
			f.Add(uint8(i), []byte(s))
		}
	}
	c := NewCodec(CodecOptions{Names: nudge.NewNames()})
	f.Fuzz(func(t *testing.T, call uint8, body []byte) {
		var b nudge.RecordBuilder
		done, _ := c.Segment(calls[int(call)%len(calls)], body, received, &b)
		checkRecords(t, b.Buf, done.Records)
	})
}

var calls = []string{"track", "identify", "page", "screen", "group", "alias", "batch"}

func FuzzReplay(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "type,visitor,ts,at,n", "a,v,1,2025-11-24T15:00:02Z,1.50")
	}
	c := NewCodec(CodecOptions{Names: nudge.NewNames()})
	f.Fuzz(func(t *testing.T, line, columns, row string) {
		var b nudge.RecordBuilder
		if at, hasAt, err := c.ReplayEvent([]byte(line), &b); err == nil {
			checkRecords(t, b.Buf, 1)
			if hasAt && (at < 0 || at > MaxTs) {
				t.Fatal(at)
			}
		} else if len(b.Buf) > 0 {
			t.Fatal("a refused line left something behind")
		}
		b.Buf = b.Buf[:0]
		if _, _, err := c.ReplayFields(strings.Split(columns, ","), strings.Split(row, ","), &b); err == nil {
			checkRecords(t, b.Buf, 1)
		} else if len(b.Buf) > 0 {
			t.Fatal("a refused row left something behind")
		}
	})
}
