package bench

import (
	"sync/atomic"
	"time"

	"nudge/engine"
)

// timedLog is a log that knows how long its longest sync took: nobody is answered sooner who waits for that one.
type timedLog struct {
	engine.Log
	longest atomic.Int64 // nanoseconds
}

const longestSyncMethod = "longest sync: of the log meanwhile; what waits for it comes after it, whatever the server does"

// Sync is called by one goroutine at a time.
func (l *timedLog) Sync() error {
	begun := time.Now()
	err := l.Log.Sync()
	if took := int64(time.Since(begun)); took > l.longest.Load() {
		l.longest.Store(took)
	}
	return err
}

// takeLongest is how long the longest sync since the call before took, in microseconds.
func (l *timedLog) takeLongest() float64 {
	return float64(l.longest.Swap(0)) / float64(time.Microsecond)
}
