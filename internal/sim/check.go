package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nudge"
	"nudge/internal/oracle"
)

// checkRecovered looks at a process that has recovered and does not run yet.
func (l *life) checkRecovered() {
	if !l.checkLog() {
		return
	}
	l.checkAnswered()
	feed := l.feed()
	l.checkSeen(feed)
	l.checkPending(feed)
}

// checkEnd looks at a process that has done all work: here the oracle has its say.
func (l *life) checkEnd() {
	for _, c := range l.clients {
		if len(c.todo) > 0 {
			l.problem("%s has %d requests left", c.name, len(c.todo))
		}
	}
	if !l.checkLog() {
		return
	}
	l.checkAnswered()
	feed := l.feed()
	l.report.Firings = len(feed)
	l.checkSeen(feed)
	l.checkPending(feed)
	l.checkOracle(feed)
	l.checkOnce(feed)
	l.checkDecided(feed)
	l.checkWalks(feed)
}

// checkLog reads the log back: it holds what the ledger says, and may lack only what nobody was told of at its end.
func (l *life) checkLog() bool {
	next := l.dir.Log.Next()
	l.ledger.cut(next)
	var facts []fact
	err := l.dir.Log.Read(0, func(e nudge.Entry) error {
		some, err := factsOf(e, l.names)
		facts = append(facts, some...)
		return err
	})
	if err != nil {
		l.problem("I7: the log cannot be read back: %v", err)
		return false
	}
	if len(facts) != int(next)-1 || len(l.ledger.facts) != len(facts) {
		l.problem("I1: the log ends with offset %d and holds %d records; %d were appended", next-1, len(facts), len(l.ledger.facts))
		return false
	}
	for i, f := range facts {
		if !f.same(l.ledger.facts[i]) {
			l.problem("I1: at offset %d %+v was appended, and %+v is read", i+1, l.ledger.facts[i], f)
			return false
		}
		if i > 0 && f.at < facts[i-1].at {
			l.problem("I6: log time goes back from %d to %d at offset %d", facts[i-1].at, f.at, i+1)
		}
	}
	return true
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

// feed walks all firings.
func (l *life) feed() (all []nudge.Firing) {
	for after := (cursor{}); ; after = all[len(all)-1].Cursor {
		page, err := l.node.Firings(after, 50)
		if err != nil {
			l.problem("I5: the feed behind %v: %v", after, err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// checkSeen wants all that was ever seen outside to be in the feed, under the same cursors.
func (l *life) checkSeen(feed []nudge.Firing) {
	ids := map[cursor]string{}
	for _, f := range feed {
		ids[f.Cursor] = f.ID
	}
	for at, id := range l.told {
		if ids[at] != id {
			l.problem("I5: the deliverers were told of %s at %v; the feed has %q there", id, at, ids[at])
		}
	}
	for _, c := range l.walkers {
		for i, s := range c.saw {
			if i >= len(feed) || feed[i].Cursor != s.cursor || feed[i].ID != s.id {
				l.problem("I5: firing %d of a walk was %s at %v; in the feed it is another", i+1, s.id, s.cursor)
				break
			}
		}
	}
}

// checkWalks wants each walk, once it has gone on to the end, to have been the whole feed, each once and in order.
func (l *life) checkWalks(feed []nudge.Firing) {
	for _, c := range l.walkers {
		var want []string
		switch c.name {
		case "feed":
			for l.readFeed(c, l.rng) {
			}
			if len(c.saw) != len(feed) {
				l.problem("I5: a walk through all processes saw %d firings of %d", len(c.saw), len(feed))
			}
		case "alerts":
			for l.readAlerts(c, l.rng) {
			}
			for i := range feed {
				want = append(want, actionIDs(&feed[i], nudge.ActionAlert)...)
			}
			if !slices.Equal(c.ids, want) {
				l.problem("I5: a walk of the alerts saw %d, there were %d: %s", len(c.ids), len(want), firstDifference(c.ids, want))
			}
		}
	}
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

// checkOracle compares the feed with what the rules mean.
func (l *life) checkOracle(feed []nudge.Firing) {
	o := l.options
	lines := make([]string, len(l.ledger.facts))
	for i, f := range l.ledger.facts {
		o.Until = f.at
		if f.event >= 0 {
			lines[i] = fmt.Sprintf(`{"at":%d,%s`, f.at, strings.TrimPrefix(l.line(f.event), "{"))
		}
	}
	set := l.placed()
	want, err := oracle.Run(set, lines, o)
	if err != nil {
		l.problem("the oracle: %v", err)
		return
	}
	var got []string
	for _, f := range feed {
		if off, ok := strings.CutPrefix(f.Cause, "offset:"); ok {
			f.Cause = "line:" + off
		}
		got = append(got, string(f.AppendJSON(nil)))
	}
	if !slices.Equal(got, want) {
		l.report.Case = oracle.Format(set, lines)
		l.problem("I2: the feed has %d firings, the oracle %d; %s", len(got), len(want), firstDifference(got, want))
	}
}

// checkOnce wants each event that was answered to count once, and any other at most once.
func (l *life) checkOnce(feed []nudge.Firing) {
	if !l.exact {
		return
	}
	times := map[string]int{}
	for _, f := range feed {
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

// checkDecided compares what requests were told that they fired with the feed.
func (l *life) checkDecided(feed []nudge.Firing) {
	for _, c := range l.clients {
		for _, call := range c.done {
			for _, f := range call.firings {
				if !slices.ContainsFunc(feed, func(g nudge.Firing) bool { return g.ID == f.ID && g.Cursor == f.Cursor }) {
					l.problem("I4: a request was told of %s at %v, which is not in the feed", f.ID, f.Cursor)
				}
			}
		}
	}
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
