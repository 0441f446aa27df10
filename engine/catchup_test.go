package engine

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// TestCatchUp leaves ten thousand timers to a node that starts a day later: they fire at their own instants, by several ticks of which none runs many more than it
// may, before any request is taken; and the log read back fires the same.
func TestCatchUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const requests, events = 20, 500
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs})
		l.deploy("help", dwellRule)
		start := nudge.Millis(time.Now().UnixMilli())
		for r := range requests {
			var lines []string
			for i := range events {
				lines = append(lines, event("form_view", fmt.Sprintf("v%d-%d", r, i), ""))
			}
			l.send(lines...)
			time.Sleep(10 * time.Millisecond)
		}
		l.end()
		time.Sleep(24 * time.Hour)

		l = begin(t, lifeOptions{fs: fs, shards: 3})
		defer l.end()
		if fired := l.send(event("form_view", "late", "")); len(fired) != 0 {
			t.Errorf("the first event fires %s", brief(fired))
		}
		synctest.Wait()
		all, byTick := l.told(), map[nudge.Offset]int{}
		for i := range all {
			if at := all[i].At; at < start+20_000 || at > start+20_000+requests*20 {
				t.Fatalf("%s fires at %d, %d ms behind the first event", all[i].Key, at, at-start)
			}
			byTick[all[i].Cursor.Offset]++
		}
		if len(all) != requests*events {
			t.Fatalf("%d firings, want %d", len(all), requests*events)
		}
		ticks := l.kinds(nudge.RecordTick)
		if len(ticks) < len(all)/catchUpTimers || len(ticks) > 20 || len(ticks) != len(byTick) {
			t.Errorf("%d ticks, %d of which fire", len(ticks), len(byTick))
		}
		for off, n := range byTick {
			if n > catchUpTimers+events {
				t.Errorf("the tick at offset %d fires %d times", off, n)
			}
		}
		same(t, "the log read back", l.reference(), all)
	})
}

// TestCatchingUpIsNotReady: while timers of long ago are worked off, the node says so, and that it is done.
func TestCatchingUpIsNotReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs})
		l.deploy("help", dwellRule)
		l.send(event("form_view", "v", ""))
		l.end()
		time.Sleep(24 * time.Hour)

		l, err := tryLife(t, lifeOptions{fs: fs})
		if err != nil {
			t.Fatal(err)
		}
		release := l.hold("sync")
		l.run()
		defer l.end()
		synctest.Wait()
		if err := l.node.Ready(); err == nil || !strings.Contains(err.Error(), "23h59m40s are left") {
			t.Errorf("not ready: %v", err)
		}
		release()
		synctest.Wait()
		if err := l.node.Ready(); err != nil {
			t.Errorf("behind it: %v", err)
		}
	})
}

// TestCatchesUpFromTheEdge: a timer that is a minute behind is worked off, also where a moment ago, when nobody had to slice anything yet, it was not.
func TestCatchesUpFromTheEdge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs})
		l.deploy("help", dwellRule)
		l.send(event("form_view", "v", ""))
		l.end()
		time.Sleep(20*time.Second + time.Duration(catchUpBehind)*time.Millisecond)

		l, err := tryLife(t, lifeOptions{fs: fs})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		l.run()
		synctest.Wait()
		if err := l.node.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		if told := brief(l.told()); told != "help:v" {
			t.Errorf("fired %q", told)
		}
		l.end()
	})
}
