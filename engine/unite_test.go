package engine

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nudge"
	"nudge/rules"
)

// TestUniteNumbers: one slot has seen every number and kept few until it grew, the other has seen those of a log that was trimmed and keeps more.
// Whatever window is asked for, together they answer as one that has seen all and keeps as many, or not at all: and that only where one of
// them has dropped a number inside the window, or both hold more than there is room for.
func TestUniteNumbers(t *testing.T) {
	folds := []rules.Fold{rules.FoldSum, rules.FoldAvg, rules.FoldMin, rules.FoldMax}
	answered, silent := 0, 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 6))
		var tb table
		had, read, truth := tb.add(1, 0, "had"), tb.add(2, 0, "read"), tb.add(3, 0, "truth")
		small, large, trimmed, grown, n := 1+r.IntN(8), 8+r.IntN(6), r.IntN(15), r.IntN(15), r.IntN(25)
		var times []nudge.Millis
		for i := range n {
			ts, v := nudge.Millis(r.IntN(40)), int64(r.IntN(3))
			times = append(times, ts)
			if i < grown {
				tb.addNumber(had, 1, small, v, ts, -1)
			} else {
				tb.addNumber(had, 1, large, v, ts, -1)
			}
			tb.addNumber(truth, 1, n, v, ts, -1)
			if i >= trimmed {
				tb.addNumber(read, 1, large, v, ts, -1)
			}
		}
		if tb.slot(had, 1) == nil || tb.slot(read, 1) == nil {
			continue
		}
		all := numbers(tb.slot(truth, 1))
		united := uniteNumbers(tb.slot(had, 1), tb.slot(read, 1), large, noTime)
		if united.len() > large {
			t.Fatalf("seed %d: %d numbers, %d may be kept", seed, united.len(), large)
		}
		for expired := nudge.Millis(-1); expired < 40; expired++ {
			dropped := numbers(tb.slot(had, 1)).lacks(expired) || numbers(tb.slot(read, 1)).lacks(expired) || all.after(expired) > large
			for _, f := range folds {
				got, want := united.reading(f, expired), all.reading(f, expired)
				if got.More != dropped || !got.More && !equalReadings(got, want) {
					t.Fatalf("seed %d: fold %d after %d is %+v, want %+v; dropped: %v; times %v, of which %d trimmed",
						seed, f, expired, got, want, dropped, times, trimmed)
				}
			}
			if dropped {
				silent++
			} else {
				answered++
			}
		}
		if !slices.IsSorted(timesIn(united)) {
			t.Fatalf("seed %d: the times %v are not in order", seed, timesIn(united))
		}
	}
	if answered < 1000 || silent < 1000 {
		t.Errorf("%d windows were answered and %d were not: the test compares nothing", answered, silent)
	}
}

func timesIn(n numbers) (all []nudge.Millis) {
	for i := range n.len() {
		all = append(all, n.at(i))
	}
	return all
}

// A slot that holds nothing yet has room to grow, so what is united of two of them has, too.
func TestUniteEmptyNumbers(t *testing.T) {
	empty := make(numbers, numbersHeader+numbersEntry)
	var tb table
	i := tb.add(1, 0, "k")
	tb.putSlot(i, 1, uniteNumbers(empty, empty, 4, noTime))
	for ts := range nudge.Millis(6) {
		tb.addNumber(i, 1, 4, 1, ts, -1)
	}
	if n := numbers(tb.slot(i, 1)); n.len() != 4 || !n.lacks(0) || n.lacks(1) {
		t.Errorf("of 6 numbers %v are kept, want the newest 4", timesIn(n))
	}
}

// Where nothing is left above the floor there is room to grow, too.
func TestUniteBelowTheFloor(t *testing.T) {
	var tb table
	i := tb.add(1, 0, "k")
	tb.addTime(i, 1, 4, 5, -1)
	empty := make(ring, ringHeader+8)
	tb.putSlot(i, 1, uniteRings(ring(tb.slot(i, 1)), empty, 4, 5))
	for ts := range nudge.Millis(6) {
		tb.addTime(i, 1, 4, ts, -1)
	}
	if r := ring(tb.slot(i, 1)); r.len() != 4 || r.at(0) != 2 {
		t.Errorf("of 6 times %d are kept, want the newest 4", r.len())
	}
}

// TestUniteHashed: after an erasure the short texts of a set stand there as their hashes, in the one that was kept, in the one that was read back, or in both.
// United they are the same values still, and so they are to the events that come.
func TestUniteHashed(t *testing.T) {
	set := func(hashed bool, values ...string) distinctSet {
		var tb table
		i := tb.add(1, 0, "k")
		for ts, v := range values {
			tb.addValue(i, 1, 9, idOfValue(nudge.TextValue(v)), nudge.Millis(ts), -1)
		}
		if hashed {
			(&scrubber{person: newPerson(), counts: &eraseCounts{}}).distinct(tb.slot(i, 1), &tb, i, true)
		}
		return tb.slot(i, 1)
	}
	for _, x := range []struct{ had, read bool }{{true, false}, {false, true}, {true, true}} {
		united := uniteDistinct(set(x.had, "a", "b"), set(x.read, "b", "c"), 9, noTime)
		for ts, v := range []string{"a", "b", "c"} {
			united.note(9, idOfValue(nudge.TextValue(v)), nudge.Millis(10+ts), -1)
		}
		if united.len() != 3 {
			t.Errorf("hashed %v: a, b and c are %d different values", x, united.len())
		}
	}
}

// TestHashedSetIsFull: to a set that keeps no more values, and whose short texts are hashes since an erasure, what comes is still the value that it is,
// also where another one has taken the place of the oldest meanwhile.
func TestHashedSetIsFull(t *testing.T) {
	id := func(v string) valueID { return idOfValue(nudge.TextValue(v)) }
	for _, x := range []struct{ come, want string }{{"b", "bca"}, {"dc", "cdb"}, {"dcb", "bcd"}, {"ab", "bac"}} {
		var tb table
		i := tb.add(1, 0, "k")
		for ts, v := range []string{"a", "b", "c"} {
			tb.addValue(i, 1, 3, id(v), nudge.Millis(ts), -1)
		}
		set := distinctSet(tb.slot(i, 1))
		(&scrubber{person: newPerson(), counts: &eraseCounts{}}).distinct(set, &tb, i, true)
		for ts, v := range strings.Split(x.come, "") {
			set.note(3, id(v), nudge.Millis(10+ts), -1)
		}
		for place, v := range strings.Split(x.want, "") {
			if at := set.find(id(v)); at != place {
				t.Errorf("after %s, %s is at %d, want %d", x.come, v, at, place)
			}
		}
		checkSet(t, set)
	}
}
