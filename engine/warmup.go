package engine

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"nudge"
)

// warmup looks after the rules that are warming: it lets a goroutine read the log back beside the traffic, has a live record appended
// when that has caught up, and makes the rules live when the record is applied. All but the goroutine is the applier's.
type warmup struct {
	node   *Node
	from   nudge.Offset  // the log is kept from here on; 0: nobody needs it
	until  nudge.Offset  // and until a checkpoint reaches this offset; 0 while rules are warming
	runs   bool          // the node does: before, nothing is read
	reader *reader       // nil: nobody reads
	reads  atomic.Uint64 // offset of the deployment for whose rules the log is kept from there on; 0: none
	ids    []string      // of the rules that are warming
	began  time.Time
}

// deployed is told that other rules run.
func (u *warmup) deployed() {
	u.stop()
	u.keep(0, 0)
	e := u.node.engine
	if e.cold() {
		u.keep(max(u.node.options.Log.First(), 1), 0)
	}
	u.publish(e.program.warming())
	if u.runs {
		u.start()
	}
}

// start begins to read the log back for the rules that are warming, from its beginning.
func (u *warmup) start() {
	u.runs = true
	if u.from == 0 || u.until != 0 {
		return
	}
	u.began = u.node.options.Wall()
	u.reader = newReader(u.node, u.warmer(u.from))
	u.node.options.Logger.Info("rules are warming", "rules", u.ids, "from", uint64(u.from))
	go u.reader.run()
}

// stop ends the reading, and waits for its end.
func (u *warmup) stop() {
	if u.reader != nil {
		close(u.reader.stop)
		<-u.reader.done
		u.reader = nil
	}
}

// feed shows the reader an entry that is about to be applied.
func (u *warmup) feed(entry nudge.Entry) {
	if u.reader != nil {
		u.reader.tail.add(entry)
	}
}

// failed is the reader's error, if it has ended with one.
func (u *warmup) failed() error {
	if u.reader == nil {
		return nil
	}
	select {
	case <-u.reader.done:
		return u.reader.err
	default:
		return nil
	}
}

// goLive makes the warming rules live, if the record is theirs: another deployment may have come before it.
func (u *warmup) goLive(live liveRecord) error {
	e := u.node.engine
	if !e.cold() || live.Deploy != e.deployed {
		return nil
	}
	w, err := u.warmed(live)
	if err != nil {
		return fmt.Errorf("read the log back from offset %d: %w", live.From, err)
	}
	e.goLive(w)
	u.keep(live.From, e.next)
	u.node.writer.wanted = true // until a checkpoint holds what was read, a restart reads it again
	if u.runs {
		took := u.node.options.Wall().Sub(u.began)
		for _, id := range u.ids {
			u.node.options.Logger.Info("rule is live", "rule", id, "took", took.Round(time.Millisecond), "events", w.events)
		}
	} else {
		e.finishTakeOver()
	}
	u.publish(nil)
	return nil
}

// warmed is what was read up to the live record that has just been applied. While the node recovers it is read now.
func (u *warmup) warmed(live liveRecord) (*warmer, error) {
	if u.reader != nil {
		<-u.reader.done // it is a few entries behind
		w, err := u.reader.warmer, u.reader.err
		u.reader = nil
		return w, err
	}
	w := u.warmer(live.From)
	if err := w.seed(u.node.options.Store); err != nil {
		return nil, err
	}
	err := u.node.options.Log.Read(live.From, func(entry nudge.Entry) error {
		if w.done {
			return errEnough
		}
		return w.take(entry, func() error { return nil })
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return w, nil
}

// keep notes from where on the log is kept, and until when.
func (u *warmup) keep(from, until nudge.Offset) {
	u.from, u.until = from, until
	u.reads.Store(0)
	if from != 0 {
		u.reads.Store(uint64(u.node.engine.deployed))
	}
}

// warmer is one that reads the log from an offset on. Who was erased before the deployment is not there for it, whether the log still holds
// the records or not; who is erased later it erases when it comes to that.
func (u *warmup) warmer(from nudge.Offset) *warmer {
	w := newWarmer(u.node.engine, from)
	w.gone = u.node.erasures.before(u.node.engine.deployed)
	return w
}

// keepFrom is from where on the log must be kept, once a checkpoint reaches next.
func (u *warmup) keepFrom(next nudge.Offset) nudge.Offset {
	if u.until != 0 && next >= u.until {
		u.keep(0, 0)
	}
	if u.from != 0 {
		return min(u.from, next)
	}
	return next
}

// publish tells the node's callers which rules are warming.
func (u *warmup) publish(ids []string) {
	u.ids = ids
	u.node.warming.Store(&ids)
	u.node.stats.RulesWarming.Store(uint64(len(ids)))
	if len(ids) == 0 {
		u.node.stats.WarmupOffset.Store(0)
	}
}

// RuleState says whether a rule is live, or how far its past has been read.
type RuleState struct {
	Rule     string
	Warming  bool
	Read, Of nudge.Offset // of a warming rule: the offset up to which the log was read, of that at its end
}

// Rules are the states of the rules that were deployed last.
func (n *Node) Rules() (states []RuleState) {
	warming := map[string]bool{}
	if ids := n.warming.Load(); ids != nil {
		for _, id := range *ids {
			warming[id] = true
		}
	}
	for _, r := range n.Plan().Rules {
		s := RuleState{Rule: r.ID, Warming: warming[r.ID]}
		if s.Warming {
			s.Read, s.Of = nudge.Offset(n.stats.WarmupOffset.Load()), nudge.Offset(n.stats.LogNext.Load())
		}
		states = append(states, s)
	}
	return states
}
