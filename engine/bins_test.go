package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
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
	t.Parallel()
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

// TestBinsAreRead wants a bin to be read when one of its keys is looked for and no other; steps to read the rest; and nothing to be left over then.
func TestBinsAreRead(t *testing.T) {
	const visitors = 5000
	_, st := manyKeys(t, visitors, 0)
	e := countsViews(t, st)
	if err := e.restore(st); err != nil {
		t.Fatal(err)
	}
	left, of := e.binsLeft()
	if keys, _ := e.Memory(); keys != 0 || left != of || of == 0 {
		t.Fatalf("%d keys are in memory, %d of %d bins in the store alone", keys, left, of)
	}
	if n := len(sight(t, e, 100)); n != 100 {
		t.Fatalf("%d of 100 visitors are known to have been seen before", n)
	}
	keys, _ := e.Memory()
	if now, _ := e.binsLeft(); keys < 100 || keys > 150 || now > left-190 || now < left-300 {
		t.Errorf("for 100 visitors %d keys were read, %d bins of keys and identities", keys, left-now)
	}
	for e.readOn(50) {
		now, _ := e.Memory()
		if now > keys+2*50+2*10 {
			t.Fatalf("a step of 50 rows of each of 2 shards has read %d", now-keys)
		}
		keys = now
	}
	if keys, _ := e.Memory(); keys != visitors {
		t.Errorf("%d keys of %d are in memory", keys, visitors)
	}
	for _, s := range e.shards {
		if s.visitorsUnread != nil || s.usersUnread != nil || s.dues != nil || s.tables[0].unread != nil || e.unread != nil {
			t.Error("all has been read, and is still waited for")
		}
	}
	if n := len(sight(t, e, visitors)); n != visitors-100 {
		t.Errorf("%d of %d visitors fire now", n, visitors-100)
	}
}

// TestDueBinsAreRead wants those bins to be read whose timers are due, before they are, and no others.
func TestDueBinsAreRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs})
		l.deploy("help", dwellRule)
		for i := range 50 {
			l.send(event("form_view", fmt.Sprint("v", i), ""))
			time.Sleep(100 * time.Millisecond)
		}
		l.end()
		l, err := tryLife(t, lifeOptions{fs: fs, shards: 3, read: -1})
		if err != nil {
			t.Fatal(err)
		}
		l.run()
		defer l.end()
		for fired := range 50 {
			keys, _ := l.node.engine.Memory()
			if told := len(l.told()); keys > fired+3 || told > fired {
				t.Fatalf("when %d timers are due, %d keys are in memory and %d have fired", fired, keys, told)
			}
			if fired == 0 {
				time.Sleep(15*time.Second + 10*time.Millisecond)
			} else {
				time.Sleep(100 * time.Millisecond)
			}
			synctest.Wait()
		}
		if n := len(l.told()); n != 50 || l.node.Stats().Ticks.Load() != 50 {
			t.Errorf("%d of 50 have fired by %d ticks", n, l.node.Stats().Ticks.Load())
		}
	})
}

// TestUnreadRowsMayBeDamaged lets what is still to be read be unreadable, for an event and for the steps, and wants the node to end with what it was about.
func TestUnreadRowsMayBeDamaged(t *testing.T) {
	for _, sends := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			fs := vfs.NewMem()
			l := begin(t, lifeOptions{fs: fs})
			l.deploy("help", dwellRule)
			l.send(event("form_view", "v", ""))
			l.end()
			read := 1
			if sends {
				read = -1
			}
			l, err := tryLife(t, lifeOptions{fs: fs, read: read})
			if err != nil {
				t.Fatal(err)
			}
			l.set("scan", func() error { return errors.New("bad sector") })
			l.run()
			if sends {
				if _, err := l.node.Submit(context.Background(), l.records(event("form_view", "v", "")), 1, true); !errors.Is(err, nudge.ErrStopped) {
					t.Errorf("Submit: %v", err)
				}
			}
			err = <-l.done
			if err == nil || strings.Contains(err.Error(), "BUG") || !strings.Contains(err.Error(), "bad sector") || !strings.Contains(err.Error(), "read the rows per ") {
				t.Errorf("Run: %v", err)
			}
			l.closeDir()
		})
	}
}

// TestFormats: a store of this build's format and one of the format before are read, any other is refused.
func TestFormats(t *testing.T) {
	_, st := manyKeys(t, 10, 0)
	for format, reads := range map[int]bool{oldestFormat - 1: false, oldestFormat: true, checkpointFormat: true, checkpointFormat + 1: false} {
		var m meta
		if err := json.Unmarshal(st.rows[string([]byte{tableMeta})], &m); err != nil {
			t.Fatal(err)
		}
		m.Format = format
		st.rows[string([]byte{tableMeta})] = mustJSON(m)
		err := countsViews(t, st).restore(st)
		if reads != (err == nil) || err != nil && !strings.Contains(err.Error(), fmt.Sprintf("format %d, this build reads 5 and 6", format)) {
			t.Errorf("format %d: %v", format, err)
		}
	}
}
