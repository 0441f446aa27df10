package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nudge"
)

// A node that was away for long finds timers that have been due meanwhile. One tick at the present instant would run them all at once: all that
// fires would lie in memory, and no checkpoint could begin before the end. So the sequencer catches up first: by ticks at instants that are over, each a
// slice of timers behind the one before. Requests wait, as what they say happened after all those instants.

const (
	catchUpTimers = 4096                     // in a slice, where they are not of one millisecond
	catchUpBehind = nudge.Millis(60 * 1000)  // a node that is no further behind just goes on
	catchUpSlice  = nudge.Millis(600 * 1000) // how far a slice goes at most
)

// sliceFrom is an instant up to which few timers are due; the first of them is due at the one given.
func (e *Engine) sliceFrom(due nudge.Millis) nudge.Millis {
	span := catchUpSlice
	for span > 0 && e.timersBy(due+span, catchUpTimers) >= catchUpTimers {
		span /= 2
	}
	return due + span
}

// timersBy counts the timers that may be due by then, up to limit; of what nobody has read, the bins.
func (e *Engine) timersBy(until nudge.Millis, limit int) (n int) {
	for _, s := range e.shards {
		for l := range s.tables {
			n += s.tables[l].timersDue(until, limit-n)
		}
		for i := 0; i < len(s.dues) && s.dues[i].due <= until && n < limit; i++ {
			n++
		}
	}
	return n
}

// catchUp writes ticks for what was due while no node ran.
func (n *Node) catchUp(ctx context.Context) error {
	begun := time.Now()
	ticks := 0
	for ctx.Err() == nil {
		due, now := nudge.Millis(n.due.Load()), n.clock.Now()
		if due == never || due >= now-catchUpBehind {
			break
		}
		if ticks == 0 {
			n.options.Logger.Info("timers were due while nothing ran: they are worked off first", "since", time.UnixMilli(int64(due)).UTC())
		}
		n.behind.Store(int64(now - due))
		at := min(max(nudge.Millis(n.dueSlice.Load()), due, n.options.Log.LastAt()), now) // there may be no slice: when the applier looked, it was not as long ago
		s := <-n.spare
		_, err := n.seal(s, nil, at)
		if errors.Is(err, nudge.ErrFull) {
			n.noRoom(s, err)
			if !n.pause(ctx, probeEvery) {
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
		n.roomAgain()
		ticks++
		n.batches <- s
		for nudge.Millis(n.due.Load()) == due {
			select {
			case <-n.dueChanged:
			case <-ctx.Done():
				return nil
			}
		}
	}
	n.behind.Store(0)
	if ticks > 0 {
		n.options.Logger.Info("timers that were due are worked off", "ticks", ticks, "after", time.Since(begun).Round(time.Millisecond))
	}
	return nil
}

// pause waits, and says whether the node still runs.
func (n *Node) pause(ctx context.Context, long time.Duration) bool {
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// catchingUp is why the node cannot answer yet, nil where it can.
func (n *Node) catchingUp() error {
	if behind := time.Duration(n.behind.Load()) * time.Millisecond; behind > 0 {
		return fmt.Errorf("timers that were due while nothing ran are worked off: %s are left", behind.Round(time.Second))
	}
	return nil
}
