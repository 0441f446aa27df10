package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"nudge"
)

// row is one event as rules see it. It never changes once it is stamped.
type row struct {
	line    nudge.Offset // 0 for a fired event
	firing  *firing      // of a fired event
	ts, at  nudge.Millis
	history bool   // later than lateness
	source  string // whose event brought it, "": nobody's
	fields  map[string]nudge.Value
	memo    map[any]bool // what matches said, by test: a row never changes
}

// field is a field's value; a missing row has none.
func (e *row) field(name string) nudge.Value {
	if e == nil {
		return unknown
	}
	return e.fields[name]
}

func (e *row) text(name string) string { return e.field(name).Text }

// line is one input line, read but not yet stamped.
type line struct {
	ts, at         nudge.Millis
	hasTs, hasAt   bool
	id, typ        string
	visitor, email string
	user, company  string // as sent
	fields         map[string]nudge.Value
}

// page are the named texts of the page context; props may hold them, too.
var page = map[string]bool{
	"url": true, "path": true, "host": true, "referrer": true, "title": true, "utm_source": true, "utm_medium": true,
	"utm_campaign": true, "utm_term": true, "utm_content": true,
}

// reserved are names that props cannot set.
var reserved = map[string]bool{
	"id": true, "type": true, "ts": true, "at": true, "visitor": true, "user": true, "company": true, "email": true, "props": true,
}

func readLine(text string) (*line, error) {
	var top map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := d.Decode(&top); err != nil {
		return nil, err
	}
	if top == nil || d.More() {
		return nil, fmt.Errorf("want one JSON object")
	}
	l := &line{fields: map[string]nudge.Value{}}
	if err := l.named(top); err != nil {
		return nil, err
	}
	props, ok := top["props"].(map[string]any)
	if top["props"] != nil && !ok {
		return nil, fmt.Errorf("props: want an object")
	}
	if err := l.properties("", props); err != nil {
		return nil, err
	}
	return l, l.properties("", top) // the second, so that a top-level one wins
}

func (l *line) named(top map[string]any) (err error) {
	for name, into := range map[string]*string{"id": &l.id, "visitor": &l.visitor, "user": &l.user, "company": &l.company, "type": &l.typ, "email": &l.email} {
		v := toValue(top[name])
		if v.Kind == nudge.Number && name != "type" && name != "email" {
			v = nudge.TextValue(v.KeyText())
			if v.Text == "" {
				return fmt.Errorf("%s: want a text or a whole number", name)
			}
		}
		if v.Present() && v.Kind != nudge.Text {
			return fmt.Errorf("%s: want a text", name)
		}
		*into = v.Text
	}
	if l.typ == "" || l.typ == "fired" {
		return fmt.Errorf("type: want the name of what happened, and not \"fired\"")
	}
	if l.visitor == "" && l.user == "" && l.email == "" && l.company == "" {
		return fmt.Errorf("visitor: want a visitor, user, email or company")
	}
	if l.ts, l.hasTs, err = instant("ts", top["ts"]); err != nil {
		return err
	}
	l.at, l.hasAt, err = instant("at", top["at"])
	return err
}

// instant reads ms since the epoch, or RFC 3339.
func instant(name string, v any) (nudge.Millis, bool, error) {
	switch v := v.(type) {
	case nil:
		return 0, false, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return nudge.Millis(v), true, nil
		}
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return nudge.Millis(t.UnixMilli()), true, nil
		}
	}
	return 0, false, fmt.Errorf("%s: want whole milliseconds since 1970 or an RFC 3339 time", name)
}

// properties adds the fields of an object. Nested objects give fields named a.b.
func (l *line) properties(prefix string, object map[string]any) error {
	for name, v := range object {
		if prefix == "" && reserved[name] {
			continue
		}
		if nested, ok := v.(map[string]any); ok && (prefix != "" || !page[name]) {
			if err := l.properties(prefix+name+".", nested); err != nil {
				return err
			}
			continue
		}
		value := toValue(v)
		if prefix == "" && page[name] && value.Present() && value.Kind != nudge.Text {
			return fmt.Errorf("%s: want a text", name)
		}
		l.fields[prefix+name] = value
	}
	return nil
}

func toValue(v any) nudge.Value {
	switch v := v.(type) {
	case nil:
		return nudge.Value{Kind: nudge.Null}
	case string:
		return nudge.TextValue(v)
	case float64:
		return nudge.NumberValue(v)
	case bool:
		return nudge.BoolValue(v)
	}
	b, _ := json.Marshal(v) // what was decoded marshals
	return nudge.Value{Kind: nudge.JSON, Text: string(b)}
}

// sameEvent is what an event with an id is told apart by: "the same id of the same visitor (of an event without one: the same user as
// sent, else mail, else company)".
func (l *line) sameEvent() string { return l.whose() + "\x00" + l.id }

func (l *line) whose() string {
	switch {
	case l.visitor != "":
		return "visitor:" + l.visitor
	case l.user != "":
		return "user:" + l.user
	case l.email != "":
		return "mail:" + strings.ToLower(l.email)
	}
	return "company:" + l.company
}
