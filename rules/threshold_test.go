package rules

import (
	"fmt"
	"testing"
)

// holds is a comparison, written out.
func holds(n float64, op string, k float64) bool {
	switch op {
	case "<":
		return n < k
	case "<=":
		return n <= k
	case "==":
		return n == k
	case "!=":
		return n != k
	case ">=":
		return n >= k
	}
	return n > k
}

var thresholds = []float64{-2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3, 7, 7.25}

// The entries kept decide a comparison: however many there are, it says the same of those that are kept.
func TestEntriesKeptDecide(t *testing.T) {
	for op := range swapped {
		for _, k := range thresholds {
			keep := entriesFor(op, k)
			for n := 0.0; n < 20; n++ {
				if holds(min(n, keep), op, k) != holds(n, op, k) {
					t.Errorf("%v %s %v is not decided by %v entries", n, op, k, keep)
				}
			}
			// One entry less would not do, unless the comparison is always the same, or one is the least.
			if less := keep - 1; less >= 1 {
				decided := true
				for n := 0.0; n < 20; n++ {
					decided = decided && holds(min(n, less), op, k) == holds(n, op, k)
				}
				if decided && (op != "==" && op != "!=" || k == float64(int(k))) {
					t.Errorf("%s %v keeps %v entries, %v would do", op, k, keep, less)
				}
			}
		}
	}
}

// A wake-up is due when the n-th newest entry leaves the window exactly where the number falling from n to n − 1 makes it true.
func TestWakesWhereItRises(t *testing.T) {
	for op := range swapped {
		for _, k := range thresholds {
			for _, positive := range [...]bool{true, false} {
				var rises []int
				for n := 1; n < 20; n++ {
					if holds(float64(n), op, k) != positive && holds(float64(n-1), op, k) == positive {
						rises = append(rises, n)
					}
				}
				want := fmt.Sprint(rises)
				got := "[]"
				if w := wakeAt(op, k, positive); w != WakeNever {
					got = fmt.Sprint([]int{w})
				}
				if got != want {
					t.Errorf("%s %v, positive %v: wakes at %s, rises at %s", op, k, positive, got, want)
				}
			}
		}
	}
}

// A compiled comparison says what the written one says, with the constant on either side.
func TestComparisonsSayWhatIsWritten(t *testing.T) {
	for op, other := range swapped {
		for _, k := range thresholds {
			left := compileCond(t, fmt.Sprintf(`count(click, "1d") %s %v`, op, k))
			right := compileCond(t, fmt.Sprintf(`%v %s count(click, "1d")`, k, other))
			negated := compileCond(t, fmt.Sprintf(`not (count(click, "1d") %s %v)`, op, k))
			computed := compileCond(t, fmt.Sprintf(`count(click, "1d") + 1 %s %v + 1`, op, k))
			for n := 0.0; n < 12; n++ {
				r := []Reading{{N: n}}
				want := holds(n, op, k)
				if left.Eval(r) != want || right.Eval(r) != want || negated.Eval(r) == want || computed.Eval(r) != want {
					t.Errorf("%v %s %v", n, op, k)
				}
			}
		}
	}
}
