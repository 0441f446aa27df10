package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"nudge/internal/oracle"
)

var (
	seeds     = flag.Int("seeds", defaultSeeds, "random streams per test")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

const streamLength = 120

// TestSameAnswers is the test of I2, I3 and I4: neither the number of shards, nor where batches end, nor restarts with other
// numbers of shards change a byte of what fires, its ids or its cursors; and it is what the oracle says that the rules mean.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	fired, ruleCount, events, evaluations, engineRuns := 0, 0, 0, 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		set, lines := generate(seed, streamLength)
		o := oracle.RandomOptions(seed)
		o.Evaluations = &evaluations
		s := newStream(t, set, lines, o)
		r := rand.New(rand.NewPCG(seed, 99))
		want := text(s.firings(t, run{shards: 1, batch: 1, drain: o.Drain}))
		fired += strings.Count(want, "\n")
		ruleCount, events = ruleCount+len(set), events+len(lines)
		for _, shards := range []int{1, 2, 8} {
			for _, batch := range []int{1, 7, 4096} {
				runs := []run{
					{shards: shards, batch: batch, drain: o.Drain},
					{shards: shards, batch: batch, drain: o.Drain, restarts: randomRestarts(r, 3, len(s.records))},
				}
				if batch == 7 {
					runs = append(runs, run{shards: shards, batch: batch, drain: o.Drain, slow: true})
				}
				if batch == 4096 {
					runs = append(runs, run{shards: shards, batch: batch, drain: o.Drain, parts: 1 + r.IntN(9)})
				}
				if batch == 7 && shards == 2 {
					engineRuns++
					if got := text(s.spelledOut().firings(t, runs[1])); got != want {
						t.Fatalf("%v with names spelled out in the records differs from one shard and single records\n%s\n%s", runs[1], difference(got, want), repeat(t, seed, set, lines))
					}
				}
				engineRuns += len(runs)
				for _, v := range runs {
					if got := text(s.firings(t, v)); got != want {
						t.Fatalf("%v differs from one shard and single records\n%s\n%s", v, difference(got, want), repeat(t, seed, set, lines))
					}
				}
			}
		}
		if got, want := s.printed(t, o), oracled(t, set, lines, o); got != want {
			set, lines = oracle.Shrink(set, lines, func(set []oracle.Rule, lines []string) bool {
				return newStream(t, set, lines, o).printed(t, o) != oracled(t, set, lines, o)
			})
			got, want = newStream(t, set, lines, o).printed(t, o), oracled(t, set, lines, o)
			t.Fatalf("the engine and the oracle differ (got the engine, want the oracle)\n%s\n%s", difference(got, want), repeat(t, seed, set, lines))
		}
	}
	t.Logf("%d seeds: %d rules, %d events, each in %d runs of the engine (other shards, batches, parts of batches, restarts) and one of the oracle, which evaluated %d conditions: %d firings, suppressed ones too, 0 differences",
		*seeds, ruleCount, events, engineRuns / *seeds, evaluations, fired)
	if fired < *seeds {
		t.Fatalf("only %d firings in %d streams: the generator tests nothing", fired, *seeds)
	}
}

// TestForwardsMustBeSorted is the negative control: with the forwards left as they came, the same comparison finds differences.
func TestForwardsMustBeSorted(t *testing.T) {
	t.Parallel()
	differ := 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		set, lines := generate(seed, streamLength)
		s := newStream(t, set, lines, oracle.RandomOptions(seed))
		want := text(s.firings(t, run{shards: 1, batch: 1}))
		for _, shards := range []int{2, 8} {
			if text(s.firings(t, run{shards: shards, batch: 4096, unsorted: true})) != want {
				differ++
				break
			}
		}
	}
	t.Logf("%d of %d streams differ", differ, *seeds)
	if differ == 0 {
		t.Fatal("leaving the forwards unsorted changed nothing: the test of same answers cannot fail")
	}
}

// printed is what a replay prints.
func (s *stream) printed(t testing.TB, o oracle.Options) string {
	var b []byte
	for _, f := range s.firings(t, run{shards: 2, batch: 7, drain: o.Drain}) {
		if f.Suppressed == "" || o.Suppressed {
			b = append(f.AppendJSON(b), '\n')
		}
	}
	return string(b)
}

func oracled(t testing.TB, set []oracle.Rule, lines []string, o oracle.Options) string {
	t.Helper()
	o.Merge = true // as the engine does, always
	out, err := oracle.Run(set, lines, o)
	if err != nil {
		t.Fatalf("oracle: %v", err)
	}
	return strings.Join(append(out, ""), "\n")
}

// difference shows the first lines that differ.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d of %d and %d:\n got  %s\n want %s", i+1, len(g)-1, len(w)-1, a, b)
		}
	}
	return "no difference"
}

// repeat says how to run one stream again, and what it was.
func repeat(t testing.TB, seed uint64, set []oracle.Rule, lines []string) string {
	return fmt.Sprintf("again: go test ./engine -run %s -seed %d -seeds 1\n%s", t.Name(), seed, oracle.Format(set, lines))
}
