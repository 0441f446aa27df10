//go:build skewed

package main

import (
	"testing"
	"time"
)

func TestSetWall(t *testing.T) {
	a := time.Now()
	for _, seconds := range []int64{3600, -3600, 0} {
		if b := setWall(a, seconds); b.Sub(a) != 0 || b.UnixNano()-a.UnixNano() != seconds*int64(time.Second) {
			t.Errorf("set by %d s: monotonic %v, wall %d ns", seconds, b.Sub(a), b.UnixNano()-a.UnixNano())
		}
	}
}
