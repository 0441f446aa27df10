package ingest

import (
	"sync"
	"time"
)

// Bounds of what is being answered at once (I8). What comes beyond is refused with 429 before it is decoded, which costs little: so a server that is
// asked for twice what it can do goes on doing what it can, and answers what it takes within about gateWait. Where requests wait inside, for the
// decoder, the log or the rules, does not matter.
const (
	// gateWait is how long the oldest request may wait for its answer while others are let in.
	gateWait = 50 * time.Millisecond
	// gateFree and gateFreeBytes are how many requests, and bytes of bodies, are let in however long the oldest has waited: so few are no overload but a
	// slow disk, or one large request.
	gateFree      = 256
	gateFreeBytes = 4 << 20
	// gateMost bounds the requests in any case.
	gateMost = 8192
)

// gate lets requests in, or not. Safe for concurrent use.
type gate struct {
	wait       time.Duration
	free, most int
	freeBytes  int

	mu     sync.Mutex
	oldest *ticket // of those inside, in the order in which they came
	newest *ticket
	spare  *ticket
	inside int
	bytes  int
}

// ticket is a request that is inside.
type ticket struct {
	came         time.Time
	bytes        int
	before, next *ticket
}

func newGate() *gate {
	return &gate{wait: gateWait, free: gateFree, freeBytes: gateFreeBytes, most: gateMost}
}

// enter lets a request in that came now, or returns nil.
func (g *gate) enter(now time.Time, bytes int) *ticket {
	g.mu.Lock()
	defer g.mu.Unlock()
	few := g.inside < g.free && g.bytes < g.freeBytes
	if g.inside >= g.most || !few && now.Sub(g.oldest.came) > g.wait {
		return nil
	}
	t := g.spare
	if t == nil {
		t = &ticket{}
	} else {
		g.spare = t.next
	}
	*t = ticket{came: now, bytes: bytes, before: g.newest}
	if g.newest == nil {
		g.oldest = t
	} else {
		g.newest.next = t
	}
	g.newest = t
	g.inside++
	g.bytes += bytes
	return t
}

// leave is told that a request was answered.
func (g *gate) leave(t *ticket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.before == nil {
		g.oldest = t.next
	} else {
		t.before.next = t.next
	}
	if t.next == nil {
		g.newest = t.before
	} else {
		t.next.before = t.before
	}
	g.inside--
	g.bytes -= t.bytes
	t.before, t.next = nil, g.spare
	g.spare = t
}

// count is how many requests are inside.
func (g *gate) count() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return float64(g.inside)
}
