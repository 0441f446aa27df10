package sim

import (
	"encoding/json"
	"net/url"
	"slices"

	"nudge"
)

// checkPending compares the popups that are pending with what follows from the feed and the log: those of delivered firings that have neither
// expired nor been seen, of each visitor the newest.
func (l *life) checkPending(feed []nudge.Firing, g gone) {
	now := l.node.Now()
	if l.retains {
		return // popups of trimmed firings are pending until the next start
	}
	want := l.pending(feed, g, now)
	for _, visitor := range visitors {
		var page struct{ Popups []struct{ ID string } }
		if !l.get("/v1/popups?visitor="+url.QueryEscape(visitor), &page) {
			return
		}
		var got []string
		for _, p := range page.Popups {
			got = append(got, p.ID)
		}
		if !slices.Equal(got, want[visitor]) {
			l.problem("the pending popups of %s: %s", visitor, firstDifference(got, want[visitor]))
		}
	}
}

// pending goes through firings and receipts in the order of the log.
func (l *life) pending(feed []nudge.Firing, g gone, now nudge.Millis) map[string][]string {
	byVisitor := map[string][]string{}
	next := 0
	for i, f := range l.ledger.facts {
		for ; next < len(feed) && feed[next].Cursor.Offset <= nudge.Offset(i+1); next++ {
			g := &feed[next]
			if g.Visitor == "" || g.At+millisOf(l.popupTTL) <= now {
				continue
			}
			popups := append(byVisitor[g.Visitor], actionIDs(g, nudge.ActionPopup)...)
			byVisitor[g.Visitor] = popups[max(0, len(popups)-l.popupsKept):]
		}
		for _, p := range g {
			for _, visitor := range p.Visitors {
				if p.Line == nudge.Offset(i+1) {
					delete(byVisitor, visitor)
				}
			}
		}
		if f.event >= 0 {
			var e struct{ Type, Visitor, Popup string }
			if err := json.Unmarshal([]byte(l.line(f.event)), &e); err == nil && e.Popup != "" {
				byVisitor[e.Visitor] = without(byVisitor[e.Visitor], []string{e.Popup})
			}
		}
	}
	return byVisitor
}
