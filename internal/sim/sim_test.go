package sim

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds     = flag.Int("seeds", 60, "seeds to simulate")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

// maxFailures is how many seeds may fail before the others are left out.
const maxFailures = 5

// TestSim simulates seeds. Its last line says what happened.
func TestSim(t *testing.T) {
	deterministic(t)
	var sum total
	began := time.Now()
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds) && sum.failures < maxFailures; seed++ {
		r := simulate(t, seed)
		sum.add(&r)
		for _, p := range r.Problems {
			t.Errorf("seed %d: %s", seed, p)
		}
		if len(r.Problems) > 0 {
			t.Logf("again: make sim SEED=%d SEEDS=1", seed)
		}
		if *seeds == 1 && r.Case != "" {
			t.Log("\n" + r.Case)
		}
	}
	t.Logf("in %v, %v", time.Since(began).Round(time.Second), &sum)
	if *seeds >= 50 && (sum.Crashes < *seeds || sum.Failures == 0 || sum.Firings < 10**seeds || sum.Erasures < *seeds/4) {
		t.Error("the seeds test too little")
	}
}

// total sums reports.
type total struct {
	Report
	seeds, failures int
}

func (s *total) add(r *Report) {
	s.seeds++
	s.Simulated += r.Simulated
	s.Starts += r.Starts
	s.Crashes += r.Crashes
	s.Failures += r.Failures
	s.Full += r.Full
	s.Damages += r.Damages
	s.Events += r.Events
	s.Firings += r.Firings
	s.Erasures += r.Erasures
	if len(r.Problems) > 0 {
		s.failures++
	}
}

func (s *total) String() string {
	return fmt.Sprintf("%d seeds: %.0f simulated hours, %d starts, %d crashes, %d disk failures, %d full disks, %d flipped bits noticed, %d events, %d firings, %d erasures, %d differences",
		s.seeds, s.Simulated.Hours(), s.Starts, s.Crashes, s.Failures, s.Full, s.Damages, s.Events, s.Firings, s.Erasures, s.failures)
}

func simulate(t *testing.T, seed uint64) (r Report) {
	if seed%10 == 0 {
		runtime.GC()
	}
	synctest.Test(t, func(*testing.T) { r = Run(seed) })
	return r
}

// memoryLimit is where the collector comes to help all the same.
const memoryLimit = 1 << 30

// deterministic lets goroutines run one at a time, without interruption by the collector.
func deterministic(t *testing.T) {
	procs, percent, limit := runtime.GOMAXPROCS(1), debug.SetGCPercent(-1), debug.SetMemoryLimit(memoryLimit)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(procs)
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
}

// TestRepeats wants a seed to do the same to the disk each time, to the nanosecond. A goroutine that the scheduler interrupts all the same,
// on a busy machine, may change that, but not time and again.
func TestRepeats(t *testing.T) {
	deterministic(t)
	for seed := uint64(1); seed <= 10; seed++ {
		traces := map[uint64]bool{}
		runs := 0
		for ; runs < 6 && len(traces) == runs; runs++ {
			traces[simulate(t, seed).Trace] = true
		}
		if len(traces) == runs {
			t.Errorf("seed %d: none of %d runs was like another", seed, runs)
		}
	}
}
