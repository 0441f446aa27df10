package state

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// known is what the process knew when it crashed.
type known struct {
	acked    int // entries whose Sync returned
	appended int // entries whose Append was called
}

// noisy makes entries that s2 cannot shrink, so that they cover many pages.
func (b *builder) noisy(rng *rand.Rand, first nudge.Offset, at nudge.Millis, count, bytes int) nudge.Entry {
	b.rb.Buf = b.rb.Buf[:0]
	for range count {
		b.rb.Begin(nudge.RecordEvent, nudge.NamePath)
		text := make([]byte, bytes/count)
		for j := range text {
			text[j] = byte(rng.Uint32())
		}
		b.rb.Text(nudge.NameTitle, string(text))
		b.rb.End(1)
	}
	return nudge.Entry{First: first, At: at, Count: count, Records: b.rb.Buf}
}

// A crash between any two operations on files leaves a log that holds every acknowledged entry, at most one more, and no hole; and that goes
// on from there, even if the machine stops again while it is opened.
func TestLogCrash(t *testing.T) {
	for seed := range uint64(crashSeeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { crashLog(t, seed) })
	}
}

func crashLog(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	o := Options{SegmentBytes: 40 << 10, LogMaxBytes: 30 << 10, spareInline: true}
	var now known
	mem := vfs.NewCrashableMem()
	c := newCrasher(mem, seed, func() any { return now })
	tl := openTest(t, c.fs(), o)
	for range 30 {
		e := tl.build.entry(t, tl.Log.Next(), tl.Log.LastAt()+10, 1+rng.IntN(4))
		if rng.IntN(2) == 0 {
			e = tl.build.noisy(rng, tl.Log.Next(), tl.Log.LastAt()+10, 1+rng.IntN(3), 1+rng.IntN(20_000))
		}
		tl.want = append(tl.want, factOf(t, tl.build.names, e))
		now.appended++
		if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
			t.Fatal(err)
		}
		now.acked++
		if rng.IntN(4) == 0 {
			if err := tl.Log.Trim(tl.Log.Next()-1, 0); err != nil {
				t.Fatal(err)
			}
		}
		if rng.IntN(6) == 0 {
			tl.reopen(t)
		}
	}
	if len(c.taken()) < 200 || tl.Log.First() == 1 {
		t.Fatalf("%d crashes, first offset %d: the test does not test", len(c.taken()), tl.Log.First())
	}
	dropped := 0
	for i, crash := range c.taken() {
		name := fmt.Sprintf("crash %d (%s)", i, crash.op)
		if i%9 != 0 {
			dropped += checkCrash(t, name, crash.fs, o, tl.want, crash.state.(known))
			continue
		}
		again := newCrasher(crash.fs, seed, func() any { return nil })
		if opened, err := tryOpen(t, again.fs(), o); err != nil {
			t.Fatalf("%s: %v", name, err)
		} else {
			opened.closeQuietly()
		}
		for _, second := range again.taken() {
			checkCrash(t, name+", again "+second.op, second.fs, o, tl.want, crash.state.(known))
		}
	}
	if dropped == 0 {
		t.Fatal("no crash tore an entry: the test does not test")
	}
}

func checkCrash(t *testing.T, name string, fs vfs.FS, o Options, want []fact, k known) (dropped int) {
	t.Helper()
	tl, err := tryOpen(t, fs, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer tl.closeQuietly()
	got, err := tl.read(t, 0)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	from := 0
	for from < len(want) && want[from].First < tl.Log.First() {
		from++
	}
	to := from + len(got)
	if to < k.acked || to > k.appended || !equalFacts(got, want[from:to]) {
		t.Fatalf("%s: holds entries %d to %d; %d were acknowledged, %d appended", name, from, to, k.acked, k.appended)
	}
	if k.acked > 0 {
		last := want[k.acked-1]
		if err := tl.Log.Confirm(last.First + nudge.Offset(len(last.Lines)) - 1); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if tl.Log.torn != "" {
		dropped = 1
	}
	tl.want = append([]fact(nil), got...)
	tl.append(t, 1, 2)
	tl.reopen(t)
	tl.check(t)
	return dropped
}
