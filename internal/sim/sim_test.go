package sim

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds     = flag.Int("seeds", 60, "seeds to simulate")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

func TestSim(t *testing.T) {
	var sum Report
	different := 0
	began := time.Now()
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		var r Report
		synctest.Test(t, func(*testing.T) { r = Run(seed) })
		sum.Simulated += r.Simulated
		sum.Starts += r.Starts
		sum.Crashes += r.Crashes
		sum.Failures += r.Failures
		sum.Events += r.Events
		sum.Firings += r.Firings
		if len(r.Problems) > 0 {
			different++
			for _, p := range r.Problems {
				t.Errorf("seed %d: %s", seed, p)
			}
			t.Logf("again: make sim SEED=%d SEEDS=1", seed)
			if different > 4 {
				break
			}
		}
	}
	fmt.Printf("%d seeds, %.1f simulated hours, %d starts, %d crashes, %d disk failures, %d events, %d firings, %d differences in %v\n",
		*seeds, sum.Simulated.Hours(), sum.Starts, sum.Crashes, sum.Failures, sum.Events, sum.Firings, different, time.Since(began).Round(time.Millisecond))
}
