package engine

import (
	"sync"
	"time"

	"nudge"
)

// Clock gives log time (I6): it never decreases, runs on the monotonic clock between corrections, and is brought towards the wall
// clock by at most a tenth of the time that passed. It steps forward only at the start. Safe for concurrent use.
type Clock struct {
	wall func() time.Time

	mu   sync.Mutex
	last time.Time     // the wall reading of the last correction, with its monotonic part
	at   time.Duration // log time then, since the epoch
}

// slew is the part of the time passed by which the clock may be corrected: 1/10.
const slew = 10

// NewClock starts a clock at the wall clock's time, or at the newest log time if that is later.
func NewClock(wall func() time.Time, newest nudge.Millis) *Clock {
	now := wall()
	return &Clock{wall: wall, last: now, at: max(time.Duration(now.UnixNano()), time.Duration(newest)*time.Millisecond)}
}

// Now is the log time.
func (c *Clock) Now() nudge.Millis {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.wall()
	passed := max(now.Sub(c.last), 0) // monotonic
	c.last = now
	c.at += passed
	off := time.Duration(now.UnixNano()) - c.at
	c.at += min(max(off, -passed/slew), passed/slew)
	return nudge.Millis(c.at / time.Millisecond)
}

// atLeast moves the clock forward to the newest log time, where it is behind.
func (c *Clock) atLeast(newest nudge.Millis) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = max(c.at, time.Duration(newest)*time.Millisecond)
}
