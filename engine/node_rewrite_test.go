package engine

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge/state"
)

// Segments are sealed and rewritten over and over while a rule reads the log back beside the traffic, and while the next process recovers: all answers are
// those of a log that nobody touched.
func TestWarmingBesideRewriting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		l := begin(t, lifeOptions{fs: fs, segmentBytes: 4 << 10, checkpoint: 100})
		defer l.end()
		l.deploy("one", warmOne)
		for i := range 300 {
			l.send(event("page_view", fmt.Sprint("v", i%40), ""))
		}
		stop := l.rewriteOn(t)
		l.deploy("one", warmOne, "three", warmThree)
		for i := range 100 {
			l.send(event("page_view", fmt.Sprint("w", i%40), ""))
		}
		l.warm()
		l.send(event("page_view", "v1", ""), event("page_view", "x", ""), event("page_view", "x", ""), event("page_view", "x", ""))
		if n := stop(); n < 3 {
			t.Fatalf("%d segments were rewritten: the test does not test", n)
		}
		same(t, "the log read back", l.told(), l.reference())

		// What a machine that stops now has on its disk: behind the checkpoint all comes out again.
		again := begin(t, lifeOptions{fs: fs.CrashClone(vfs.CrashCloneCfg{})})
		defer again.end()
		want, got := l.told(), again.told()
		if len(got) == 0 || len(got) > len(want) {
			t.Fatalf("%d firings come out again, %d were told", len(got), len(want))
		}
		same(t, "the log read again", got, want[len(want)-len(got):])
	})
}

// rewriteOn rewrites the log over and over until stop is called, which says how many segments were written anew.
func (l *life) rewriteOn(t *testing.T) (stop func() int) {
	done, segments := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			r, err := l.dir.Log.Rewrite(t.Context(), state.RewriteOptions{Hurry: true, Through: l.dir.Log.Next() - 1})
			if segments += r.Segments; err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	return func() int {
		close(done)
		wg.Wait()
		return segments
	}
}
