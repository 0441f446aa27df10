package bench

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/state"
)

// compared is what was held against a replay from the log's beginning, and found to be equal.
type compared struct {
	pairs   int // rule and key
	holding int // of them, those where the rule's condition reads anything
	firings int // of the rule behind its live record
}

// comparison is an engine that has had the last round's rules from the log's first record on.
type comparison struct {
	engine   *engine.Engine
	visitors map[string]bool // of the log
	live     nudge.Offset    // the last live record
	at       nudge.Millis    // of the log's last record
	firings  []string        // ids of the new rule's behind the live record
}

// compare recovers the folder that the server has left, and holds what its new rule knows of each visitor, and what it fired behind its
// live record, to a replay.
func (w *warmed) compare(ctx context.Context, wall func() time.Time) (found compared, err error) {
	names := nudge.NewNames()
	data, err := state.Open(w.dir, state.Options{Names: names})
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	node, err := newNode(data.Log, data.Store, names, wall, nil)
	if err == nil {
		err = node.Recover()
	}
	if err != nil {
		return found, err
	}
	r, err := w.replay(ctx, data.Log, names)
	if err != nil {
		return found, err
	}
	for visitor := range r.visitors {
		had, should := node.Inspect("warm", visitor, r.at), r.engine.Inspect("warm", visitor, r.at)
		for i := range had {
			if !reflect.DeepEqual(had[i].Reading, should[i].Reading) {
				return found, fmt.Errorf("the new rule reads %+v of %s, but %+v had it been there from the beginning", had[i].Reading, visitor, should[i].Reading)
			}
		}
		found.pairs++
		if had[0].Reading.N > 0 {
			found.holding++
		}
	}
	fired, err := firingsOf(node, "warm", r.live)
	if err != nil {
		return found, err
	}
	if found.firings = len(fired); !slices.Equal(fired, r.firings) {
		return found, fmt.Errorf("the new rule fired %d times behind its going live, but %d times had it been there from the beginning", len(fired), len(r.firings))
	}
	return found, nil
}

// replay reads the whole log with the last round's rules.
func (w *warmed) replay(ctx context.Context, log *state.Log, names *nudge.Names) (*comparison, error) {
	r := &comparison{visitors: map[string]bool{}}
	var err error
	if r.engine, err = engine.New(engine.Options{Names: names}); err != nil {
		return nil, err
	}
	plan, err := compile(append(slices.Clone(sixRules), warmRule(w.rounds)), names)
	if err != nil {
		return nil, err
	}
	r.engine.Deploy(plan)
	var b engine.Batch
	err = log.Read(0, func(entry nudge.Entry) error {
		r.apply(&b, entry)
		return ctx.Err()
	})
	return r, err
}

func (r *comparison) apply(b *engine.Batch, entry nudge.Entry) {
	b.Reset()
	off := entry.First
	for rest := entry.Records; len(rest) > 0; off++ {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		b.Add(off, entry.At, rec)
		if rec.Kind() == nudge.RecordLive {
			r.live, r.firings = off, nil
		}
		if v := rec.Field(nudge.NameVisitor).Text; v != "" && !r.visitors[v] {
			r.visitors[strings.Clone(v)] = true
		}
	}
	r.at = entry.At
	for _, f := range r.engine.Apply(b) {
		if f.Rule == "warm" && r.live > 0 {
			r.firings = append(r.firings, f.ID)
		}
	}
}

// firingsOf are the ids of a rule's firings behind an offset.
func firingsOf(node *engine.Node, rule string, behind nudge.Offset) (ids []string, err error) {
	for after := (nudge.Cursor{Offset: behind}); ; {
		firings, err := node.Firings(after, 1000)
		if err != nil || len(firings) == 0 {
			return ids, err
		}
		for _, f := range firings {
			if after = f.Cursor; f.Rule == rule {
				ids = append(ids, f.ID)
			}
		}
	}
}
