package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// editing is a random stream in which rules are edited again and again: plans[n] is deployed before a record, and what warms by it goes live before a later one.
// Where another deployment comes first it never does.
type editing struct {
	*warming
	plans   []*rules.Plan
	deploys []int // deploys[0] is 0
	lives   []int // of each plan; 0: never
}

// newEditing makes the stream of a seed; nil where some of its rules have a cycle.
func newEditing(t testing.TB, seed uint64) *editing {
	t.Helper()
	set, lines := generate(seed, streamLength)
	x := &editing{warming: &warming{stream: newStream(t, set, lines, oracle.RandomOptions(seed))}}
	r := rand.New(rand.NewPCG(seed, 23))
	x.deploys = append([]int{0}, randomRestarts(r, 1+r.IntN(4), len(x.records))...)
	for n := range x.deploys {
		before, after := edit(r, seed+uint64(n), set)
		if set = after; n == 0 {
			set = before
		}
		var sources []rules.Source
		for _, rule := range set {
			sources = append(sources, rules.Source{File: rule.ID + ".expr", Text: rule.Text})
		}
		plan, _ := rules.Compile(sources, rules.Options{Names: x.names, Location: x.options.Location})
		if plan == nil {
			return nil
		}
		x.plans = append(x.plans, plan)
		live, end := 0, len(x.records)
		if n+1 < len(x.deploys) {
			end = x.deploys[n+1]
		}
		if from := x.deploys[n] + 1; n > 0 && from < end && r.IntN(4) > 0 {
			live = from + r.IntN(end-from)
		}
		x.lives = append(x.lives, live)
	}
	return x
}

// change does what is to be done before a record.
func (x *editing) change(t testing.TB, e *Engine, i int) (out []nudge.Firing) {
	if n := slices.Index(x.deploys, i); n > 0 {
		e.deployed = offsetOf(i) - 1
		e.Deploy(x.plans[n])
	}
	if !slices.Contains(x.lives, i) || i == 0 || !e.cold() {
		return nil
	}
	at := x.records[i-1].at
	live := liveRecord{e.deployed, 1}.record()
	var b Batch
	b.Add(offsetOf(i)-1, at, live)
	out = slices.Clone(e.Apply(&b))
	w := newWarmer(e, 1)
	for j, rec := range x.records[:i] {
		if err := w.take(nudge.Entry{First: offsetOf(j), At: rec.at, Count: 1, Records: rec.rec}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.take(nudge.Entry{First: offsetOf(i) - 1, At: at, Count: 1, Records: live}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	e.goLive(w)
	return out
}

// run is stream.firings with the edits.
func (x *editing) run(t testing.TB, r run) (out []nudge.Firing) {
	t.Helper()
	e := x.engine(t, r.shards)
	e.warms = true
	st := &memStore{rows: map[string][]byte{}, memory: r.memory}
	st.budget(e)
	e.Deploy(x.plans[0])
	places := slices.Concat(x.deploys, x.lives, r.restarts, r.crashes)
	var b Batch
	for i := 0; i < len(x.records); {
		if len(r.restarts) > 0 && i == r.restarts[0] {
			r.restarts = r.restarts[1:]
			r.tell(e)
			e = x.restart(t, e, st, 1+(r.shards+i)%9)
		}
		if len(r.crashes) > 0 && i >= r.crashes[0] {
			r.crashes = r.crashes[1:]
			r.tell(e)
			st.current = nil
			if e = x.restore(t, st, 1+(r.shards+i)%9, e); e.clock == 0 {
				e.Deploy(x.plans[0])
			}
			out = slices.DeleteFunc(out, func(f nudge.Firing) bool { return f.Cursor.Offset >= e.next })
			i = max(int(e.next-1)/2, 0)
			for len(r.restarts) > 0 && r.restarts[0] <= i {
				r.restarts = r.restarts[1:]
			}
		}
		out = append(out, x.change(t, e, i)...)
		n := min(r.batch, len(x.records)-i)
		for _, place := range places {
			if place > i {
				n = min(n, place-i)
			}
		}
		n = x.untilErase(i, n)
		b.Reset()
		for j := i; j < i+n; j++ {
			b.Add(offsetOf(j), x.records[j].at, x.records[j].rec)
		}
		out = append(out, e.Apply(&b)...)
		i += n
		x.eraseLast(t, e, i-1)
		e.takeOver(1)
		if r.slow && (st.current != nil || !e.takingOver()) {
			x.checkpointStep(t, e, st, n)
		}
		if r.vanish {
			e.vanishAmong(1 << 20)
		}
		e.sweep(n)
		if r.read > 0 {
			e.readOn(r.read)
		}
	}
	r.tell(e)
	return append(out, e.Drain()...)
}

// TestSameAnswersEdited edits rules in the middle of a stream, which go live later, while keys vanish, are away, are taken over, or have not been read since a restart or a
// crash, and a checkpoint is being taken: what fires is the same as in one engine that has none of that.
func TestSameAnswersEdited(t *testing.T) {
	t.Parallel()
	streams, fired, gone := 0, 0, uint64(0)
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		x := newEditing(t, seed)
		if x == nil {
			continue
		}
		streams++
		want := text(x.run(t, run{shards: 1, batch: 1}))
		fired += strings.Count(want, "\n")
		r := rand.New(rand.NewPCG(seed, 31))
		for range 3 {
			v := unreadRun(r, len(x.records))
			v.vanish, v.gone = r.IntN(3) > 0, &gone
			if got := text(x.run(t, v)); got != want {
				t.Fatalf("%v differs from one engine: %s\n%s", v, difference(got, want),
					fmt.Sprintf("deployed before %v, live before %v\nagain: go test ./engine -run %s -seed %d -seeds 1", x.deploys, x.lives, t.Name(), seed))
			}
		}
	}
	t.Logf("%d streams with edits, %d firings, %d keys vanished", streams, fired, gone)
	if fired < streams || gone < uint64(streams) {
		t.Fatal("the test proves nothing")
	}
}
