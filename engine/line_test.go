package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// TestEditedRulesGiveTheSameAnswers edits rules one after the other beside a running stream. Plans made from the one before, plans made
// afresh, and an engine that is stopped and restored after each edit give the same firings, numbers and state.
func TestEditedRulesGiveTheSameAnswers(t *testing.T) {
	t.Parallel()
	fired, lines := 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		o := oracle.RandomOptions(seed)
		set, events := generate(seed, streamLength)
		s := newStream(t, set, events, o)
		r := rand.New(rand.NewPCG(seed, 11))
		steps := s.edits(r, seed, set)
		warms := seed%2 == 1
		want, wantState, sameLines := s.edited(t, steps, warms, true, false)
		for _, restarts := range []bool{false, true} {
			got, state, _ := s.edited(t, steps, warms, false, restarts)
			if got != want {
				t.Fatalf("made afresh (restarts %v) the plans fire other than made from each other\n%s\nagain: go test ./engine -run %s -seed %d -seeds 1",
					restarts, difference(want, got), t.Name(), seed)
			}
			if state != wantState {
				t.Fatalf("made afresh (restarts %v) the plans leave another state: %s\nagain: go test ./engine -run %s -seed %d -seeds 1",
					restarts, difference(wantState, state), t.Name(), seed)
			}
		}
		fired += len(want)
		lines += sameLines
	}
	if fired == 0 || lines < 4**seeds {
		t.Errorf("%d bytes of firings, %d plans made from the one before: the test proves nothing", fired, lines)
	}
}

// step is an edit and the record before which it is deployed.
type step struct {
	sources []rules.Source
	at      int
}

// edits are a dozen random edits: a rule goes, comes back, comes new, or changes.
func (s *stream) edits(r *rand.Rand, seed uint64, set []oracle.Rule) (steps []step) {
	pool, files := slices.Clone(set), map[string]string{}
	for i := range uint64(3) {
		others, _ := generate(seed*17+i, 1)
		pool = append(pool, others...)
	}
	for _, x := range set {
		files[x.ID] = x.Text
	}
	for range 12 {
		next := maps.Clone(files)
		x := pool[r.IntN(len(pool))]
		if r.IntN(3) == 0 {
			delete(next, x.ID)
		} else {
			next[x.ID] = x.Text
		}
		var sources []rules.Source
		for _, id := range slices.Sorted(maps.Keys(next)) {
			sources = append(sources, rules.Source{File: id + ".expr", Text: next[id]})
		}
		if plan, _ := rules.Compile(sources, rules.Options{Names: s.names, Location: s.options.Location}); plan == nil {
			continue // a cycle
		}
		files = next
		steps = append(steps, step{sources, r.IntN(len(s.records))})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at - b.at })
	return steps
}

// edited runs the stream with the edits and returns what fired, the state at the end, and how many plans were of the line of the one
// before. With warms new operators wait for a past that never comes.
func (s *stream) edited(t testing.TB, steps []step, warms, follow, restarts bool) (firings, state string, sameLines int) {
	o := s.options
	o.Shards = 2
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.warms = warms
	e.Deploy(s.plan)
	st := &memStore{rows: map[string][]byte{}}
	var out []byte
	previous := s.plan
	for i := range s.records {
		for len(steps) > 0 && steps[0].at == i {
			options := rules.Options{Names: s.names, Location: s.options.Location}
			if follow {
				options.Previous = previous
			}
			plan, _ := rules.Compile(steps[0].sources, options)
			if plan.SameLine(previous) {
				sameLines++
			}
			e.Deploy(plan)
			previous, steps = plan, steps[1:]
			if restarts {
				e = s.restart(t, e, st, 2)
			}
		}
		out = append(out, text(applyAndOverwrite(e, s.records[i:i+1]))...)
	}
	state = e.dump()
	for _, part := range []any{e.dict.ops, e.dict.scopes, e.dict.sizes, e.dict.cold, slices.Sorted(maps.Keys(e.dict.held)), e.program.warming()} {
		state += string(mustJSON(part))
	}
	return string(append(out, text(e.Drain())...)), state, sameLines
}

// TestNumbersFollowTheRules: what a rule asks of a key has numbers that stand together, whatever its texts are like.
func TestNumbersFollowTheRules(t *testing.T) {
	const files, near = 40, 3
	names := nudge.NewNames()
	var sources []rules.Source
	for i := range files {
		text := fmt.Sprintf(`{per: visitor, when: count(page_view and path == "/%[1]d", "7d") >= 2 and distinct(click and path == "/%[1]d", title, "7d") >= 2 and happened(page_leave and path == "/%[1]d", "7d"), then: alert("a", {})}`, i)
		sources = append(sources, rules.Source{File: fmt.Sprintf("rule-%03d.expr", i), Text: text})
	}
	plan, ds := rules.Compile(sources, rules.Options{Names: names})
	if plan == nil {
		t.Fatal(ds.Text())
	}
	e, err := New(Options{Names: names, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(plan)
	for i := range plan.Rules {
		var nums []uint32
		for _, u := range plan.Rules[i].When.Uses {
			nums = append(nums, e.program.nums[u.Op])
		}
		if most := slices.Max(nums) - slices.Min(nums); len(nums) != near || most >= near {
			t.Errorf("the operators of %s have the numbers %v", plan.Rules[i].ID, nums)
		}
	}
}
