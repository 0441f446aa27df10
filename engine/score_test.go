package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"testing"

	"nudge"
	"nudge/rules"
)

// TestScoreAgainstAllEvents holds the one sum to the sum over all events, in any order of arrival.
func TestScoreAgainstAllEvents(t *testing.T) {
	type event struct {
		ts     nudge.Millis
		points float64
	}
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 6))
		half := nudge.Millis(1 + r.IntN(1000))
		var tb table
		i := tb.add(1, 0, "k")
		var all []event
		now := nudge.Millis(0)
		for step := range 60 {
			now += nudge.Millis(r.IntN(200))
			e := event{now - nudge.Millis(r.IntN(2)*r.IntN(2000)), float64(r.IntN(41)-10) / 2}
			all = append(all, e)
			tb.addPoints(i, 1, e.points, e.ts, half)
			at, want := now+nudge.Millis(r.IntN(500)), 0.0
			for _, e := range all {
				want += e.points * math.Exp2(-float64(at-e.ts)/float64(half))
			}
			if got := score(tb.slot(i, 1)).points(half, at); math.Abs(got-want) > 0.6e-6 {
				t.Fatalf("seed %d, step %d: %v points, want %v", seed, step, got, want)
			}
		}
	}
}

// TestScoreDue finds by trying every millisecond when a score begins to compare differently.
func TestScoreDue(t *testing.T) {
	found := 0
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(seed, 7))
		half := nudge.Millis(1 + r.IntN(60))
		var tb table
		i := tb.add(1, 0, "k")
		tb.addPoints(i, 1, float64(r.IntN(4001)-2000)/math.Pow10(r.IntN(7)), nudge.Millis(r.IntN(100)), half)
		s, now := score(tb.slot(i, 1)), nudge.Millis(100+r.IntN(200))
		mark := float64(r.IntN(401)-200) / math.Pow10(r.IntN(7))
		if r.IntN(3) == 0 { // a mark that is met to the millionth
			mark = s.points(half, now+nudge.Millis(r.IntN(200)))
		}
		want := never
		for at := now + 1; at < now+4000; at++ {
			if cmp.Compare(s.points(half, at), mark) != cmp.Compare(s.points(half, at-1), mark) {
				want = at
				found++
				break
			}
		}
		if got := s.next(mark, half, now); got != want {
			t.Fatalf("seed %d: %v points, half-life %d, mark %v: due at %d after %d, want %d", seed, s.sum(), half, mark, got, now, want)
		}
	}
	if found < 150 {
		t.Fatalf("only %d scores crossed their mark", found)
	}
}

// TestScoreDueIsFoundAtOnce bounds the work of a timer that is months away, and sees what has no number at all.
func TestScoreDueIsFoundAtOnce(t *testing.T) {
	const day = nudge.Millis(24 * 60 * 60 * 1000)
	var tb table
	i := tb.add(1, 0, "k")
	tb.addPoints(i, 1, 80, 0, 30*day)
	s := score(tb.slot(i, 1))
	if got := s.next(10, 30*day, 1); math.Abs(float64(got-90*day)) > 1000 {
		t.Fatalf("80 points are 10 at %d, want about %d", got, 90*day)
	}
	for _, sum := range []float64{0, math.Inf(1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64} {
		s.set(0, sum)
		if got := s.next(1, 30*day, 1); sum != math.MaxFloat64 && got != never || got < 0 {
			t.Errorf("%v points are due at %d", sum, got)
		}
	}
}

func TestPointsOf(t *testing.T) {
	points := make([]rules.Points, 50)
	for i := range points {
		points[i].Points = float64(i)
	}
	if got := pointsOf(points, pointsRole(3)|pointsRole(49)); got != 52 {
		t.Fatalf("an event that matches two kinds is worth %v, want 52", got)
	}
}
