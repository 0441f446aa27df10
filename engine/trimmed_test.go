package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"nudge"
)

// trimmedRun is one way of taking a stream through an engine that warms from a log whose beginning is gone.
type trimmedRun struct {
	shards, batch int
	vanish        bool // every key that is vacant vanishes behind each batch
	restart       int  // before this record the engine is restored from a checkpoint; 0: never
	memory        int64
}

// fromTrimmed takes the stream through an engine for whose rules the log is read back from the record at kept on.
func (x *warming) fromTrimmed(t testing.TB, r trimmedRun, kept int) (out []nudge.Firing, vanished uint64) {
	t.Helper()
	e := x.engine(t, r.shards)
	e.warms = true
	e.Deploy(x.base)
	st := &memStore{rows: map[string][]byte{}, memory: r.memory}
	st.budget(e)
	for i := 0; i < len(x.records); {
		if i == r.restart && i > 0 {
			vanished += e.vanished()
			e = x.restart(t, e, st, 1+(r.shards+i)%5)
		}
		if i == x.first && i < x.deploy {
			e.deployed = offsetOf(i) - 1
			e.Deploy(x.between)
		}
		if i == x.deploy {
			e.deployed = offsetOf(i) - 1
			e.Deploy(x.next)
			st.checkpoint(e) // which says who was who
		}
		if i == x.live {
			out = append(out, x.tick(e)...)
			x.goLiveFrom(t, e, st, kept)
			e.finishTakeOver()
		}
		end := min(i+r.batch, len(x.records))
		for _, at := range []int{x.first, x.deploy, x.live, r.restart} {
			if at > i {
				end = min(end, at)
			}
		}
		out = append(out, x.apply(t, e, i, end)...)
		i = end
		if r.memory > 0 && i < x.deploy {
			st.checkpoint(e)
		}
		if r.vanish {
			e.vanishAmong(1 << 20)
		}
		e.sweep(end)
	}
	return append(out, e.Drain()...), vanished + e.vanished()
}

// goLiveFrom is goLive where the log begins with the record at kept.
func (x *warming) goLiveFrom(t testing.TB, e *Engine, st *memStore, kept int) {
	t.Helper()
	w := newWarmer(e, offsetOf(kept))
	if err := w.seed(st); err != nil {
		t.Fatal(err)
	}
	read := func(off nudge.Offset, at nudge.Millis, rec []byte) {
		if err := w.take(nudge.Entry{First: off, At: at, Count: 1, Records: rec}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for i, rec := range x.records[kept:x.live] {
		read(offsetOf(kept+i), rec.at, rec.rec)
	}
	read(x.liveOffset(), x.records[x.live-1].at, liveRecord{e.deployed, offsetOf(kept)}.record())
	e.goLive(w)
}

// TestSameAnswersFromATrimmedLog warms rules from a log that does not reach back to the beginning: what keys still knew of before counts too, and yet no answer depends
// on which of them have vanished, or on shards, batches and restarts.
func TestSameAnswersFromATrimmedLog(t *testing.T) {
	t.Parallel()
	streams, fired, gone := 0, 0, uint64(0)
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		x := newWarming(t, seed)
		if x == nil {
			continue
		}
		streams++
		r := rand.New(rand.NewPCG(seed, 19))
		kept := 1 + r.IntN(x.deploy)
		first, _ := x.fromTrimmed(t, trimmedRun{shards: 1, batch: 1}, kept)
		want := text(first)
		fired += strings.Count(want, "\n")
		for n := range 4 {
			v := trimmedRun{shards: 1 + r.IntN(4), batch: []int{1, 1, 7, 64}[n], vanish: n < 3, memory: int64(r.IntN(2))}
			if at := r.IntN(x.deploy); at != x.first { // later the checkpoint knows less of who was who
				v.restart = at
			}
			all, vanished := x.fromTrimmed(t, v, kept)
			gone += vanished
			if got := text(all); got != want {
				t.Fatalf("%+v differs from one shard, single records and keys that stay: %s\nbase:\n%v\nnext:\n%v\n%s", v, difference(got, want), x.base.Sources, x.next.Sources,
					fmt.Sprintf("deployed before %d and %d, live before %d, log from %d\nagain: go test ./engine -run %s -seed %d -seeds 1", x.first, x.deploy, x.live, kept, t.Name(), seed))
			}
		}
	}
	t.Logf("%d streams with warming rules, %d firings, %d keys vanished", streams, fired, gone)
	if fired < streams || gone < uint64(streams) {
		t.Fatal("the test proves nothing")
	}
}

// TestWaitIsNotOpenedByATrimmedLog: a start that was none, because one before it was waiting, opens no wait where the log holds only that one and the rule comes to keep
// more of it; whether the key has vanished meanwhile or not.
func TestWaitIsNotOpenedByATrimmedLog(t *testing.T) {
	for _, vanish := range []bool{false, true} {
		x := coldCase(t, `quiet: per: visitor, when: absent(form_view, "10s", after(page_view)), then: alert("quiet", {p: path})`,
			`quiet: per: visitor, when: absent(form_view, "10s", after(page_view)), then: alert("quiet", {p: path, u: url})`,
			"1000 page_view visitor=v path=/a\n6000 page_view visitor=v path=/b\n12000 click visitor=w\n13000 click visitor=w\n14000 click visitor=w", 3, 4)
		x.first = x.deploy
		fired := ""
		all, vanished := x.fromTrimmed(t, trimmedRun{shards: 1, batch: 1, vanish: vanish}, 1)
		for _, f := range all {
			fired += fmt.Sprintf("%s:%s@%d ", f.Rule, f.Key, f.At)
		}
		if fired != "quiet:v@11000 " || vanished > 0 != vanish {
			t.Errorf("%d keys vanished, fired %q", vanished, fired)
		}
	}
}
