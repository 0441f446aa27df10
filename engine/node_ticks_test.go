package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

const dwellRule = `{per: visitor, when: dwell(form_view, "20s", until(page_leave)), then: popup("help", {})}`

// On an idle stream a dwell fires by a tick, at most 10 ms of log time after its due time, and the tick is a record of the log,
// so that reading it back fires the same. Then there is nothing due, and no tick any more.
func TestTickFiresOnAnIdleStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs})
		l.deploy("help", dwellRule)
		time.Sleep(1234 * time.Millisecond)
		start := nudge.Millis(time.Now().UnixMilli())
		l.send(event("form_view", "v1", ""))
		time.Sleep(20*time.Second - 1)
		synctest.Wait()
		if got := l.told(); len(got) > 0 || l.node.stats.Ticks.Load() > 0 {
			t.Fatalf("before the 20 s are over: %s, %d ticks", brief(got), l.node.stats.Ticks.Load())
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		got := l.told()
		if brief(got) != "help:v1" || got[0].At != start+20_000 || got[0].Cause != nudge.CauseTimer {
			t.Fatalf("%s", text(got))
		}
		ticks := l.kinds(nudge.RecordTick)
		if len(ticks) != 1 || ticks[0].at < start+20_000 || ticks[0].at > start+20_010 || got[0].Cursor.Offset != ticks[0].off {
			t.Fatalf("%d ticks: %v", len(ticks), ticks)
		}
		same(t, "the log read back", l.reference(), got)
		time.Sleep(time.Hour)
		if n := l.node.stats.Ticks.Load(); n != 1 {
			t.Fatalf("%d ticks, though nothing is due", n)
		}
		l.end()
		l = begin(t, lifeOptions{fs: fs, shards: 3})
		time.Sleep(time.Hour)
		same(t, "after a restart", l.walk(nudge.Cursor{}, 9), got)
		if n := l.node.stats.Ticks.Load(); n != 0 {
			t.Fatalf("%d ticks after a restart, though nothing is due", n)
		}
		l.end()
	})
}

// A timer that was due while no process ran fires at the next start, with its own instant.
func TestTimerDueWhileDown(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fs := vfs.NewCrashableMem()
				l := begin(t, lifeOptions{fs: fs})
				l.deploy("help", dwellRule)
				start := nudge.Millis(time.Now().UnixMilli())
				l.send(event("form_view", "v1", ""))
				crashed := fs.CrashClone(vfs.CrashCloneCfg{})
				l.end()
				if crash {
					fs = crashed
				}
				time.Sleep(time.Minute)
				l = begin(t, lifeOptions{fs: fs, shards: 5})
				synctest.Wait()
				if got := l.told(); brief(got) != "help:v1" || got[0].At != start+20_000 {
					t.Fatalf("%s", text(got))
				}
				if n := len(l.kinds(nudge.RecordTick)); n != 1 {
					t.Fatalf("%d ticks", n)
				}
				l.end()
			})
		})
	}
}

// Without timers there is no tick, however long nothing comes.
func TestNoTimersNoTicks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		l.deploy("each", `{per: visitor, when: count(page_view, "ever") >= 2, then: popup("p", {})}`)
		l.send(event("page_view", "v1", ""))
		time.Sleep(3 * time.Hour)
		l.send(event("page_view", "v1", ""))
		if n := len(l.logged()); n != 3 {
			t.Errorf("%d records, want a deployment and two events", n)
		}
	})
}

// An event that comes at the due time takes the tick's place.
func TestEventInsteadOfTick(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		l.deploy("help", dwellRule)
		l.send(event("form_view", "v1", ""))
		release := l.hold("sync")
		time.Sleep(19990 * time.Millisecond)
		first := l.later(false, l.records(event("click", "v2", "")), 1)
		time.Sleep(time.Second)
		next := l.later(false, l.records(event("click", "v2", "")), 1)
		synctest.Wait()
		release()
		synctest.Wait()
		if (<-first).err != nil || (<-next).err != nil || brief(l.told()) != "help:v1" {
			t.Fatalf("%s", brief(l.told()))
		}
		if n := len(l.kinds(nudge.RecordTick)); n != 0 {
			t.Errorf("%d ticks, though an event was stamped after the due time", n)
		}
	})
}

// With timers due all the time there is at most one tick each 5 ms, and none of them waits longer than 10 ms.
func TestTicksAreRare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		l.deploy("help", `{per: visitor, when: dwell(form_view, "1s", until(page_leave)), then: popup("help", {})}`)
		const timers = 300
		for i := range timers {
			l.send(event("form_view", fmt.Sprint("v", i), ""))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		var last nudge.Millis
		ticks := l.kinds(nudge.RecordTick)
		for _, r := range ticks {
			if r.at-last < 5 {
				t.Errorf("two ticks within %d ms", r.at-last)
			}
			last = r.at
		}
		at := map[nudge.Offset]nudge.Millis{}
		for _, r := range l.logged() {
			at[r.off] = r.at
		}
		fired := l.told()
		if len(fired) != timers {
			t.Fatalf("%d of %d timers fired", len(fired), timers)
		}
		for _, f := range fired {
			if lag := at[f.Cursor.Offset] - f.At; lag < 0 || lag > 10 {
				t.Errorf("%s fired %d ms after its due time", f.Key, lag)
			}
		}
		if len(ticks) < timers/10 || len(ticks) > timers/5+2 {
			t.Errorf("%d ticks for %d timers, one each ms", len(ticks), timers)
		}
	})
}

// I6: log time never decreases, also where the wall clock jumps, and across restarts, after which the wall clock may be anywhere;
// timers still run, at the clock's pace. Ts is never later than at.
func TestLogTimeNeverDecreases(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { jumpingClock(t, rand.New(rand.NewPCG(seed, 7))) })
		})
	}
}

func jumpingClock(t *testing.T, rng *rand.Rand) {
	fs := vfs.NewCrashableMem()
	began := time.Now()
	wall := &fakeWall{TB: t, wall: time.UnixMilli(1_764_000_000_000)}
	now := func() time.Time { // the virtual clock drives both
		d := time.Since(began)
		return reading(t, wall.wall.Add(d), d)
	}
	jump := func() { wall.wall = wall.wall.Add(time.Duration(rng.Int64N(int64(2*time.Hour))) - time.Hour) }
	o := lifeOptions{fs: fs, wall: now, checkpoint: 40, shards: 1}
	l := begin(t, o)
	l.deploy("help", `{per: visitor, when: dwell(form_view, "2s", until(page_leave)), then: popup("help", {ts: ts})}`)
	fires := 0
	for i := range 40 {
		synctest.Wait() // nobody reads the clock while it is turned
		if i%3 == 0 {
			jump()
		}
		if i%7 == 6 {
			crashed := fs.CrashClone(vfs.CrashCloneCfg{})
			l.end()
			if rng.IntN(2) == 0 {
				fs = crashed
			}
			jump()
			o.fs, o.shards = fs, 1+rng.IntN(4)
			l = begin(t, o)
		}
		before := l.logged()
		at := before[len(before)-1].at
		began := time.Now()
		l.send(event("form_view", fmt.Sprint("v", i), fmt.Sprintf(`,"ts":%d`, now().Add(24*time.Hour).UnixMilli()))) // from the future: cut to at
		fires++
		time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Second))))
		l.send(event("click", "v", ""))
		after := l.logged()
		passed, logTime := time.Since(began).Milliseconds(), int64(after[len(after)-1].at-at)
		if i%7 != 6 && i > 0 && logTime > passed+passed/10+int64(2*len(after)) {
			t.Fatalf("%d ms passed, log time went by %d ms", passed, logTime)
		}
	}
	time.Sleep(3 * time.Second)
	last := nudge.Millis(0)
	for _, r := range l.logged() {
		if r.at < last {
			t.Fatalf("log time goes back from %d to %d at offset %d", last, r.at, r.off)
		}
		last = r.at
	}
	got := l.walk(nudge.Cursor{}, 100)
	if len(got) != fires {
		t.Errorf("%d of %d timers fired: %s", len(got), fires, brief(got))
	}
	same(t, "the log read back", got, l.reference())
	for _, f := range got {
		if want := fmt.Sprintf(`{"ts":%d}`, f.At-2000); string(f.Actions[0].Data) != want {
			t.Errorf("%s began to wait with %s, want %s: ts is never later than at", f.Key, f.Actions[0].Data, want)
		}
	}
	l.end()
}
