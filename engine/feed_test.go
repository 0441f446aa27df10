package engine

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

const eachRule = `{per: visitor, when: on(page_view), then: [popup("p", {n: n, title: title}), alert("a", {})]}`

// feedLife has a rule that fires on every page.
func feedLife(t testing.TB, o lifeOptions) *life {
	l := begin(t, o)
	if len(l.node.Plan().Rules) == 0 {
		l.deploy("each", eachRule)
	}
	return l
}

func page(n int) string {
	return event("page_view", fmt.Sprint("v", n%3), fmt.Sprintf(`,"n":%d,"title":"<b>Bücher & \"Co\" \u2028</b>"`, n))
}

// wantWalks reads the feed from every cursor, in parts of several sizes, and wants exactly the rest each time.
func wantWalks(l *life, want []nudge.Firing) {
	l.Helper()
	for _, limit := range []int{1, 2, 7, len(want) + 1} {
		same(l, fmt.Sprintf("the whole feed, %d at a time", limit), l.walk(nudge.Cursor{}, limit), want)
	}
	for i := range want {
		after := want[i].Cursor
		same(l, fmt.Sprintf("behind %v", after), l.walk(after, 5), want[i+1:])
		// A cursor at which nothing stands is a place all the same.
		same(l, fmt.Sprintf("behind %v and a bit", after), l.walk(nudge.Cursor{Offset: after.Offset, N: ^uint32(0)}, 5), behind(want, after.Offset))
		same(l, fmt.Sprintf("from offset %d on", after.Offset), l.walk(nudge.Cursor{Offset: after.Offset - 1, N: ^uint32(0)}, 5), behind(want, after.Offset-1))
	}
	if got, want := l.node.Last(), want[len(want)-1].Cursor; got != want {
		l.Errorf("the newest cursor is %v, want %v", got, want)
	}
}

func behind(firings []nudge.Firing, off nudge.Offset) []nudge.Firing {
	for i := range firings {
		if firings[i].Cursor.Offset > off {
			return firings[i:]
		}
	}
	return nil
}

// The feed is the same whether its firings lie in memory, in the store, or on both sides of a checkpoint that is being committed.
func TestFeedAcrossACheckpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := feedLife(t, lifeOptions{fs: fs, checkpoint: 12})
		if l.node.Last() != (nudge.Cursor{}) || len(l.walk(nudge.Cursor{}, 9)) != 0 {
			t.Fatal("an empty feed has a newest firing")
		}
		sent := 0
		send := func(n int) {
			for range n {
				l.send(page(sent), page(sent+1))
				sent += 2
			}
			time.Sleep(time.Second) // a checkpoint that is due is begun
		}
		send(3)
		wantWalks(l, l.told())
		if l.node.stats.Checkpoints.Load() != 0 {
			t.Fatal("a checkpoint already")
		}
		release := l.hold("commit")
		send(6)
		if l.node.stats.Checkpoints.Load() != 0 {
			t.Fatal("the commit was not held up")
		}
		wantWalks(l, l.told())
		send(2) // fire while the checkpoint is being committed
		wantWalks(l, l.told())
		release()
		time.Sleep(time.Second)
		if l.node.stats.Checkpoints.Load() != 1 {
			t.Fatalf("%d checkpoints", l.node.stats.Checkpoints.Load())
		}
		wantWalks(l, l.told())
		next := nudge.Offset(l.node.stats.CheckpointNext.Load())
		if got, want := len(slices.Collect(l.node.feed.tail.all())), len(behind(l.told(), next-1)); got != want || got == 0 || got == sent {
			t.Errorf("%d of %d firings are in memory, want %d", got, sent, want)
		}
		send(1)
		wantWalks(l, l.told())
		want := l.told()
		if len(want) != sent {
			t.Fatalf("%d firings of %d events", len(want), sent)
		}
		same(t, "the log read back", want, l.reference())
		l.end()

		l = feedLife(t, lifeOptions{fs: fs, checkpoint: 12})
		wantWalks(l, want)
		l.send(page(sent))
		wantWalks(l, append(want, l.told()...))
		l.end()
	})
}

// A walk that is under way when a checkpoint comes in between misses nothing and sees nothing twice.
func TestFeedDuringACommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := feedLife(t, lifeOptions{checkpoint: 10})
		defer l.end()
		for n := range 13 {
			l.send(page(n))
			time.Sleep(time.Second)
		}
		before, checkpoints := len(l.told()), l.node.stats.Checkpoints.Load()
		if checkpoints == 0 || len(slices.Collect(l.node.feed.tail.all())) == 0 {
			t.Fatal("not on both sides")
		}
		gate, open := l.gate()
		l.set("scan", func() error { <-gate; return nil })
		var wg sync.WaitGroup
		walks := make([][]nudge.Firing, 4)
		for i := range walks {
			wg.Go(func() { walks[i], _ = l.node.Firings(nudge.Cursor{Offset: nudge.Offset(i)}, 100) })
		}
		synctest.Wait()
		for n := range 15 {
			l.send(page(13 + n))
		}
		time.Sleep(time.Second)
		if l.node.stats.Checkpoints.Load() == checkpoints {
			t.Fatal("no checkpoint came in between")
		}
		open()
		wg.Wait()
		all := l.told()
		for i, got := range walks {
			want := behind(all, nudge.Offset(i))
			if missing := len(all) - len(want); len(got) < before-missing || len(got) > len(want) {
				t.Fatalf("walk %d has %d firings", i, len(got))
			}
			same(t, fmt.Sprint("walk ", i), got, want[:len(got)])
		}
	})
}

// Readers beside the node: each walk sees the same firings in the same order, none twice, none missing.
func TestFeedReadersBeside(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := feedLife(t, lifeOptions{checkpoint: 20, segmentBytes: 4 << 10})
		const events = 300
		var wg sync.WaitGroup
		sent := make(chan struct{})
		for reader := range 3 {
			wg.Go(func() {
				var seen []nudge.Firing
				var after nudge.Cursor
				for over := false; ; {
					part, err := l.node.Firings(after, 1+reader*10)
					if err != nil {
						t.Errorf("Firings: %v", err)
						return
					}
					for _, f := range part {
						if !after.Less(f.Cursor) {
							t.Errorf("%v comes after %v", f.Cursor, after)
							return
						}
						after = f.Cursor
					}
					seen = append(seen, part...)
					if last := l.node.Last(); last.Less(after) {
						t.Errorf("the newest is %v, but %v was read", last, after)
					}
					if len(part) > 0 {
						continue
					}
					if over {
						break
					}
					select {
					case <-sent:
						over = true // one more look
					case <-time.After(time.Millisecond):
					}
				}
				if len(seen) != events {
					t.Errorf("reader %d saw %d firings of %d", reader, len(seen), events)
				}
				if got, want := text(seen), text(l.walk(nudge.Cursor{}, 100)); got != want {
					t.Errorf("reader %d: %s", reader, difference(got, want))
				}
			})
		}
		for n := range events {
			l.send(page(n))
			if n%10 == 0 {
				time.Sleep(150 * time.Millisecond) // lets checkpoints end
			}
		}
		close(sent)
		wg.Wait()
		if n := l.node.stats.Checkpoints.Load(); n < 5 {
			t.Errorf("only %d checkpoints", n)
		}
		l.end()
	})
}

// Recall tells the deliverers of a new process what was fired within that time before the checkpoint's end, in order, and which
// popups were seen; what the log holds behind the checkpoint follows, once.
func TestRecall(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash=%v", crash), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				fs := vfs.NewCrashableMem()
				l := feedLife(t, lifeOptions{fs: fs})
				for n := range 10 {
					l.send(page(n))
					time.Sleep(time.Second)
				}
				l.send(event("popup_shown", "v1", `,"popup":"p-1","id":"e1"`), event("popup_clicked", "v1", `,"popup":"p-2"`))
				l.send(event("popup_shown", "v1", `,"popup":"p-1","id":"e1"`), event("popup_shown", "v1", `,"popup":7`)) // sent again; not a text
				l.send(event("popup_shown", "v1", `,"popup":"`+strings.Repeat("p", maxPopupIDBytes+1)+`"`))              // no popup's
				all := l.told()
				l.end() // the checkpoint ends at the last receipt

				l = feedLife(t, lifeOptions{fs: fs, recall: 5 * 1000})
				same(t, "recalled", l.told(), all[5:])
				if got := fmt.Sprint(l.receipts); got != "[p-1 p-2]" {
					t.Errorf("receipts %s", got)
				}
				l.send(page(10))
				l.send(event("popup_dismissed", "v1", `,"popup":"p-3"`))
				all = append(all, l.told()[5:]...)
				crashed := fs.CrashClone(vfs.CrashCloneCfg{})
				l.end()
				if crash {
					fs = crashed
				}

				l = feedLife(t, lifeOptions{fs: fs, recall: 5 * 1000, shards: 7})
				same(t, "recalled again", l.told(), all[5:])
				if got := fmt.Sprint(l.receipts); got != "[p-1 p-2 p-3]" {
					t.Errorf("receipts %s", got)
				}
				l.end()

				l = feedLife(t, lifeOptions{fs: fs}) // nobody wants to know
				if got := l.told(); !crash && len(got) > 0 {
					t.Errorf("recalled %s", brief(got))
				}
				l.end()
			})
		})
	}
}

// Where the log's oldest part goes its firings go, and the feed says from where on it is whole, before and after a restart.
func TestFeedSaysWhatItHas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := lifeOptions{fs: vfs.NewMem(), segmentBytes: 4 << 10, logMax: 16 << 10, checkpoint: 20}
		l := feedLife(t, o)
		var all []nudge.Firing
		wantWhole := func() (begins nudge.Offset) {
			t.Helper()
			walked := l.walk(nudge.Cursor{}, 100)
			begins, ends := l.node.Span() // only now: what went while walking had gone before it was said
			same(l, fmt.Sprint("from offset ", begins, " on"), behind(walked, begins-1), behind(all, begins-1))
			if next := l.dir.Log.Next(); ends != next {
				t.Errorf("the feed ends at %d, the log at %d", ends, next)
			}
			return begins
		}
		if got := wantWhole(); got > 1 {
			t.Errorf("a new feed begins at %d", got)
		}
		for n, begins := 0, nudge.Offset(0); begins < 200; n++ {
			all = append(all, l.send(page(n))...)
			if n%20 == 0 {
				l.send(event("nothing", "v1", ""))
				time.Sleep(time.Second) // a checkpoint that is due is written
				begins = wantWhole()
			}
			if n == 10_000 {
				t.Fatal("the log is never trimmed")
			}
		}
		if walked := l.walk(nudge.Cursor{}, 100); len(walked) == len(all) {
			t.Error("nothing has gone")
		}
		l.end()
		l = begin(t, o)
		if got := wantWhole(); got < 200 {
			t.Errorf("after a restart it begins at %d", got)
		}
		l.end()
	})
}

// Deliverers are told of firings and of popups that were seen in the order of the log, live and after a restart: of a visitor's popups only so
// many are kept, and one that was seen must not crowd out one that was not.
func TestToldInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		l := feedLife(t, lifeOptions{fs: fs, recall: 60 * 1000}) // offset 1 is the deployment
		l.send(page(0))
		l.send(event("popup_shown", "v0", `,"popup":"p-0"`))
		l.send(page(1), event("popup_shown", "v1", `,"popup":"p-1"`), page(2), page(3), event("popup_shown", "v2", `,"popup":"p-2"`))
		const want = "[2 p-0 4 p-1 6 7 p-2]"
		if got := fmt.Sprint(l.order); got != want {
			t.Errorf("told of %s, want %s", got, want)
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{})
		l.end()
		for name, fs := range map[string]*vfs.MemFS{"from the checkpoint": fs, "from the log": crashed} {
			l := feedLife(t, lifeOptions{fs: fs, recall: 60 * 1000})
			if got := fmt.Sprint(l.order); got != want {
				t.Errorf("told %s of %s, want %s", name, got, want)
			}
			l.end()
		}
	})
}
