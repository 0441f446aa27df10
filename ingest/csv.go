package ingest

import (
	"math"
	"strconv"
	"strings"

	"nudge"
)

// ReplayFields decodes one row of a table whose columns are named like an event's fields. An empty cell is missing. ts, at and sentAt are
// numbers of milliseconds or RFC 3339; named fields are texts as they stand; any other value that is true, false or a number in plain
// digits (-12, 19.90; not 007, +1 or 1e5, nor a whole number beyond 2^53, which are more likely ids) is a bool or a number, else text.
// It returns the row's own log time. On an error b is as it was.
func (c *Codec) ReplayFields(names, values []string, b *nudge.RecordBuilder) (at nudge.Millis, hasAt bool, err error) {
	c.draft.reset()
	c.replay = true
	for i, name := range names {
		if i >= len(values) || values[i] == "" {
			continue
		}
		if err := c.cell(name, strings.ToValidUTF8(values[i], "\uFFFD")); err != nil {
			return 0, false, err
		}
	}
	return c.finishReplay(b)
}

func (c *Codec) cell(name, s string) *Error {
	at := where{name: name}
	if name == "sentAt" {
		var err *Error
		c.draft.sent, err = instant(instantCell(s), at)
		c.draft.hasSnt = err == nil
		return err
	}
	name = strings.ToValidUTF8(name, "\uFFFD")
	id, err := c.names.id(name, at)
	switch {
	case err != nil:
		return err
	case id == nudge.NameTs || id == nudge.NameAt:
		return c.named(id, rankTop, instantCell(s), at)
	case isNamed(id):
		return c.named(id, rankTop, nudge.TextValue(s), at)
	case id == nudge.NameOther:
		return c.other(name, rankTop, cellValue(s), at)
	}
	return c.property(id, rankTop, cellValue(s), at)
}

func instantCell(s string) nudge.Value {
	if f, ok := plainNumber(s); ok {
		return nudge.NumberValue(f)
	}
	return nudge.TextValue(s)
}

func cellValue(s string) nudge.Value {
	switch s {
	case "true":
		return nudge.BoolValue(true)
	case "false":
		return nudge.BoolValue(false)
	}
	if f, ok := plainNumber(s); ok && !(math.Abs(f) >= 1<<53 && isInteger(s)) {
		return nudge.NumberValue(f)
	}
	return nudge.TextValue(s)
}

// plainNumber reads -?(0|[1-9][0-9]*)(\.[0-9]+)?.
func plainNumber(s string) (float64, bool) {
	whole, frac, dot := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if !isDigits(whole) || len(whole) > 1 && whole[0] == '0' || dot && !isDigits(frac) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func isDigits(s string) bool { return isInteger(s) && s[0] != '-' }
