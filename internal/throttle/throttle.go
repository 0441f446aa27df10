// Package throttle keeps a report that repeats from filling the log.
package throttle

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// For is how long a report is only counted after it was logged.
const For = 10 * time.Second

// Log passes on a report at most once in For, with how many were left out in "skipped". The zero value is ready; it may be used from many goroutines.
type Log struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

// Warn reports what is wrong and mends itself, or is to be mended elsewhere.
func (t *Log) Warn(l *slog.Logger, message string, args ...any) {
	t.report(l, slog.LevelWarn, message, args)
}

// Error reports what failed here.
func (t *Log) Error(l *slog.Logger, message string, args ...any) {
	t.report(l, slog.LevelError, message, args)
}

func (t *Log) report(l *slog.Logger, level slog.Level, message string, args []any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < For {
		t.skipped++
		return
	}
	l.Log(context.Background(), level, message, append(args, "skipped", t.skipped)...)
	t.last, t.skipped = now, 0
}
