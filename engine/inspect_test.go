package engine

import (
	"fmt"
	"slices"
	"testing"

	"nudge/internal/oracle"
)

// engineOf runs a written stream through one engine.
func engineOf(t *testing.T, s *stream, o Options) *Engine {
	t.Helper()
	o.Names, o.Lateness, o.Replay, o.Location = s.names, s.options.Lateness, true, s.options.Location
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	return e
}

func (s *stream) batch() *Batch {
	b := &Batch{}
	for _, rec := range s.records {
		b.Add(rec.off, rec.at, rec.rec)
	}
	return b
}

var (
	inspected = []oracle.Rule{
		{ID: "help", Text: `{per: visitor, when: dwell(form_view, "20s", until(page_leave)) and count(page_view, "1m") >= 2, then: popup("x")}`},
		{ID: "form", Text: `{per: form, when: count(form_view, "1d") >= 5, then: alert("x")}`},
	}
	inspectedLines = []string{
		`{"type":"page_view","visitor":"v1","ts":1000}`,
		`{"type":"page_view","visitor":"v1","ts":2000}`,
		`{"type":"form_view","visitor":"v1","form":"demo","ts":3000}`,
	}
)

func TestInspect(t *testing.T) {
	s := newStream(t, inspected, inspectedLines, oracle.Options{})
	e := engineOf(t, s, Options{Shards: 3})
	e.Apply(s.batch())
	before := e.dump()
	states := e.Inspect("help", "v1", 3000)
	if len(states) != 2 || states[0].Wait == nil || *states[0].Wait != (WaitState{Open: true, Started: 3000, Due: 23_000}) || states[1].Reading.N != 2 {
		t.Errorf("at 3 s: %+v %+v", states, states[0].Wait)
	}
	if st := e.Inspect("help", "v1", 61_500); st[1].Reading.N != 1 {
		t.Errorf("a view later than its window: %+v", st[1])
	}
	if st := e.Inspect("form", "demo", 3000); len(st) != 1 || st[0].Reading.N != 1 {
		t.Errorf("a key of another kind: %+v", st)
	}
	if st := e.Inspect("help", "nobody", 3000); len(st) != 2 || st[0].Wait != nil || st[1].Reading.N != 0 {
		t.Errorf("a key that was never met: %+v", st)
	}
	if st := e.Inspect("none", "v1", 3000); st != nil {
		t.Errorf("a rule that is not there: %+v", st)
	}
	if after := e.dump(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("looking has changed the state")
	}
	e.AdvanceTo(23_000)
	if st := e.Inspect("help", "v1", 23_000); !st[0].Wait.Pulsed || st[0].Wait.Open {
		t.Errorf("after the pulse: %+v", st[0].Wait)
	}
}

// Whoever observes is told both sides of each decision, the pulses too.
func TestObserve(t *testing.T) {
	s := newStream(t, inspected, inspectedLines, oracle.Options{})
	var got []string
	e := engineOf(t, s, Options{Shards: 1, Observe: func(d Decision) {
		if d.Rule.ID == "help" {
			got = append(got, fmt.Sprintf("%s %d %v %v %v", d.Key, d.At, d.After, d.Readings[0].Pulse, d.Readings[1].N))
		}
	}})
	e.Apply(s.batch())
	e.AdvanceTo(23_000)
	want := []string{
		"v1 1000 false false 0", "v1 1000 true false 1", "v1 2000 false false 1", "v1 2000 true false 2",
		"v1 3000 false false 2", "v1 3000 true false 2", "v1 22999 false false 2", "v1 23000 true true 2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// A reset engine answers as a new one.
func TestReset(t *testing.T) {
	s := newStream(t, inspected, append(slices.Clone(inspectedLines), `{"id":"m1","type":"form_view","email":"ana@acme.example","form":"demo","ts":4000}`), oracle.Options{})
	e := engineOf(t, s, Options{Shards: 2})
	answers := func() string {
		out := fmt.Sprintf("%+v", e.Apply(s.batch()))
		return out + fmt.Sprintf("%+v", e.AdvanceTo(100_000))
	}
	first, state := answers(), fmt.Sprint(e.dump())
	e.Reset()
	if keys, _ := e.Memory(); keys != 0 {
		t.Errorf("%d keys are left", keys)
	}
	if _, due := e.NextDue(); due {
		t.Error("a timer is left")
	}
	if again := answers(); again != first {
		t.Errorf("first\n%s\nagain\n%s", first, again)
	}
	if again := fmt.Sprint(e.dump()); again != state {
		t.Error("the same stream leaves another state")
	}
}
