package engine

import (
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// TestSameAnswersAcrossDeployments is TestSameAnswers with three deployments in each stream that drop, keep and add rules, and
// with the batch's memory overwritten after each Apply: whatever outlives a batch must have been copied.
func TestSameAnswersAcrossDeployments(t *testing.T) {
	t.Parallel()
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		o := oracle.RandomOptions(seed)
		set, lines := generate(seed, streamLength)
		s := newStream(t, set, lines, o)
		r := rand.New(rand.NewPCG(seed, 5))
		plans, at := s.deployments(r, seed, set)
		want := text(s.deployed(t, run{shards: 1, batch: 1}, plans, at))
		for _, v := range []run{
			{shards: 1, batch: 7},
			{shards: 3, batch: 7, slow: true},
			{shards: 8, batch: 4096},
			{shards: 8, batch: 64, slow: true},
			{shards: 2, batch: 5, restarts: randomRestarts(r, 4, len(s.records))},
			{shards: 1, batch: 1, restarts: randomRestarts(r, 4, len(s.records))},
		} {
			if got := text(s.deployed(t, v, plans, at)); got != want {
				t.Fatalf("%v differs from one shard and single records, deployments at %v\n%s\nagain: go test ./engine -run %s -seed %d -seeds 1",
					v, at, difference(got, want), t.Name(), seed)
			}
		}
	}
}

// deployments are three random sets of rules, each made of the one before and of new ones, and the records before which they are
// deployed.
func (s *stream) deployments(r *rand.Rand, seed uint64, set []oracle.Rule) (plans []*rules.Plan, at []int) {
	for i := range 3 {
		others, _ := generate(seed*31+uint64(i), 1)
		var next []oracle.Rule
		for _, x := range append(slices.Clone(set), others...) {
			known := slices.ContainsFunc(next, func(y oracle.Rule) bool { return y.ID == x.ID })
			if r.IntN(3) > 0 && !known {
				next = append(next, x)
			}
		}
		var sources []rules.Source
		for _, x := range next {
			sources = append(sources, rules.Source{File: x.ID + ".expr", Text: x.Text})
		}
		plan, _ := rules.Compile(sources, rules.Options{Names: s.names, Location: s.options.Location})
		if plan == nil {
			continue // the mixture has a cycle
		}
		plans, at, set = append(plans, plan), append(at, r.IntN(len(s.records))), next
	}
	slices.Sort(at)
	return plans, at
}

// deployed runs the stream with deployments before the given records.
func (s *stream) deployed(t testing.TB, r run, plans []*rules.Plan, at []int) []nudge.Firing {
	o := s.options
	o.Shards = r.shards
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	st := &memStore{rows: map[string][]byte{}}
	var out []nudge.Firing
	for i := 0; i < len(s.records); {
		for len(at) > 0 && at[0] == i {
			e.Deploy(plans[0])
			at, plans = at[1:], plans[1:]
		}
		if len(r.restarts) > 0 && i == r.restarts[0] {
			r.restarts = r.restarts[1:]
			e = s.restart(t, e, st, 1+(r.shards+i)%9)
		}
		end := min(i+r.batch, len(s.records))
		if len(r.restarts) > 0 {
			end = min(end, r.restarts[0])
		}
		if len(at) > 0 {
			end = min(end, at[0])
		}
		out = append(out, applyAndOverwrite(e, s.records[i:end])...)
		if r.slow {
			s.checkpointStep(t, e, st, end-i)
		}
		i = end
	}
	return append(out, e.Drain()...)
}

// applyAndOverwrite applies copies of records and then writes over them, as the next batch does.
func applyAndOverwrite(e *Engine, records []stamped) []nudge.Firing {
	var b Batch
	var copies [][]byte
	for _, rec := range records {
		c := slices.Clone([]byte(rec.rec))
		copies = append(copies, c)
		b.Add(rec.off, rec.at, nudge.Record(c))
	}
	firings := slices.Clone(e.Apply(&b))
	for _, c := range copies {
		for i := range c {
			c[i] = '#'
		}
	}
	return firings
}
