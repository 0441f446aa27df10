package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nudge"
	"nudge/ingest"
	"nudge/internal/oracle"
)

// checkRecovered looks at a process that has recovered and does not run yet.
func (l *life) checkRecovered() {
	g, ok := l.checkLog()
	if !ok {
		return
	}
	l.checkAnswered()
	l.checkReceipts()
	feed := l.feed()
	if l.excused() {
		return // a read has failed
	}
	l.checkSeen(feed, g)
	l.checkHidden(feed, g)
	l.checkPending(feed, g)
}

// checkEnd looks at a process that has done all work: here the oracle has its say.
func (l *life) checkEnd() {
	for _, c := range l.clients {
		if len(c.todo) > 0 {
			l.problem("%s has %d requests left", c.name, len(c.todo))
		}
	}
	g, ok := l.checkLog()
	if !ok {
		return
	}
	l.checkVoids(g)
	l.checkAnswered()
	l.checkReceipts()
	l.checkRecords()
	feed := l.feed()
	l.checkSeen(feed, g)
	l.checkHidden(feed, g)
	l.checkPending(feed, g)
	all := l.fired(feed, g)
	l.report.Firings = len(all)
	l.checkOracle(all)
	l.checkOnce(all)
	l.checkDecided(all)
	l.checkWalks(all, g)
}

// checkLog reads the log back: it holds what the ledger says, and may lack only what nobody was told of at its end, what it was told to let go, and who was erased: g.
func (l *life) checkLog() (g gone, ok bool) {
	first, next := l.dir.Log.First(), l.dir.Log.Next()
	l.ledger.cut(next)
	g = l.gone()
	var facts []fact
	err := l.dir.Log.Read(0, func(e nudge.Entry) error {
		some, err := factsOf(e, l.names)
		facts = append(facts, some...)
		return err
	})
	if err != nil {
		if !l.excused() {
			l.problem("I7: the log cannot be read back: %v", err)
		}
		return g, false
	}
	if len(facts) != int(next-first) || len(l.ledger.facts) != int(next)-1 || first > 1 && !l.retains {
		l.problem("I1: the log goes from offset %d to %d and holds %d records; %d were appended", first, next-1, len(facts), len(l.ledger.facts))
		return g, false
	}
	for i, f := range facts {
		off := first + nudge.Offset(i)
		was := l.ledger.facts[off-1]
		isVoid := f.kind == nudge.RecordVoid && f.at == was.at && was.event >= 0 && g.sent(off, l.line(was.event))
		if !isVoid && !f.same(was) {
			l.problem("I1: at offset %d %+v was appended, and %+v is read", off, was, f)
			return g, false
		}
		if i > 0 && f.at < facts[i-1].at {
			l.problem("I6: log time goes back from %d to %d at offset %d", facts[i-1].at, f.at, off)
		}
	}
	return g, true
}

// checkRecords wants the events in the log to be, to the byte, what the codec makes of what was sent, under the names of this process.
func (l *life) checkRecords() {
	codec := ingest.NewCodec(ingest.CodecOptions{Names: l.names})
	unique, _ := l.names.Find(fieldUnique)
	err := l.dir.Log.Read(0, func(e nudge.Entry) error {
		for rest := e.Records; len(rest) > 0; {
			var rec nudge.Record
			if rec, rest = nudge.SplitRecord(rest); rec.Kind() != nudge.RecordEvent {
				continue
			}
			u := int(rec.Field(unique).Num)
			var b nudge.RecordBuilder
			if _, err := codec.Events([]byte(l.line(u)), "", e.At, &b); err != nil {
				return err
			}
			if !bytes.Equal(b.Buf, rec) {
				return fmt.Errorf("the event %d was sent as %s; in the log is another", u, l.line(u))
			}
		}
		return nil
	})
	if err != nil {
		l.problem("I1: %v", err)
	}
}

// checkAnswered wants every event that was answered to be in the log.
func (l *life) checkAnswered() {
	for _, c := range l.clients {
		for _, call := range c.done {
			for _, u := range call.events {
				if len(l.ledger.offsets(u)) == 0 {
					l.problem("I1: the event %d was answered and is not in the log", u)
				}
			}
		}
	}
}

// feed walks all firings that are held.
func (l *life) feed() (all []nudge.Firing) {
	for after := (cursor{}); ; after = all[len(all)-1].Cursor {
		page, err := l.node.Firings(after, 50)
		if err != nil && !l.excused() {
			l.problem("I5: the feed behind %v: %v", after, err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// checkSeen wants all that was ever seen outside to be in the feed, under the same cursors, as far back as the log goes, but for those who are gone.
func (l *life) checkSeen(feed []nudge.Firing, g gone) {
	ids := map[cursor]string{}
	for _, f := range feed {
		ids[f.Cursor] = f.ID
	}
	first := l.dir.Log.First()
	for at, f := range l.told {
		if at.Offset >= first && ids[at] != f.ID && !g.hides(&f) {
			l.problem("I5: the deliverers were told of %s at %v; the feed has %q there", f.ID, at, ids[at])
		}
	}
	for _, c := range l.walkers {
		for _, s := range c.saw {
			f, ok := l.told[s.cursor]
			if s.cursor.Offset >= first && ids[s.cursor] != s.id && !(ok && g.hides(&f)) {
				l.problem("I5: a walk saw %s at %v; the feed has %q there", s.id, s.cursor, ids[s.cursor])
			}
		}
	}
}

// fired are all firings that there ever were, in order. The feed is the end of them but for those that are gone, and without retention all.
func (l *life) fired(feed []nudge.Firing, g gone) []nudge.Firing {
	all := l.inOrder()
	left := slices.DeleteFunc(slices.Clone(all), func(f nudge.Firing) bool { return g.hides(&f) })
	held := len(left) - len(feed)
	if held < 0 || held > 0 && !l.retains {
		l.problem("I5: the feed has %d firings; the deliverers were told of %d", len(feed), len(left))
		return feed
	}
	for i := range feed {
		if feed[i].Cursor != left[held+i].Cursor {
			l.problem("I5: the feed has %v where the deliverers were told of %v", feed[i].Cursor, left[held+i].Cursor)
			break
		}
	}
	for i := range all {
		var want uint32
		if i > 0 && all[i].Cursor.Offset == all[i-1].Cursor.Offset {
			want = all[i-1].Cursor.N + 1
		}
		if all[i].Cursor.N != want {
			l.problem("I4: among the firings of its offset %v should be number %d", all[i].Cursor, want)
			break
		}
	}
	return all
}

// checkWalks wants each walk, once it has gone on to the end, to have been the whole feed, each once and in order. Where the log is trimmed a slow
// walk misses what went.
func (l *life) checkWalks(all []nudge.Firing, g gone) {
	for _, c := range l.walkers {
		var saw, want, must []string
		switch c.name {
		case "feed":
			for l.readFeed(c, l.rng) {
			}
			for _, s := range c.saw {
				saw = append(saw, s.id)
			}
			for i := range all {
				want = append(want, all[i].ID)
				if !g.hides(&all[i]) {
					must = append(must, all[i].ID)
				}
			}
		case "alerts":
			for l.readAlerts(c, l.rng) {
			}
			saw = c.ids
			for i := range all {
				ids := actionIDs(&all[i], nudge.ActionAlert)
				want = append(want, ids...)
				if !g.hides(&all[i]) {
					must = append(must, ids...)
				}
			}
		}
		if l.retains || l.erases {
			want = common(saw, want)
		}
		if missed := without(must, saw); len(missed) > 0 && !l.retains {
			l.problem("I5: the walk of the %s missed %v", c.name, missed)
		}
		if !slices.Equal(saw, want) {
			l.problem("I5: the walk of the %s: %s", c.name, firstDifference(saw, want))
		}
	}
}

// common are the elements of all that are in some, too, in the order of all.
func common(some, all []string) (both []string) {
	for _, id := range all {
		if slices.Contains(some, id) {
			both = append(both, id)
		}
	}
	return both
}

// actionIDs are the ids of a delivered firing's popups or alerts.
func actionIDs(f *nudge.Firing, kind nudge.ActionKind) (ids []string) {
	if !f.Delivered() {
		return nil
	}
	for _, a := range f.Actions {
		switch {
		case a.Kind != kind:
		case len(ids) == 0:
			ids = append(ids, f.ID)
		default:
			ids = append(ids, f.ID+"."+strconv.Itoa(len(ids)))
		}
	}
	return ids
}

// checkOracle compares what fired with what the rules mean.
func (l *life) checkOracle(all []nudge.Firing) {
	o := l.options
	for _, f := range l.ledger.facts {
		o.Until = f.at
	}
	set, lines := l.placed(), l.stream()
	want, err := oracle.Run(set, lines, o)
	if err != nil {
		l.problem("the oracle: %v", err)
		return
	}
	var got []string
	for _, f := range all {
		if off, ok := strings.CutPrefix(f.Cause, "offset:"); ok {
			f.Cause = "line:" + off
		}
		got = append(got, string(f.AppendJSON(nil)))
	}
	if !slices.Equal(got, want) {
		l.report.Case = oracle.Format(set, lines)
		l.problem("I2: %d firings, the oracle has %d; %s", len(got), len(want), firstDifference(got, want))
	}
}

// checkOnce wants each event that was answered to count once, and any other at most once.
func (l *life) checkOnce(all []nudge.Firing) {
	if !l.exact {
		return
	}
	times := map[string]int{}
	for _, f := range all {
		if f.Rule == once || f.Rule == twice {
			times[f.Key]++
		}
	}
	for u := range l.lines {
		id := uniqueID(u)
		if !strings.Contains(l.lines[u], strconv.Quote(id)) {
			continue
		}
		taken := len(l.ledger.offsets(u)) > 0
		if n := times[id]; n > 1 || taken != (n == 1) {
			l.problem("the event %d is in the log: %v, and counts %d times", u, taken, n)
		}
	}
}

// checkDecided wants each request that asked to have been told of what its events fired, and of nothing else.
func (l *life) checkDecided(all []nudge.Firing) {
	for _, c := range l.clients {
		for _, call := range c.done {
			if !call.decide {
				continue
			}
			var got []string
			for _, f := range call.firings {
				got = append(got, f.ID)
			}
			caused := func(first nudge.Offset) bool { return slices.Equal(got, causedBy(all, first, len(call.events))) }
			if at := l.ledger.offsets(call.events[0]); !slices.ContainsFunc(at, caused) { // it may have been sent more than once
				l.problem("I4: a request that stands at %v was told of %v, and caused other firings", at, got)
			}
		}
	}
}

// causedBy are the ids of the delivered firings whose first cause is one of n records.
func causedBy(all []nudge.Firing, first nudge.Offset, n int) (ids []string) {
	for _, f := range all {
		if !f.Timer && f.Delivered() && f.Cursor.Offset >= first && f.Cursor.Offset < first+nudge.Offset(n) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// firstDifference shows where two lists part.
func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Sprintf("number %d:\n got  %s\n want %s", i+1, g, w)
		}
	}
	return "no difference"
}
