package engine

import (
	"math/rand/v2"
	"strings"
	"testing"

	"nudge/internal/oracle"
)

// unreadRun is a run that restarts and crashes often, on any number of shards, and reads little or nothing of a checkpoint but what is asked for. Most runs
// take checkpoints in steps all the time, also while most of the one before is still to be read.
func unreadRun(r *rand.Rand, records int) run {
	return run{
		shards: 1 + r.IntN(8), batch: 1 + r.IntN(1+r.IntN(64)), slow: r.IntN(4) > 0, read: []int{0, 1, 1, 4}[r.IntN(4)], memory: []int64{0, 0, 1, 1 << 14}[r.IntN(4)],
		restarts: randomRestarts(r, r.IntN(6), records), crashes: randomRestarts(r, r.IntN(4), records),
	}
}

// TestSameAnswersUnread is TestSameAnswers for restarts that leave most of a checkpoint unread: whatever is read when, what fires is the same.
func TestSameAnswersUnread(t *testing.T) {
	fired := 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		set, lines := generate(seed, streamLength)
		o := oracle.RandomOptions(seed)
		s := newStream(t, set, lines, o)
		want := text(s.firings(t, run{shards: 1, batch: 1, drain: o.Drain}))
		fired += strings.Count(want, "\n")
		r := rand.New(rand.NewPCG(seed, 97))
		for range 3 {
			v := unreadRun(r, len(s.records))
			v.drain = o.Drain
			if got := text(s.firings(t, v)); got != want {
				t.Fatalf("%v differs from one engine\n%s\n%s", v, difference(got, want), repeat(t, seed, set, lines))
			}
		}
	}
	t.Logf("%d seeds: %d firings, 0 differences", *seeds, fired)
}
