package engine

import (
	"fmt"
	"slices"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// coldCase is a written stream in which other rules are deployed before one record and go live before another.
func coldCase(t *testing.T, base, next, lines string, deploy, live int) *warming {
	t.Helper()
	set := scriptRules(base)
	x := &warming{stream: newStream(t, set, scriptLines(lines), oracle.Options{}), deploy: deploy, live: live}
	x.base = x.plan
	var sources []rules.Source
	for _, r := range scriptRules(next) {
		sources = append(sources, rules.Source{File: r.ID + ".expr", Text: r.Text})
	}
	plan, diags := rules.Compile(sources, rules.Options{Names: x.names})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	x.next = plan
	return x
}

// begin returns an engine in which the second rules are cold, after the records before the live one.
func (x *warming) begin(t *testing.T, shards int) *Engine {
	t.Helper()
	e := x.engine(t, shards)
	e.warms = true
	e.Deploy(x.base)
	x.apply(t, e, 0, x.deploy)
	e.deployed = offsetOf(x.deploy) - 1
	e.Deploy(x.next)
	x.apply(t, e, x.deploy, x.live)
	return e
}

// TestPastJoinsAroundLive: what a visitor did before the new rule was deployed counts for the user that it turns out to be, wherever the
// event that says so lies, also while what was read back is being taken over; and its past is then gone for good.
func TestPastJoinsAroundLive(t *testing.T) {
	const next = "few: when: count(page_view, \"1h\") >= 2\nmany: when: count(page_view, \"1h\") >= 4"
	for _, base := range []string{`other: when: on(form_view)`, `few: when: count(page_view, "1h") >= 2`} { // the ring is new, and it has grown
		for _, c := range []struct {
			name     string
			identify int // after so many page views
			live     int // before this record
			taken    bool
		}{
			{"before the deployment", 1, 3, false},
			{"between the deployment and the live record", 2, 4, false},
			{"behind the live record", 3, 3, false},
			{"behind the live record, when all is taken over", 3, 3, true},
		} {
			t.Run(c.name, func(t *testing.T) {
				lines, ts := "", 0
				add := func(line string) {
					ts++
					lines += fmt.Sprintf("%d000 %s\n", ts, line)
				}
				for view := range 4 {
					if view == c.identify {
						add("identify visitor=v user=u")
					}
					add("page_view visitor=v")
				}
				x := coldCase(t, base, next, lines, 2, c.live)
				e := x.begin(t, 2)
				x.tick(e)
				x.goLive(t, e, false)
				if c.taken {
					e.finishTakeOver()
				}
				fired := ""
				for _, f := range x.apply(t, e, x.live, len(x.records)) {
					fired += fmt.Sprintf("%s:%s@%d ", f.Rule, f.Key, f.At)
				}
				want := fmt.Sprintf("many:u@%d000 ", ts)
				if c.live == c.identify {
					want = fmt.Sprintf("few:u@%d000 ", c.identify+1) + want
				}
				if fired != want {
					t.Errorf("fired %q, want %q", fired, want)
				}
				e.finishTakeOver()
				hash := nudge.HashKey("visitor", "v")
				if past := e.shards[hash.Shard(2)].takePast(hash, "v"); past != nil {
					t.Errorf("the visitor still has a past: %x", past)
				}
			})
		}
	}
}

// TestResetWhileCold: rules that are warming, or whose past is being taken over, are in the engine after Reset as in a new one: live, and
// they know nothing.
func TestResetWhileCold(t *testing.T) {
	const (
		base  = `one: per: visitor, when: on(page_view)`
		next  = base + "\nthree: per: visitor, when: count(page_view, \"1h\") >= 3\nquiet: per: visitor, when: absent(form_view, \"10s\", after(page_view))"
		lines = "1000 page_view visitor=v\n2000 page_view visitor=v\n3000 page_view visitor=v\n4000 page_view visitor=w\n5000 click visitor=v"
	)
	x := coldCase(t, base, next, lines, 2, 3)
	fresh := x.engine(t, 2)
	fresh.Deploy(x.next)
	want := text(append(slices.Clone(x.apply(t, fresh, 0, len(x.records))), fresh.Drain()...))
	if want == "" {
		t.Fatal("nothing fires: the test compares nothing")
	}
	for _, live := range []bool{false, true} {
		e := x.begin(t, 2)
		if live {
			x.tick(e)
			x.goLive(t, e, false)
		}
		if e.cold() == live || e.takingOver() != live {
			t.Fatalf("cold: %v, taking over: %v", e.cold(), e.takingOver())
		}
		e.Reset()
		if keys, _ := e.Memory(); keys != 0 || e.cold() || e.takingOver() {
			t.Errorf("after Reset %d keys, cold: %v, taking over: %v", keys, e.cold(), e.takingOver())
		}
		if got := text(append(slices.Clone(x.apply(t, e, 0, len(x.records))), e.Drain()...)); got != want {
			t.Errorf("taking over: %v: %s", live, difference(got, want))
		}
	}
}

// TestReadingIsBounded: the reading of the log notes nothing for a checkpoint, which would never come to take it.
func TestReadingIsBounded(t *testing.T) {
	lines := ""
	for i := range 200 {
		lines += fmt.Sprintf("%d page_view visitor=v%d\n%d identify visitor=v%d user=u\n", 1000+2*i, i, 1001+2*i, i)
	}
	x := coldCase(t, `other: when: on(form_view)`, `many: when: count(page_view, "1h") >= 4`, lines, 1, 400)
	e := x.begin(t, 2)
	w := newWarmer(e, 1)
	for i, rec := range x.records {
		if err := w.take(nudge.Entry{First: offsetOf(i), At: rec.at, Count: 1, Records: rec.rec}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	keys := 0
	for _, s := range w.engine.shards {
		for l := range s.tables {
			tb := &s.tables[l]
			keys += int(tb.count)
			if i := tb.count; i > 0 {
				tb.remove(i - 1)
			}
			if len(tb.dirty)+len(tb.removed)+tb.dirtyBytes > 0 {
				t.Errorf("table %d: %d entries, %d noted as changed, %d as removed", l, tb.count, len(tb.dirty), len(tb.removed))
			}
		}
	}
	if keys == 0 {
		t.Error("nothing was read")
	}
}
