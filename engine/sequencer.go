package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nudge"
)

// sequence is the sequencer: it seals what has arrived into a batch, stamps it, appends it to the log and syncs once. Only then
// are requests answered (I1). While the applier works on one batch, the next is being synced.
func (n *Node) sequence(ctx context.Context) error {
	defer close(n.stopping)
	if err := n.catchUp(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var lastTick time.Time
	var covered nudge.Millis // the applier has been sent everything due at or before this
	var held *request        // taken from the queue, but not into the batch
	for {
		r := held
		held = nil
		if r == nil {
			timer.Reset(n.full.wait(n.untilTick(covered, lastTick)))
			select {
			case r = <-n.queue:
			case <-n.dueChanged:
				continue
			case <-timer.C:
				if n.full.wait(n.untilTick(covered, lastTick)) > 0 {
					continue
				}
				select {
				case r = <-n.queue: // a request carries the time as well
				default:
					lastTick = time.Now()
				}
			case <-ctx.Done():
				return nil
			}
		}
		if r != nil && n.full.wait(0) > 0 {
			n.refuse(r)
			continue
		}
		s := <-n.spare
		var err error
		held, err = n.seal(s, r, n.clock.Now())
		if errors.Is(err, nudge.ErrFull) {
			n.noRoom(s, err)
			continue
		}
		if err != nil {
			n.unanswered = append(n.unanswered, s.durable...)
			if held != nil {
				n.unanswered = append(n.unanswered, held)
			}
			return err
		}
		n.roomAgain()
		covered = s.entry.At
		n.batches <- s
	}
}

// untilTick is how long the sequencer may wait for requests before it must write a tick: until the earliest timer, but not before
// the last tick is 5 ms past. It is not 0 for a timer that a batch on its way covers.
func (n *Node) untilTick(covered nudge.Millis, lastTick time.Time) time.Duration {
	due := nudge.Millis(n.due.Load())
	if due <= covered || due == never {
		return time.Hour
	}
	wait := time.Duration(due-n.clock.Now()) * time.Millisecond
	return min(max(wait, minTick-time.Since(lastTick), 0), time.Hour)
}

// seal makes a batch of r and what else has arrived, or of a tick where r is nil, stamps it and makes it durable. It returns a request that
// did not fit any more. Where the disk is full nobody in the batch has been answered.
func (n *Node) seal(s *sealed, r *request, at nudge.Millis) (held *request, err error) {
	s.waiting, s.durable, s.alone, s.plan, s.hint = s.waiting[:0], s.durable[:0], false, nil, ""
	s.entry = nudge.Entry{First: n.options.Log.Next(), At: at, Records: s.entry.Records[:0]}
	tick := r == nil
	if tick {
		s.addTick()
	}
	for ; r != nil; r = n.more(s) {
		if len(s.entry.Records) > 0 && (r.alone || s.alone) {
			held = r
			break
		}
		first := s.entry.First + nudge.Offset(s.entry.Count)
		r.first = first
		s.entry.Records = append(s.entry.Records, r.records...)
		s.entry.Count += r.count
		s.alone, s.plan, s.hint = r.alone, r.plan, r.hint
		n.queuedBytes.Add(-int64(len(r.records)))
		if r.decide {
			s.waiting = append(s.waiting, decision{r, first, first + nudge.Offset(r.count)})
		} else {
			s.durable = append(s.durable, r)
		}
	}
	if err := n.options.Log.Append(s.entry); err != nil {
		return held, fmt.Errorf("append to the log at offset %d: %w", s.entry.First, err)
	}
	if planted(bugEarlyAnswer) {
		for _, r := range s.durable {
			r.done <- result{}
		}
		s.durable = s.durable[:0]
	}
	sync := n.options.Log.Sync
	if planted(bugLooseTick) && len(s.durable)+len(s.waiting) == 0 {
		sync = func() error { return nil }
	}
	if err := sync(); err != nil {
		return held, fmt.Errorf("sync the log at offset %d: %w", s.entry.First, err)
	}
	for _, r := range s.durable {
		r.done <- result{}
	}
	if tick {
		n.stats.Ticks.Add(1)
	}
	n.stats.Batches.Add(1)
	n.stats.Records.Add(uint64(s.entry.Count))
	n.stats.Bytes.Add(uint64(len(s.entry.Records)))
	n.stats.LogNext.Store(uint64(s.entry.First) + uint64(s.entry.Count))
	return held, nil
}

// more is the next request that waits, while the batch has room.
func (n *Node) more(s *sealed) *request {
	if s.entry.Count >= maxBatchRecords || len(s.entry.Records) >= maxBatchBytes {
		return nil
	}
	select {
	case r := <-n.queue:
		return r
	default:
		return nil
	}
}

// addTick makes the batch one that carries nothing but the time.
func (s *sealed) addTick() {
	b := nudge.RecordBuilder{Buf: s.entry.Records}
	b.Begin(nudge.RecordTick, nudge.NameNone)
	b.End(0)
	s.entry.Records, s.entry.Count = b.Buf, 1
}
