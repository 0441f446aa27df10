package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestDedupForgetsAcrossRestarts: what a window has forgotten is not remembered again by a process that restores a checkpoint with a wider one (I2).
func TestDedupForgetsAcrossRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		same := event("page_view", "v", `,"id":"same"`)
		l := begin(t, lifeOptions{fs: fs, dedup: 3, checkpoint: 1})
		l.deploy("each", everyView)
		l.send(same, event("page_view", "v", `,"id":"other"`))
		time.Sleep(time.Second)             // a checkpoint holds both ids, in one row
		l.send(event("page_view", "v", "")) // and this pushes one of them out
		l.end()
		l = begin(t, lifeOptions{fs: fs, dedup: 100, checkpoint: 1})
		l.deploy("each", everyView) // the wider window counts from here on
		time.Sleep(time.Second)
		synctest.Wait()
		l.end()
		l = begin(t, lifeOptions{fs: fs, dedup: 100})
		defer l.end()
		if got := brief(l.send(same)); got != "each:v" {
			t.Errorf("an id that was forgotten before the window grew is a duplicate after a restart: fired %q", got)
		}
		if l.node.stats.DedupIDs.Load() != 2 { // the other one, and this one again
			t.Errorf("DedupIDs is %d", l.node.stats.DedupIDs.Load())
		}
	})
}
