package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"nudge"
)

// decode sends a native body and tells what became of it: the number of records, or the first error's code and field.
func decode(t *testing.T, body string) string { return decodeWith(t, body, nudge.MaxMetNames) }

func decodeWith(t *testing.T, body string, room int) string {
	t.Helper()
	var b nudge.RecordBuilder
	done, err := NewCodec(CodecOptions{Names: nudge.NewNamesWith(room)}).Events([]byte(body), "", received, &b)
	return outcome(t, b.Buf, done, err)
}

func outcome(t *testing.T, buf []byte, done Decoded, err error) string {
	t.Helper()
	n := 0
	for ; len(buf) > 0; n++ {
		_, rest, err := nudge.NextRecord(buf)
		if err != nil {
			t.Fatal(err)
		}
		buf = rest
	}
	if n != done.Records {
		t.Fatalf("%d records, Decoded says %d", n, done.Records)
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return "refused " + e.Code + " " + e.Field
	case err != nil:
		t.Fatal(err)
	case len(done.Rejected) > 0:
		return done.Rejected[0].Code + " " + done.Rejected[0].Field
	}
	return fmt.Sprint(n)
}

// TestLimits goes to the edge of every limit and one step beyond.
func TestLimits(t *testing.T) {
	event := func(members string) string { return `{"type":"a","visitor":"v"` + members + `}` }
	text := func(n int) string { return strings.Repeat("x", n) }
	fields := func(n int) string { // besides visitor
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, `,"f%d":1`, i)
		}
		return event(s.String())
	}
	nested := func(n int) string { return event(`,"o":` + strings.Repeat(`{"o":`, n) + `1` + strings.Repeat(`}`, n)) }
	array := func(n int) string { return event(`,"o":` + strings.Repeat(`[`, n) + strings.Repeat(`]`, n)) }
	mixed := func(n int) string {
		return event(`,"props":{"o":` + strings.Repeat(`{"o":`, n) + `[{}]` + strings.Repeat(`}`, n) + `}`)
	}
	sized := func(n int) string { // an event of n bytes
		s := event(`,"l":["`)
		return s[:len(s)-1] + text(n-len(s)-2) + `"]}`
	}
	many := func(n int) string { return "[" + strings.Repeat(event("")+",", n-1) + event("") + "]" }
	lines := func(n int) string { return strings.Repeat(event("")+"\n", n) }

	for name, c := range map[string]struct {
		body func(int) string
		at   int
		want string // one step beyond
	}{
		"id":               {func(n int) string { return event(`,"id":"` + text(n) + `"`) }, MaxKeyBytes, "too_long id"},
		"visitor":          {func(n int) string { return `{"type":"a","visitor":"` + text(n) + `"}` }, MaxKeyBytes, "too_long visitor"},
		"user":             {func(n int) string { return event(`,"user":"` + text(n) + `"`) }, MaxKeyBytes, "too_long user"},
		"user digits":      {func(n int) string { return event(`,"user":` + strings.Repeat("1", n)) }, MaxKeyBytes, "too_long user"},
		"company":          {func(n int) string { return event(`,"company":"` + text(n) + `"`) }, MaxKeyBytes, "too_long company"},
		"email":            {func(n int) string { return event(`,"email":" ` + text(n) + ` "`) }, MaxKeyBytes, "too_long email"},
		"url":              {func(n int) string { return event(`,"url":"` + text(n) + `"`) }, MaxTextBytes, "too_long url"},
		"text":             {func(n int) string { return event(`,"props":{"a":"` + text(n) + `"}`) }, MaxTextBytes, "too_long props.a"},
		"type":             {func(n int) string { return `{"type":"` + text(n) + `","visitor":"v"}` }, nudge.MaxNameBytes, "too_long type"},
		"name":             {func(n int) string { return event(`,"` + text(n) + `":1`) }, nudge.MaxNameBytes, "too_long " + text(64) + "…"},
		"dotted name":      {func(n int) string { return event(`,"a":{"` + text(n-2) + `":1}`) }, nudge.MaxNameBytes, "too_long a." + text(62) + "…"},
		"fields":           {func(n int) string { return fields(n - 1) }, MaxFields, "too_many_fields "},
		"depth of objects": {nested, MaxDepth, "too_deep o" + strings.Repeat(".o", MaxDepth)},
		"depth of arrays":  {array, MaxDepth, "too_deep o"},
		"depth of both":    {mixed, MaxDepth - 2, "too_deep props.o" + strings.Repeat(".o", MaxDepth-1)},
		"depth of a body":  {func(n int) string { return event(`,"writeKey":` + strings.Repeat(`[`, n) + strings.Repeat(`]`, n)) }, maxBodyDepth - 1, "refused bad_body "},
		"event":            {sized, MaxEventBytes, "too_large "},
		"events":           {many, MaxEvents, "refused too_many_events "},
		"events in lines":  {lines, MaxEvents, "refused too_many_events "},
		"ts":               {func(n int) string { return event(fmt.Sprintf(`,"ts":%d`, n)) }, MaxTs, "bad_value ts"},
	} {
		for _, form := range []string{"json", "msgpack"} {
			body := c.body
			if form == "msgpack" {
				if name == "event" || name == "depth of a body" || name == "user digits" {
					continue // sizes and digits are JSON's
				}
				body = func(n int) string { return string(toMsgpack(t, c.body(n))) }
			}
			for _, room := range []int{nudge.MaxMetNames, 0} { // without any, names are spelled out
				if got := decodeWith(t, body(c.at), room); strings.Trim(got, "0123456789") != "" {
					t.Errorf("%s, %s: at the limit: %s", form, name, got)
				}
				want := c.want
				if got := decodeWith(t, body(c.at+1), room); got != want {
					t.Errorf("%s, %s: beyond the limit: %s, want %s", form, name, got, want)
				}
			}
		}
	}
}

// The space around an event is none of its bytes, neither in a request nor in a file.
func TestSpaceAroundAnEvent(t *testing.T) {
	space := strings.Repeat(" ", MaxEventBytes)
	body := "\uFEFF" + space + `{"type":"a","visitor":"v","ts":5}` + space + "\r\n"
	if got := decode(t, body); got != "1" {
		t.Errorf("a request: %s", got)
	}
	var b nudge.RecordBuilder
	if _, _, err := NewCodec(CodecOptions{Names: nudge.NewNames()}).ReplayEvent([]byte(body), &b); err != nil {
		t.Errorf("a file: %v", err)
	}
}

// Seconds in the place of milliseconds are refused, with what was meant, whichever way they come; numbers on both sides are times.
func TestSecondsAreNoTime(t *testing.T) {
	for ts, want := range map[string]string{
		"999999999": "1", "1000000000": "bad_value ts", "1764000000.5": "bad_value ts", "99999999999": "bad_value ts", "100000000000": "1",
	} {
		body := `{"type":"a","visitor":"v","ts":` + ts + `}`
		for form, body := range map[string]string{"json": body, "msgpack": string(toMsgpack(t, body))} {
			if got := decode(t, body); got != want {
				t.Errorf("%s of %s: %s, want %s", form, ts, got, want)
			}
		}
	}
	if got := decode(t, `{"type":"a","visitor":"v","sentAt":1764000000}`); got != "bad_value sentAt" {
		t.Errorf("sentAt: %s", got)
	}
}

func TestSegmentLimits(t *testing.T) {
	for n, want := range map[int]string{MaxSegmentEvents: fmt.Sprint(MaxSegmentEvents), MaxSegmentEvents + 1: "refused too_many_events "} {
		var b nudge.RecordBuilder
		body := `{"batch":[` + strings.Repeat(`{"type":"page","userId":"u"},`, n-1) + `{"type":"page","userId":"u"}]}`
		done, err := NewCodec(CodecOptions{Names: nudge.NewNames()}).Segment("batch", []byte(body), received, &b)
		if got := outcome(t, b.Buf, done, err); got != want {
			t.Errorf("%d events: %s, want %s", n, got, want)
		}
	}
}

// TestBottomless sends bodies that a decoder which descends as deep as its input would not survive, or only with hundreds of megabytes.
func TestBottomless(t *testing.T) {
	for name, body := range map[string]string{
		"json arrays": strings.Repeat("[", MaxBodyBytes), "json objects": strings.Repeat(`{"a":`, MaxBodyBytes/5),
		"msgpack arrays": strings.Repeat("\x91", MaxBodyBytes), "msgpack maps": strings.Repeat("\x81\xa1a", MaxBodyBytes/3),
	} {
		var b nudge.RecordBuilder
		_, err := NewCodec(CodecOptions{Names: nudge.NewNames()}).Events([]byte(body), "", received, &b)
		if err == nil || !strings.Contains(err.Error(), "nested too deeply") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A process that has met as many names as it gives ids to takes events with further ones as before, and spells those out; when a rule uses one it has
// an id. No sender can take the room of rules.
func TestFullTableOfNames(t *testing.T) {
	names := nudge.NewNames()
	c := NewCodec(CodecOptions{Names: names})
	take := func(body, want string) {
		t.Helper()
		var b nudge.RecordBuilder
		done, err := c.Events([]byte(body), "", received, &b)
		if got := outcome(t, b.Buf, done, err); got != "1" {
			t.Fatalf("%s: %s", body, got)
		}
		if got := dump(names, b.Buf); got != want {
			t.Errorf("%s is %s", body, got)
		}
	}
	take(`{"type":"known","visitor":"v","known":1}`, `known key=visitor visitor="v" known=1`)
	var b nudge.RecordBuilder
	for i := 0; i <= nudge.MaxMetNames; {
		body := []byte(`{"type":"known","visitor":"v"`)
		for range MaxFields - 1 {
			body = fmt.Appendf(body, `,"n%d":1`, i)
			i++
		}
		b.Buf = b.Buf[:0]
		if done, err := c.Events(append(body, '}'), "", received, &b); outcome(t, b.Buf, done, err) != "1" {
			t.Fatal(done, err)
		}
	}
	if names.Len() != nudge.MaxMetNames || names.Other() == 0 {
		t.Fatalf("%d names have ids, %d times there was none", names.Len(), names.Other())
	}
	for range 2 {
		take(`{"type":"known","visitor":"v","known":1,"n7":2}`, `known key=visitor visitor="v" known=1 n7=2`)
		take(`{"type":"new","visitor":"v","new":1,"props":{"id":{"x":"y"}},"new":null,"known":[1]}`, `new key=visitor visitor="v" known:json=[1] new=null props.id.x="y"`)
		take(`{"type":"known","visitor":"v","new":1}`, `known key=visitor visitor="v" new=1`)
	}
	id, err := names.Intern("new")
	if err != nil || id != nudge.MaxMetNames {
		t.Fatal(id, err)
	}
	take(`{"type":"new","visitor":"v","new":1,"newer":2}`, `new key=visitor visitor="v" new=1 newer=2`)
}

// Names of nested objects are longer where they are spelled out: a request is bounded there, too. Its other events are taken.
func TestSpelledOutTooLong(t *testing.T) {
	body := `[{"type":"known","visitor":"v"}`
	for range 256 {
		body += `,{"type":"a","visitor":"v","` + strings.Repeat("x", 200) + `":{"a":1`
		for i := range 199 {
			body += fmt.Sprintf(`,"%d":1`, i)
		}
		body += `}}`
	}
	body += `,{"type":"b","visitor":"v"}]`
	var b nudge.RecordBuilder
	done, err := NewCodec(CodecOptions{Names: nudge.NewNames()}).Events([]byte(body), "", received, &b)
	if err != nil || done.Accepted != 258 {
		t.Fatal(done, err)
	}
	b.Buf = append(b.Buf[:0], make([]byte, maxSpelledBytes)...)
	done, err = NewCodec(CodecOptions{Names: nudge.NewNamesWith(0)}).Events([]byte(body), "", received, &b)
	if err != nil || len(done.Rejected) == 0 || done.Rejected[0].Code != CodeTooLarge || len(b.Buf) > 2*maxSpelledBytes {
		t.Fatal(done, err, len(b.Buf))
	}
	if first := done.Rejected[0].Index; first < 50 || done.Accepted != first+1 {
		t.Errorf("event %d was refused first, %d were taken", first, done.Accepted)
	}
}

// TestManyNames goes beyond what a codec keeps at hand.
func TestManyNames(t *testing.T) {
	c := NewCodec(CodecOptions{Names: nudge.NewNames()})
	for i := range 3 * maxCachedNames {
		var b nudge.RecordBuilder
		name := fmt.Sprint("n", i%(maxCachedNames+7))
		if _, err := c.Events([]byte(`{"type":"a","visitor":"v","`+name+`":1}`), "", received, &b); err != nil {
			t.Fatal(err)
		}
		id, _ := c.names.table.Find(name)
		if rec, _, err := nudge.NextRecord(b.Buf); err != nil || rec.Field(id).Num != 1 {
			t.Fatalf("%s is not in the record: %v", name, err)
		}
		if len(c.names.ids) > maxCachedNames {
			t.Fatalf("%d names are kept", len(c.names.ids))
		}
	}
}
