package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// fill makes the log refuse for want of room until empty is called, and counts how often it was asked.
func (l *life) fill() (asked *int, empty func()) {
	asked = new(int)
	l.set("append", func() error { *asked++; return fmt.Errorf("write: %w", nudge.ErrFull) })
	return asked, func() { l.set("append", nil) }
}

// On a full disk whoever writes is told so at once, whatever it asks for; what was fired can be read; the log is tried a few times a second, not
// for every request. Once there is room the node goes on by itself, though nobody asks, and runs the timers that were due.
func TestFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {n: n})}`, "help", dwellRule)
		record := func(n int) []byte { return l.records(event("page_view", "v", fmt.Sprintf(`,"n":%d`, n))) }
		l.send(event("page_view", "v", `,"n":0`), event("form_view", "w", ""))
		next := l.dir.Log.Next()
		asked, empty := l.fill()
		for n := range 4000 { // 40 seconds: the dwell is due in between
			for _, decide := range []bool{false, true} {
				if _, err := l.node.Submit(context.Background(), record(-1-n), 1, decide); !errors.Is(err, nudge.ErrFull) {
					t.Fatalf("request %d: %v", n, err)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if _, err := l.node.Deploy(context.Background(), nil); !errors.Is(err, nudge.ErrFull) {
			t.Fatalf("deploy: %v", err)
		}
		if *asked < 100 || *asked > 170 {
			t.Errorf("in 40 seconds the log was asked %d times, want 4 a second", *asked)
		}
		if err := l.node.Ready(); !errors.Is(err, nudge.ErrFull) || l.node.stats.Full.Load() != 1 || l.node.stats.FullRefused.Load() != 8001 {
			t.Errorf("Ready: %v; Full %d, FullRefused %d", err, l.node.stats.Full.Load(), l.node.stats.FullRefused.Load())
		}
		if got := brief(l.walk(nudge.Cursor{}, 10)); got != "each:v" {
			t.Errorf("the feed holds %q", got)
		}
		empty()
		time.Sleep(probeEvery)
		synctest.Wait()
		if err := l.node.Ready(); err != nil || l.node.stats.Full.Load() != 0 {
			t.Fatalf("Ready: %v; Full %d", err, l.node.stats.Full.Load())
		}
		if got := brief(l.told()); got != "each:v help:w" {
			t.Errorf("fired %q", got)
		}
		if got := brief(l.send(event("page_view", "v", `,"n":1`))); got != "each:v" {
			t.Errorf("fired %q", got)
		}
		if got := l.dir.Log.Next(); got != next+2 { // a tick and an event
			t.Errorf("the log goes on at offset %d, want %d", got, next+2)
		}
		if got := l.node.queuedBytes.Load(); got != 0 {
			t.Errorf("%d bytes are counted as waiting", got)
		}
		same(t, "the log read back", l.told(), l.reference())
	})
}

// The node goes on by itself also where nothing is due and nobody asks.
func TestFullDiskWithoutTraffic(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		asked, empty := l.fill()
		if _, err := l.node.Submit(context.Background(), l.records(event("page_view", "v", "")), 1, false); !errors.Is(err, nudge.ErrFull) {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if *asked > 4*3600+2 {
			t.Errorf("in an hour the log was asked %d times", *asked)
		}
		empty()
		time.Sleep(time.Second)
		if err := l.node.Ready(); err != nil {
			t.Fatal(err)
		}
		if n := len(l.kinds(nudge.RecordTick)); n != 1 {
			t.Errorf("%d ticks, want the one that found room", n)
		}
	})
}

// A live record that finds no room is asked for again.
func TestFullDiskAtLiveRecord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{})
		defer l.end()
		page := event("page_view", "v", "")
		l.deploy("one", warmOne)
		l.send(page, page)
		release := l.hold("read")
		l.deploy("one", warmOne, "three", warmThree)
		_, empty := l.fill()
		release()
		time.Sleep(5 * time.Second)
		if got := l.states(); got != "+one -three" {
			t.Fatalf("states %q", got)
		}
		empty()
		time.Sleep(time.Second)
		l.warm()
		if got := brief(l.send(page)); got != "one:v three:v" {
			t.Errorf("fired %q", got)
		}
	})
}

// A checkpoint that the store gives up, because the disk is full and the process is to end, ends it in order; the next start reads the log.
func TestFullDiskAtTheEnd(t *testing.T) {
	for _, when := range []string{"before the end", "at the end"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fs := vfs.NewMem()
				l := begin(t, lifeOptions{fs: fs, checkpoint: map[string]int{"before the end": 3}[when]})
				l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {})}`)
				synctest.Wait()
				l.set("commit", func() error { return fmt.Errorf("store: %w", nudge.ErrFull) })
				page := event("page_view", "v", "")
				l.send(page, page, page, page)
				time.Sleep(time.Second)
				l.send(page)
				l.end()
				if n := l.node.stats.Checkpoints.Load(); n != 0 {
					t.Fatalf("%d checkpoints: the test does not test", n)
				}
				again := begin(t, lifeOptions{fs: fs})
				if got := len(again.walk(nudge.Cursor{}, 10)); got != 5 {
					t.Errorf("%d firings after the restart, want 5", got)
				}
				again.end()
			})
		})
	}
}

// Trim that finds no room for the shorter manifest is tried again with the next checkpoint, and ends nothing.
func TestFullDiskAtTrim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := begin(t, lifeOptions{checkpoint: 5})
		defer l.end()
		tried := 0
		l.set("trim", func() error { tried++; return fmt.Errorf("trim: %w", nudge.ErrFull) })
		for range 20 {
			l.send(event("page_view", "v", ""))
			time.Sleep(time.Second)
		}
		if tried < 2 {
			t.Errorf("trimmed %d times", tried)
		}
	})
}
