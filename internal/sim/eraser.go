package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"nudge"
)

// who is somebody, or a company, that may be erased.
type who struct {
	kind string // "visitor", "user" or "company"
	id   string
}

// erasure is what an erase record says of whom it erases.
type erasure struct {
	kind string
	hash nudge.KeyHash
}

func (x who) erasure() erasure { return erasure{x.kind, nudge.HashKey(x.kind, x.id)} }

// erasureOf reads an erase record.
func erasureOf(rec nudge.Record) (erasure, error) {
	var of struct{ Kind string }
	err := json.Unmarshal([]byte(rec.Field(nudge.NameSettings).Text), &of)
	return erasure{of.Kind, rec.Hash()}, err
}

// eraser erases persons and companies now and then.
func (l *life) eraser(r *rand.Rand) {
	for range 1 + r.IntN(3) {
		select {
		case <-l.disk.crashed:
			return
		case <-l.ended:
			return
		case <-time.After(pause(r, 4*time.Second)):
		}
		if !l.erase(l.somebody(r)) {
			return
		}
	}
}

// somebody was named by an event that was sent, or is unknown.
func (w *world) somebody(r *rand.Rand) who {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 || r.IntN(16) == 0 {
		return pick(r, who{"visitor", "nobody"}, who{"user", "Nobody@acme.example"}, who{"company", "nobody.example"})
	}
	var some []who
	n := namesIn(w.lines[r.IntN(len(w.lines))])
	for _, x := range []who{{"visitor", n.visitor}, {"user", n.user}, {"user", n.mail}, {"company", n.company}} {
		if x.id != "" {
			some = append(some, x)
		}
	}
	return some[r.IntN(len(some))]
}

// names are those of an event, each "" where it has none.
type names struct{ visitor, user, mail, company string }

func namesIn(line string) names {
	var e struct{ Visitor, User, Email, Company any }
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		panic("BUG: an event does not unmarshal: " + line)
	}
	text := func(v any) string {
		switch v := v.(type) {
		case string:
			return v
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		return ""
	}
	return names{text(e.Visitor), text(e.User), text(e.Email), text(e.Company)}
}

// erase erases somebody, and says whether that was answered.
func (l *life) erase(x who) bool {
	l.mu.Lock()
	l.asked[x.erasure()] = x
	l.mu.Unlock()
	receipt, err := l.node.Erase(context.Background(), x.kind, x.id)
	for errors.Is(err, nudge.ErrFull) {
		time.Sleep(300 * time.Millisecond)
		receipt, err = l.node.Erase(context.Background(), x.kind, x.id)
	}
	switch {
	case errors.Is(err, nudge.ErrStopped):
		return false
	case err != nil:
		if !l.excused() {
			l.problem("Erase: %v", err)
		}
		return false
	}
	return l.disk.seen(func() {
		l.known = max(l.known, receipt.ID)
		l.receipts[receipt.ID] = receipt
		if at := int(receipt.ID); at > len(l.ledger.facts) || l.ledger.facts[at-1].erases != x.erasure() || l.lost > 0 && receipt.ID >= l.lost {
			l.problem("I1: the erasure %d of %v was answered, and is not in the log; that failed at offset %d", receipt.ID, x, l.lost)
		}
		l.report.Erasures++
	})
}

// awaitErasures waits until all that are in the log are complete.
func (l *life) awaitErasures() {
	var ids []nudge.Offset
	l.disk.seen(func() {
		for i, f := range l.ledger.facts {
			if f.kind == nudge.RecordErase {
				ids = append(ids, nudge.Offset(i+1))
			}
		}
	})
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	for _, id := range ids {
		if r, ok, err := l.node.WaitErasure(ctx, id); (err != nil || !ok || !r.Complete) && id >= l.dir.Log.First() {
			l.problem("the erasure %d is not complete after ten minutes: %+v %v %v", id, r, ok, err)
		}
	}
}

// checkReceipts wants the receipt of every erasure that was answered, as it was, but for what has been removed from files since.
func (l *life) checkReceipts() {
	for id, was := range l.receipts {
		is, ok, err := l.node.Erasure(id)
		switch {
		case err != nil && l.excused(), !ok && id < l.dir.Log.First():
			continue
		case err != nil || !ok:
			l.problem("the erasure %d was answered, and has no receipt: %v", id, err)
			continue
		}
		l.receipts[id] = is
		if now := fmt.Sprintf("%+v", is); was.Complete && now != fmt.Sprintf("%+v", was) {
			l.problem("the receipt of a complete erasure was %+v and is %s", was, now)
		}
		if was.Kind != is.Kind || was.Digest != is.Digest || was.At != is.At || was.State != is.State {
			l.problem("the receipt of an erasure was %+v and is %+v", was, is)
		}
	}
}
