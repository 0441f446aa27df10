package engine

import (
	"math"
	"testing"

	"nudge"
)

// TestSinceMarks tries every millisecond.
func TestSinceMarks(t *testing.T) {
	var tb table
	i := tb.add(1, 0, "k")
	const newest = 100
	noteNewest(tb.timeSlot(i, 1), newest)
	for _, seconds := range []float64{0, 0.0004, 0.001, 0.0015, 0.003, 0.29, 0.57, 1, 1.001, 1.005, 1.1, 2.0000001, 4.35} {
		m := sinceMarks(seconds)
		for now := nudge.Millis(newest); now < newest+4500; now += 41 {
			want := never
			for at := now + 1; at <= newest+4400; at++ {
				n, before := sinceReading(tb.slot(i, 1), at).N, sinceReading(tb.slot(i, 1), at-1).N
				if n >= seconds && before < seconds || n > seconds && before <= seconds {
					want = at
					break
				}
			}
			if got := m.next(tb.slot(i, 1), now); got != want {
				t.Fatalf("since compared with %v is due at %d after %d, want %d", seconds, got, now, want)
			}
		}
	}
	for _, seconds := range []float64{-1, -0.0001, math.NaN(), math.Inf(1), 2e12} {
		if got := sinceMarks(seconds).next(tb.slot(i, 1), newest); got != never {
			t.Errorf("since compared with %v is due at %d, want never", seconds, got)
		}
	}
}
