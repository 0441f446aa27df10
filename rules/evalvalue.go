package rules

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"nudge"
)

// valueFunc compiles a value. Null is kept apart from missing only where it is handed on.
func (p *planner) valueFunc(t *term) valueFunc {
	switch t.kind {
	case termConst:
		v := t.val
		return func(*Row) nudge.Value { return v }
	case termField:
		slot := p.slot(t.name)
		return func(r *Row) nudge.Value { return r.Vals[slot] }
	case termArith:
		return arithFunc(t.op, p.valueFunc(t.args[0]), p.valueFunc(t.args[1]))
	case termNeg:
		f := p.valueFunc(t.args[0])
		return func(r *Row) nudge.Value {
			v := f(r)
			if v.Kind != nudge.Number {
				return nudge.Value{}
			}
			return nudge.NumberValue(-v.Num)
		}
	case termCoalesce:
		f, other := p.valueFunc(t.args[0]), p.valueFunc(t.args[1])
		return func(r *Row) nudge.Value {
			if v := f(r); v.Present() {
				return v
			}
			return other(r)
		}
	case termCall:
		return textFunc(t.op, p.valueFunc(t.args[0]))
	}
	panic("BUG: not a value: " + t.String())
}

func arithFunc(op string, a, b valueFunc) valueFunc {
	return func(r *Row) nudge.Value { return arithValues(op, a(r), b(r)) }
}

// arithValues computes with two numbers, or joins two texts; of anything else comes nothing.
func arithValues(op string, a, b nudge.Value) nudge.Value {
	switch {
	case a.Kind == nudge.Number && b.Kind == nudge.Number:
		if f := arith(op, a.Num, b.Num); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return nudge.NumberValue(f)
		}
	case a.Kind == nudge.Text && b.Kind == nudge.Text && op == "+":
		return nudge.TextValue(a.Text + b.Text)
	}
	return nudge.Value{}
}

func textFunc(op string, f valueFunc) valueFunc {
	var g func(string) nudge.Value
	switch op {
	case "lower":
		g = func(s string) nudge.Value { return nudge.TextValue(strings.ToLower(s)) }
	case "upper":
		g = func(s string) nudge.Value { return nudge.TextValue(strings.ToUpper(s)) }
	case "trim":
		g = func(s string) nudge.Value { return nudge.TextValue(strings.TrimSpace(s)) }
	case "len":
		g = func(s string) nudge.Value { return nudge.NumberValue(float64(utf8.RuneCountInString(s))) }
	}
	return func(r *Row) nudge.Value {
		v := f(r)
		if v.Kind != nudge.Text {
			return nudge.Value{}
		}
		return g(v.Text)
	}
}

// toldApart is the value that distinct and values tell apart: text, number or bool; of an array nothing is known but that it is there.
func toldApart(f valueFunc) valueFunc {
	return func(r *Row) nudge.Value {
		v := f(r)
		if v.Kind == nudge.Text || v.Kind == nudge.Number || v.Kind == nudge.Bool {
			return v
		}
		return nudge.Value{}
	}
}

const dayMillis = 24 * 3600 * 1000

// dayIn says on which day of a time zone a time falls. A span of its answer ends where the zone's offset changes, too.
func dayIn(loc *time.Location) DayFunc {
	return func(ts nudge.Millis) (day float64, from, to nudge.Millis) {
		t := time.UnixMilli(int64(ts)).In(loc)
		_, seconds := t.Zone()
		offset := nudge.Millis(seconds) * 1000
		n := dayNumber(ts + offset)
		from, to = n*dayMillis-offset, (n+1)*dayMillis-offset
		if began, ends := t.ZoneBounds(); loc != time.UTC {
			if !began.IsZero() {
				from = max(from, nudge.Millis(began.UnixMilli()))
			}
			if !ends.IsZero() {
				to = min(to, nudge.Millis(ends.UnixMilli()))
			}
		}
		return float64(n), from, to
	}
}

// dayNumber is the number of the day in which a ms lies, rounded down before 1970 too.
func dayNumber(ms nudge.Millis) nudge.Millis {
	q := ms / dayMillis
	if ms%dayMillis < 0 {
		q--
	}
	return q
}
