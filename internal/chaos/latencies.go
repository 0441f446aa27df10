//go:build linux

package main

import (
	"math"
	"sync"
	"time"
)

// latencies count how long answers took, in steps of 5 %.
type latencies struct {
	mu     sync.Mutex
	counts [400]int
	total  int
}

const latencyStep = 1.05

func (l *latencies) add(d time.Duration) {
	i := int(math.Log(max(float64(d.Microseconds()), 1)) / math.Log(latencyStep))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[min(i, len(l.counts)-1)]++
	l.total++
}

// quantile is the time within which that part of the answers came, 0 to 1.
func (l *latencies) quantile(part float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := int(math.Ceil(part * float64(l.total)))
	for i, n := range l.counts {
		if left -= n; left <= 0 && l.total > 0 {
			return time.Duration(math.Pow(latencyStep, float64(i+1))) * time.Microsecond
		}
	}
	return 0
}
