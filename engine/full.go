package engine

import (
	"sync/atomic"
	"time"

	"nudge"
)

// probeEvery is how often the sequencer tries whether a full disk has room again; in between it refuses what comes.
const probeEvery = 250 * time.Millisecond

// fullDisk is the sequencer's note that the log has no room. What it tries next, a request or a tick, shows whether there is some again, so that the
// node goes on by itself. Timers that are due meanwhile run behind it: log time stands while nothing can be logged.
type fullDisk struct {
	since, tried time.Time             // zero: there is room
	why          atomic.Pointer[error] // for others to read; nil: there is room
}

// wait is how long the sequencer may wait where it would otherwise wait that long; while the disk is full, until it is to be tried again.
func (f *fullDisk) wait(otherwise time.Duration) time.Duration {
	if f.since.IsZero() {
		return otherwise
	}
	return max(probeEvery-time.Since(f.tried), 0)
}

// noRoom answers all requests of a batch that the log did not take.
func (n *Node) noRoom(s *sealed, err error) {
	n.full.tried = time.Now()
	if n.full.since.IsZero() {
		n.full.since = n.full.tried
		n.full.why.Store(&err)
		n.stats.Full.Store(1)
		n.options.Logger.Error("the disk is full: events are refused until there is room", "error", err)
	}
	for _, r := range s.durable {
		n.answerFull(r)
	}
	for _, d := range s.waiting {
		n.answerFull(d.req)
	}
	n.spare <- s
}

// refuse answers a request that was not tried.
func (n *Node) refuse(r *request) {
	n.queuedBytes.Add(-int64(len(r.records)))
	n.answerFull(r)
}

func (n *Node) answerFull(r *request) {
	n.stats.FullRefused.Add(1)
	r.done <- result{err: nudge.ErrFull}
}

// roomAgain notes that the log has taken a batch.
func (n *Node) roomAgain() {
	if n.full.since.IsZero() {
		return
	}
	n.options.Logger.Info("there is room on the disk again: events are taken", "after", time.Since(n.full.since).Round(time.Millisecond))
	n.full.since = time.Time{}
	n.full.why.Store(nil)
	n.stats.Full.Store(0)
}

// Ready says why the node takes no events now, nil where it takes them.
func (n *Node) Ready() error {
	if why := n.full.why.Load(); why != nil {
		return *why
	}
	select {
	case <-n.stopping:
		return nudge.ErrStopped
	default:
		return n.catchingUp()
	}
}
