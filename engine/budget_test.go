package engine

import (
	"math/rand/v2"
	"strings"
	"testing"

	"nudge/internal/oracle"
)

// TestSameAnswersWithin is TestSameAnswers for memory budgets: whatever leaves memory and comes back, what fires is the same.
func TestSameAnswersWithin(t *testing.T) {
	t.Parallel()
	fired, evicted, reads, early := 0, uint64(0), uint64(0), uint64(0)
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		set, lines := generate(seed, streamLength)
		o := oracle.RandomOptions(seed)
		s := newStream(t, set, lines, o)
		want := text(s.firings(t, run{shards: 1, batch: 1, drain: o.Drain}))
		fired += strings.Count(want, "\n")
		r := rand.New(rand.NewPCG(seed, 98))
		for _, memory := range []int64{1, 1 << 14, 1 << 16} {
			shards, batch := 1+r.IntN(8), 1+r.IntN(1+r.IntN(64))
			v := run{shards: shards, batch: batch, drain: o.Drain, slow: true, memory: memory, early: r.IntN(2) == 0, restarts: randomRestarts(r, r.IntN(3), len(s.records))}
			v.seen = func(m memoryStats) { evicted, reads, early = evicted+m.evicted, reads+m.reads, early+m.early }
			if got := text(s.firings(t, v)); got != want {
				t.Fatalf("%v differs from all in memory\n%s\n%s", v, difference(got, want), repeat(t, seed, set, lines))
			}
		}
	}
	t.Logf("%d seeds: %d firings, %d records left, %d rows were read, %d of them early and then needed, 0 differences", *seeds, fired, evicted, reads, early)
	if evicted == 0 || reads == 0 || early == 0 {
		t.Fatal("nothing left memory and came back: the test proves nothing")
	}
}
