package sim

import (
	"testing"
	"testing/synctest"
)

// A seed can be repeated: what it does to the disk is the same each time, to the nanosecond.
func TestRepeats(t *testing.T) {
	differ := 0
	for seed := uint64(0); seed < 100; seed++ {
		var a, b Report
		synctest.Test(t, func(*testing.T) { a = Run(seed) })
		synctest.Test(t, func(*testing.T) { b = Run(seed) })
		if a.Trace != b.Trace {
			t.Logf("seed %d %+v %+v", seed, a, b)
			differ++
		}
	}
	t.Log(differ)
}
