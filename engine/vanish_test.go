package engine

import (
	"math/rand/v2"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// TestSameAnswersVanishing is TestSameAnswers for keys that vanish as soon as they are vacant, behind every batch, with restarts and checkpoints in steps
// between: what fires is the same as where none does, and it is what the oracle says.
func TestSameAnswersVanishing(t *testing.T) {
	t.Parallel()
	fired, gone := 0, uint64(0)
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		set, lines := generate(seed, streamLength)
		o := oracle.RandomOptions(seed)
		s := newStream(t, set, lines, o)
		want := text(s.firings(t, run{shards: 1, batch: 1, drain: o.Drain}))
		fired += strings.Count(want, "\n")
		r := rand.New(rand.NewPCG(seed, 97))
		for _, v := range []run{
			{shards: 1, batch: 1},
			{shards: 3, batch: 7, slow: true},
			{shards: 2, batch: 1 + r.IntN(9), read: 1 + r.IntN(9), restarts: randomRestarts(r, 3, len(s.records))},
			{shards: 2, batch: 3, slow: true, memory: 1 << 14, restarts: randomRestarts(r, 2, len(s.records))},
		} {
			v.drain, v.vanish, v.gone = o.Drain, true, &gone
			if got := text(s.firings(t, v)); got != want {
				t.Fatalf("%v differs from keys that stay\n%s\n%s", v, difference(got, want), repeat(t, seed, set, lines))
			}
		}
	}
	t.Logf("%d seeds: %d firings, %d keys vanished, 0 differences", *seeds, fired, gone)
	if gone < uint64(*seeds) {
		t.Fatalf("only %d keys vanished in %d streams: the test proves nothing", gone, *seeds)
	}
}

// TestVacant wants each operator's key to stay up to the millisecond before the one from which on it means nothing, and to be gone, with its row, then.
// Events are history from 5 ms on.
func TestVacant(t *testing.T) {
	for _, c := range []struct {
		rule, events string
		from         nudge.Millis // never: the key stays
	}{
		{`when: count(a, "10ms") >= 2`, "100 a", 110},
		{`when: count(a, "10ms") == 1`, "100 a", 110}, // it has a timer
		{`when: count(a, "10ms") >= 2`, "90 a\n100 a", 110},
		{`when: count(a, "10ms") >= 2`, "100 b\n95 a", 105},
		{`when: count(a, "10ms") >= 2 and count(a, "30ms") >= 9`, "100 a", 130},
		{`when: distinct(a, s, "10ms") >= 2`, "100 a s=x", 110},
		{`when: on(a), then: alert("x", {v: values(a, s, "10ms")})`, "100 a s=x", 110},
		{`when: sum(a, n, "10ms") >= 9`, "100 a n=1", 110},
		{`when: first(a, "10ms")`, "100 a", 115},
		{`when: first(a, "10ms") or first(a, "20ms")`, "100 a", 125},
		{`when: absent(b, "10ms", after(a))`, "100 b", 116},
		{`when: absent(b, "10ms", after(a))`, "100 a", 110},
		{`when: absent(b, "10ms", after(a))`, "100 a\n103 b", 119},
		{`when: dwell(a, "10ms", until(b))`, "100 b", 116},
		{`when: dwell(a, "10ms", until(b))`, "100 a", never}, // it has pulsed and waits for an end
		{`when: dwell(a, "10ms", until(b))`, "100 a\n112 b", 128},
		{`when: sequence(a, b, "10ms")`, "100 a", 115},
		{`when: sequence(a, b, c, "10ms")`, "100 a\n104 b", 115},
		{`when: sequence(a, b, "10ms")`, "100 a\n101 b", 101},
		{`when: on(a), cooldown: "20ms"`, "100 a", 120},
		{`when: on(a), limit: cap("p", 1, "30ms")`, "100 a", 130},
		{`when: count(a, "ever") >= 2`, "100 a", never},
		{`when: distinct(a, s, "ever") >= 2`, "100 a s=x", never},
		{`when: first(a, "ever")`, "100 a", never},
		{`when: sum(a, n, "ever") >= 9`, "100 a n=1", never},
		{`when: last(a, s) == "y"`, "100 a s=x", never},
		{`when: since(a) > 1`, "100 a", never},
		{`when: score({a: 1}, half_life("1ms")) >= 9`, "100 a", never},
		{`when: count(a, "10ms") >= 2 and count(b, "ever") >= 2`, "100 a", 110},
	} {
		oc := operatorCase{rules: "r: " + c.rule, events: c.events}
		s := newStream(t, oc.set(), oc.lines(), oracle.Options{Lateness: 5})
		for _, at := range []nudge.Millis{c.from - 1, c.from, c.from + 1} {
			if c.from == never {
				at = 1 << 50
			}
			e, keys, rows := s.vanishAt(t, at)
			want := 1
			if at >= c.from {
				want = 0
			}
			if keys != want || rows != want || e.vanished() != uint64(1-want) {
				t.Errorf("%s: after %q, at %d %d keys are there and %d rows, want %d", c.rule, c.events, at, keys, rows, want)
			}
		}
	}
}

// vanishAt applies the stream, takes a checkpoint, lets keys vanish at an instant and takes another one. It returns how many keys and rows are left.
func (s *stream) vanishAt(t *testing.T, at nudge.Millis) (e *Engine, keys, rows int) {
	t.Helper()
	o := s.options
	o.Shards = 1
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	var b Batch
	for _, rec := range s.records {
		b.Reset()
		b.Add(rec.off, rec.at, rec.rec)
		e.Apply(&b)
	}
	st := &memStore{rows: map[string][]byte{}}
	st.checkpoint(e)
	if at > e.clock {
		e.AdvanceTo(at)
	}
	if e.clock == at {
		e.vanishAmong(1000)
	}
	st.checkpoint(e)
	for key := range st.rows {
		if key[0] == tableKeys {
			rows++
		}
	}
	keys, _ = e.Memory()
	return e, keys, rows
}

// TestVanishInSlices wants the hand to pass as many entries as it is told, on all levels and shards, and to come to all of them.
func TestVanishInSlices(t *testing.T) {
	e, _ := manyKeys(t, 1000, 0)
	e.AdvanceTo(e.clock + 400*24*60*60*1000)
	for round := 1; e.vanished() < 1000; round++ {
		before := e.vanished()
		e.vanish(0)
		if n := e.vanished() - before; n > uint64(passIdle*len(e.shards)) {
			t.Fatalf("%d keys vanished in one go", n)
		}
		if round > 1000 {
			t.Fatalf("%d of 1000 keys have vanished", e.vanished())
		}
	}
	if keys, _ := e.Memory(); keys != 0 {
		t.Fatalf("%d keys are left", keys)
	}
}

// TestLongerThanBefore makes windows, a cooldown, a pool's window and lateness longer, and wants the answers of keys that have vanished, of which the
// new rules ask what the old ones had done with, to be those of keys that have not.
func TestLongerThanBefore(t *testing.T) {
	for _, c := range []struct{ before, after, early, late string }{
		{`when: count(a, "10ms") >= 2`, `when: count(a, "90ms") >= 2`, "100 a", "120 a"},
		{`when: distinct(a, s, "10ms") >= 2`, `when: distinct(a, s, "90ms") >= 2`, "100 a s=x", "120 a s=y"},
		{`when: sum(a, n, "10ms") >= 5`, `when: sum(a, n, "90ms") >= 5`, "100 a n=4", "120 a n=2"},
		{`when: on(a), then: alert("x", {v: values(a, s, "10ms")})`, `when: on(a), then: alert("x", {v: values(a, s, "90ms")})`, "100 a s=x", "120 a s=y"},
		{`when: first(a, "5ms")`, `when: first(a, "90ms")`, "100 a", "120 a"},
		{`when: on(a), cooldown: "10ms"`, `when: on(a), cooldown: "90ms"`, "100 a", "120 a"},
		{`when: on(a), limit: cap("p", 1, "10ms")`, `when: on(a), limit: cap("p", 1, "90ms")`, "100 a", "120 a"},
		{`when: absent(b, "5ms", after(a))`, `when: absent(b, "5ms", after(a)), title: "longer"`, "100 b", "120 c\n99 a"},
		{`when: sequence(a, b, "10ms")`, `when: sequence(a, b, "10ms"), title: "longer"`, "95 a", "120 c\n96 b"},
	} {
		var all [2]string
		for i, vanish := range []bool{false, true} {
			all[i] = longer(t, c.before, c.after, c.early, c.late, vanish)
		}
		if all[0] != all[1] {
			t.Errorf("%s: after %q, %q fires\n%swhere keys stay, and\n%swhere they vanish", c.after, c.early, c.late, all[0], all[1])
		}
	}
}

// longer runs a rule, makes it another one at 118, with a lateness of 100 ms in place of 1 ms, and runs that.
func longer(t *testing.T, before, after, early, late string, vanish bool) string {
	t.Helper()
	first, second := operatorCase{rules: "r: " + before, events: early}, operatorCase{rules: "r: " + after, events: late}
	s := newStream(t, first.set(), append(first.lines(), second.lines()...), oracle.Options{Lateness: 1})
	o := s.options
	o.Shards = 1
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	var b Batch
	var out []nudge.Firing
	apply := func(records []stamped) {
		for _, rec := range records {
			b.Reset()
			b.Add(rec.off, rec.at, rec.rec)
			out = append(out, e.Apply(&b)...)
		}
	}
	n := len(first.lines())
	apply(s.records[:n])
	e.AdvanceTo(118)
	if vanish {
		if e.vanishAmong(1000); e.vanished() != 1 {
			t.Fatalf("%s: after %q nothing vanishes", before, early)
		}
	}
	var sources []rules.Source
	for _, r := range second.set() {
		sources = append(sources, rules.Source{File: r.ID + ".expr", Text: r.Text})
	}
	plan, diags := rules.Compile(sources, rules.Options{Names: s.names})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	settings := e.settings
	settings.Lateness = 100
	e.use(settings)
	e.Deploy(plan)
	apply(s.records[n:])
	return text(append(out, e.AdvanceTo(300)...))
}
