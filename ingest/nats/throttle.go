package nats

import (
	"log/slog"
	"sync"
	"time"
)

// throttleFor is how long a repeated report is only counted after it was logged.
const throttleFor = 10 * time.Second

// throttle logs a report that may repeat at most once in throttleFor, with how many were left out.
type throttle struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (t *throttle) warn(l *slog.Logger, message string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < throttleFor {
		t.skipped++
		return
	}
	l.Warn(message, append(args, "skipped", t.skipped)...)
	t.last, t.skipped = now, 0
}
