package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// A source whose events have no ids goes on from its position after each crash, between any two operations on files. Then every event is in the
// log once, whichever of its requests, checkpoints and restarts the crashes met.
func TestSourceGoesOnFromItsPosition(t *testing.T) {
	crashes, stored := 0, 0
	for seed := uint64(1); seed <= 6; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, s := playSource(t, rand.New(rand.NewPCG(seed, 7)))
				crashes, stored = crashes+c, stored+s
			})
		})
	}
	if crashes < 20 || stored < 5 {
		t.Errorf("%d crashes, %d positions from checkpoints: too little was tried", crashes, stored)
	}
}

const (
	sourceLives   = 10
	sourcePerLife = 40 // events, about
)

// playSource returns how many crashes there were, and how often a process began with a position in its checkpoint.
func playSource(t *testing.T, rng *rand.Rand) (crashes, stored int) {
	fs, next := vfs.NewCrashableMem(), (*vfs.MemFS)(nil)
	for n := range sourceLives {
		var mu sync.Mutex
		ops, crashAt := 0, 1+rng.IntN(250)
		if n == sourceLives-1 {
			crashAt = -1
		}
		next = nil
		l, err := tryLife(t, lifeOptions{
			checkpoint: 3 + rng.IntN(40), segmentBytes: 4 << 10, shards: 1 + rng.IntN(4),
			fs: errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
				mu.Lock()
				defer mu.Unlock()
				if ops++; op.Kind.ReadOrWrite() == errorfs.OpIsWrite && ops >= crashAt && crashAt > 0 && next == nil {
					next = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
				}
				return nil
			})),
		})
		if err != nil {
			t.Fatal(err)
		}
		if row, _, err := l.dir.Store.Get([]byte(string(tablePositions) + "the source")); err == nil && len(row) > 0 {
			stored++
		}
		l.run()
		sent := place(t, l.node.Position("the source"))
		for until := sent + sourcePerLife; sent < until; {
			count := 1 + rng.IntN(3)
			submitFrom(l, sent+1, count)
			sent += count
			mu.Lock()
			crashed := next != nil
			mu.Unlock()
			if crashed {
				break
			}
		}
		if crashAt < 0 {
			wantEachOnce(l, sent)
		}
		l.end()
		if next != nil {
			fs = next
			crashes++
		}
	}
	return crashes, stored
}

// submitFrom submits the source's next events together with the position behind them.
func submitFrom(l *life, first, count int) {
	l.Helper()
	var lines []string
	for i := range count {
		lines = append(lines, event("page_view", fmt.Sprint("v", i), fmt.Sprintf(`,"n":%d`, first+i)))
	}
	b := nudge.RecordBuilder{Buf: l.records(lines...)}
	b.Position("another", "elsewhere")
	b.Position("the source", strconv.Itoa(first+count-1))
	if _, err := l.node.Submit(context.Background(), b.Buf, count+2, false); err != nil && !errors.Is(err, nudge.ErrStopped) {
		l.Fatal(err)
	}
}

func place(t *testing.T, text string) int {
	t.Helper()
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantEachOnce(l *life, last int) {
	l.Helper()
	name, _ := l.names.Find("n")
	want := 1
	for _, r := range l.kinds(nudge.RecordEvent) {
		if n := int(r.rec.Field(name).Num); n != want {
			l.Fatalf("event %d stands at offset %d, where event %d is due", n, r.off, want)
		}
		want++
	}
	if want != last+1 {
		l.Fatalf("the log ends with event %d, sent were %d", want-1, last)
	}
}
