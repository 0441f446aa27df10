package engine

import (
	"fmt"
	"strings"
	"time"

	"nudge"
)

// applyAll is the applier: it takes sealed batches through the engine, hands out what they fired, and writes checkpoints between them.
func (n *Node) applyAll() error {
	w := &n.writer
	idle := time.NewTicker(100 * time.Millisecond)
	defer idle.Stop()
	for {
		s, ok := n.nextBatch(idle.C, w.serialising())
		if !ok {
			return w.finish()
		}
		if s != nil {
			if err := n.applySealed(s); err != nil {
				return err
			}
			n.publishDue()
			n.spare <- s
		}
		if err := w.work(); err != nil {
			return err
		}
	}
}

// nextBatch waits for a batch; where there is other work, only until it is known that none is there. ok is false when no more come.
func (n *Node) nextBatch(idle <-chan time.Time, busy bool) (s *sealed, ok bool) {
	if busy {
		select {
		case s, ok = <-n.batches:
			return s, ok
		default:
			return nil, true
		}
	}
	select {
	case s, ok = <-n.batches:
		return s, ok
	case <-idle:
		return nil, true
	}
}

// applySealed applies one batch of the log. It is the same for live batches and for those read back.
func (n *Node) applySealed(s *sealed) error {
	e := n.engine
	s.batch.Reset()
	off, rest := s.entry.First, s.entry.Records
	var deploy nudge.Record
	for range s.entry.Count {
		if len(rest) == 0 {
			return fmt.Errorf("the log's entry at offset %d has fewer records than it says", s.entry.First)
		}
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		s.batch.Add(off, s.entry.At, rec)
		if rec.Kind() == nudge.RecordDeploy {
			deploy = rec
		}
		off++
	}
	firings := e.Apply(&s.batch)
	if deploy != nil {
		if err := n.deploy(s, deploy); err != nil {
			return err
		}
	}
	n.hand(s, firings)
	n.writer.records += s.entry.Count
	return nil
}

// deploy makes the record's rules the running ones: its instant is the last one of the old rules.
func (n *Node) deploy(s *sealed, rec nudge.Record) error {
	settings, err := readSettings(rec.Field(nudge.NameSettings).Text)
	plan := s.plan
	if err == nil && plan == nil { // read back
		plan, err = settings.compile(rec.Field(nudge.NameRule).Text, n.options.Engine.Names, n.engine.Plan())
	}
	if err != nil {
		return fmt.Errorf("offset %d: %w", s.entry.First, err)
	}
	n.engine.use(settings)
	n.engine.Deploy(plan)
	n.plan.Store(plan)
	if fresh := n.engine.program.fresh; n.engine.ordinal > 0 && len(fresh) > 0 && s.plan != nil {
		n.options.Logger.Info("rules whose operators are new or keep more count from now on", "rules", fresh)
	}
	return nil
}

// hand gives what a batch fired to the feed, to those who asked, and to the deliverers (I5).
func (n *Node) hand(s *sealed, firings []nudge.Firing) {
	for i := range firings {
		if firings[i].Suppressed != "" {
			n.stats.Suppressed.Add(1)
		} else {
			n.stats.Firings.Add(1)
		}
	}
	duplicates, noCompany := n.engine.dropped()
	n.stats.Duplicates.Store(duplicates)
	n.stats.NoCompany.Store(noCompany)
	n.feed.add(firings, s.entry.First+nudge.Offset(s.entry.Count))
	if len(firings) > 0 && n.options.OnFirings != nil {
		n.options.OnFirings(firings)
	}
	n.receipts(s)
	for _, d := range s.waiting {
		d.req.done <- result{firings: caused(firings, d.first, d.next)}
	}
}

// caused are the delivered firings whose first cause is a record in [first, next).
func caused(firings []nudge.Firing, first, next nudge.Offset) []nudge.Firing {
	var out []nudge.Firing
	for _, f := range firings {
		if !f.Timer && f.Delivered() && f.Cursor.Offset >= first && f.Cursor.Offset < next {
			out = append(out, f)
		}
	}
	return out
}

// receipts passes on which popups were seen.
func (n *Node) receipts(s *sealed) {
	for i := range s.batch.records {
		r, a := &s.batch.records[i], &s.batch.abouts[i]
		if !a.event || a.duplicate {
			continue
		}
		switch r.rec.Type() {
		case nudge.NamePopupShown, nudge.NamePopupClicked, nudge.NamePopupDismissed:
			if id := r.rec.Field(nudge.NamePopup); id.Kind == nudge.Text {
				text := strings.Clone(id.Text)
				n.feed.seen(r.off, text)
				if n.options.OnReceipt != nil {
					n.options.OnReceipt(text)
				}
			}
		}
	}
}

// publishDue tells the sequencer the earliest timer.
func (n *Node) publishDue() {
	due, _ := n.engine.NextDue()
	if n.due.Swap(int64(due)) != int64(due) {
		select {
		case n.dueChanged <- struct{}{}:
		default:
		}
	}
}
