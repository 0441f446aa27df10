package engine

import (
	"math/rand/v2"
	"strings"
	"testing"

	"nudge"
)

// TestLastAgainstAllEvents holds last to the newest of all events, of those of one time the one that came last, whatever its value.
func TestLastAgainstAllEvents(t *testing.T) {
	values := []nudge.Value{
		{},
		{Kind: nudge.Null},
		{Kind: nudge.JSON, Text: "[1]"},
		nudge.TextValue(""), nudge.TextValue("short"),
		nudge.TextValue(strings.Repeat("long ", 14_000)), nudge.NumberValue(-1.5), nudge.BoolValue(true), nudge.BoolValue(false),
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		var tb table
		i := tb.add(1, 0, "k")
		newest, want := nudge.Millis(-1000), nudge.Value{}
		for step := range 60 {
			ts, v := nudge.Millis(r.IntN(40)-20), values[r.IntN(len(values))]
			tb.noteLast(i, 1, v, ts, stamp(step), 0)
			if ts >= newest {
				newest, want = ts, v
			}
			if want.Kind == nudge.Null || want.Kind == nudge.JSON {
				want = nudge.Value{}
			}
			if got := lastValue(tb.slot(i, 1)); got != want {
				t.Fatalf("seed %d, step %d: %v, want %v", seed, step, got, want)
			}
		}
	}
}

// TestLastLeavesNoTraces: the same newest event is the same bytes, as long as the slot has the same size.
func TestLastLeavesNoTraces(t *testing.T) {
	var a, b table
	i, j := a.add(1, 0, "k"), b.add(1, 0, "k")
	long := nudge.TextValue("a long text")
	a.noteLast(i, 1, long, 1, 1, 0)
	b.noteLast(j, 1, nudge.TextValue("another one"), 1, 1, 0)
	for _, v := range []nudge.Value{nudge.TextValue("x"), nudge.NumberValue(1), nudge.BoolValue(true), {}} {
		a.noteLast(i, 1, v, 2, 2, 0)
		b.noteLast(j, 1, v, 2, 2, 0)
		if string(a.record(i)) != string(b.record(j)) {
			t.Fatalf("%v leaves %x and %x", v, a.slot(i, 1), b.slot(j, 1))
		}
	}
}
