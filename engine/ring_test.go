package engine

import (
	"math/rand/v2"
	"testing"

	"nudge"
)

// TestRingsAgainstAllEvents holds the rings of count and distinct to all events they ever saw: late ones, any window up to the
// largest, and a deployment that needs fewer entries or a shorter window from some event on.
func TestRingsAgainstAllEvents(t *testing.T) {
	type event struct {
		ts    nudge.Millis
		value byte
	}
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		var tb table
		i := tb.add(1, 0, "k")
		keep, largest := 1+r.IntN(40), nudge.Millis(1+r.IntN(300))
		var all []event
		now := nudge.Millis(0)
		for step := range 400 {
			if step == 200 && r.IntN(2) == 0 {
				keep, largest = 1+r.IntN(keep), 1+nudge.Millis(r.Int64N(int64(largest)))
			}
			now += nudge.Millis(r.IntN(5))
			e := event{now, byte(r.IntN(30))}
			if r.IntN(4) == 0 {
				e.ts -= nudge.Millis(r.IntN(200))
			}
			all = append(all, e)
			if e.ts > now-largest {
				tb.addTime(i, 1, keep, e.ts, now-largest)
				tb.addValue(i, 2, keep, valueID{first: uint64(e.value)}, e.ts, now-largest)
			}
			window := 1 + nudge.Millis(r.Int64N(int64(largest)))
			count, values := 0, map[byte]bool{}
			for _, e := range all {
				if e.ts > now-window {
					count++
					values[e.value] = true
				}
			}
			if s := tb.slot(i, 1); s != nil {
				if got := ring(s).after(now - window); min(got, keep) != min(count, keep) {
					t.Fatalf("seed %d, step %d: %d events in the window, want %d, %d kept", seed, step, got, count, keep)
				}
			}
			if s := tb.slot(i, 2); s != nil {
				if got := distinctSet(s).after(now - window); min(got, keep) != min(len(values), keep) {
					t.Fatalf("seed %d, step %d: %d values in the window, want %d, %d kept", seed, step, got, len(values), keep)
				}
				checkSet(t, s)
			}
		}
	}
}

// checkSet checks that a set has each value once, the newest first, and nothing where no value is.
func checkSet(t *testing.T, d distinctSet) {
	t.Helper()
	seen, lives := map[valueID]bool{}, map[int]bool{}
	for i := range d.len() {
		seen[d.id(i)], lives[d.position(i)] = true, true
		if i > 0 && d.at(i) > d.at(i-1) {
			t.Fatalf("value %d of %d is newer than the one before", i, d.len())
		}
	}
	if len(seen) != d.len() || len(lives) != d.len() {
		t.Fatalf("%d values, %d of them different, in %d places", d.len(), len(seen), len(lives))
	}
	for at := distinctHeader; at < len(d); at += distinctEntry {
		if !lives[at] && readID(d[at:]) != (valueID{}) {
			t.Fatalf("something is left at %d of %d bytes, where no value is", at, len(d))
		}
	}
}
