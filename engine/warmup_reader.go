package engine

import (
	"errors"
	"time"

	"nudge"
)

// reader is the goroutine that reads the log back for a warmer. It ends when it has read the live record, is stopped, or fails.
type reader struct {
	node   *Node
	warmer *warmer
	tail   tail
	stop   chan struct{}
	done   chan struct{} // closed at its end; then the warmer and err may be read
	err    error

	asked <-chan result // for the live record; nil: not yet, or the disk was full
	again *time.Timer   // to ask once more
}

// Limits of the reading.
const (
	nearRecords = 500_000 // so close to the log's end the applier's entries are collected
	nearEntries = 8       // so few entries behind the applier the live record is asked for
)

var errStopReading = errors.New("the reading was stopped")

func newReader(n *Node, w *warmer) *reader {
	return &reader{node: n, warmer: w, stop: make(chan struct{}), done: make(chan struct{})}
}

func (r *reader) run() {
	defer close(r.done)
	r.again = time.NewTimer(time.Hour)
	defer r.again.Stop()
	if err := r.read(); !errors.Is(err, errStopReading) {
		r.err = err
	}
}

// read reads the log until its end is near, and then follows the applier. Only the first is done beside the traffic: soon the applier waits
// for the rest.
func (r *reader) read() error {
	err := r.beside(func() error { return r.warmer.seed(stoppable{r.node.options.Store, r.stop}) })
	for err == nil && !r.warmer.done {
		if err = r.beside(r.catchUp); err == nil {
			err = r.follow()
		}
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (r *reader) beside(work func() error) (err error) {
	r.node.options.Beside(func() { err = work() })
	return err
}

// catchUp reads the log to its end, and again what came meanwhile, until the end is near. Then the applier keeps copies of the entries that
// it applies, so that nothing has to be read twice, and the live record can be asked for.
func (r *reader) catchUp() error {
	for near := false; !near; {
		if near = r.node.stats.LogNext.Load() <= uint64(r.warmer.engine.next)+nearRecords; near {
			r.tail.open()
		}
		if err := r.node.options.Log.Read(r.warmer.engine.next, r.take); err != nil {
			return err
		}
	}
	return nil
}

// follow takes the applier's entries until the live record is one of them, or it has fallen too far behind.
func (r *reader) follow() error {
	for !r.warmer.done {
		if r.asked == nil && r.tail.waiting() < nearEntries {
			r.asked = r.node.askLive(r.warmer.live)
		}
		if r.asked == nil {
			r.again.Reset(minTick)
		}
		select {
		case res := <-r.asked: // what the log has taken comes with the entries
			if res.err != nil {
				r.asked = nil
				if err := r.pause(probeEvery); err != nil {
					return err
				}
			}
		case entry, ok := <-r.tail.entries:
			if !ok {
				return nil
			}
			r.tail.took(entry)
			if err := r.take(entry); err != nil {
				return err
			}
		case <-r.again.C:
		case <-r.stop:
			return errStopReading
		}
	}
	return nil
}

func (r *reader) take(entry nudge.Entry) error {
	if r.warmer.done {
		return errEnough
	}
	if entry.First < r.warmer.engine.next {
		return nil // the log had it before the applier
	}
	return r.warmer.take(entry, r.between)
}

// between tells how far the reading is, and ends it when it is stopped.
func (r *reader) between() error {
	r.node.stats.WarmupOffset.Store(uint64(r.warmer.engine.next))
	select {
	case <-r.stop:
		return errStopReading
	default:
		return nil
	}
}

func (r *reader) pause(d time.Duration) error {
	r.again.Reset(d)
	select {
	case <-r.again.C:
		return nil
	case <-r.stop:
		return errStopReading
	}
}

// askLive hands the live record to the sequencer, if there is room in the queue, and returns where the answer comes.
func (n *Node) askLive(live liveRecord) <-chan result {
	rec := live.record()
	done := make(chan result, 1)
	n.queuedBytes.Add(int64(len(rec)))
	select {
	case n.queue <- &request{records: rec, count: 1, alone: true, done: done}:
		return done
	default:
		n.queuedBytes.Add(-int64(len(rec)))
		return nil
	}
}

// stoppable is a store whose scans end when reading is stopped.
type stoppable struct {
	Store
	stop <-chan struct{}
}

func (s stoppable) Scan(from, to []byte, f func(key, value []byte) error) error {
	return s.Store.Scan(from, to, func(key, value []byte) error {
		select {
		case <-s.stop:
			return errStopReading
		default:
			return f(key, value)
		}
	})
}
