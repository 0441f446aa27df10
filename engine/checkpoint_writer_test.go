package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Processes that are killed before their first checkpoint is due, again and again, do not read more and more of the log: it is due by the time
// since the last one, whoever took that.
func TestCheckpointsThoughKilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		for i := range 10 {
			l := begin(t, lifeOptions{fs: fs})
			if read := l.node.stats.LogNext.Load() - l.node.stats.CheckpointNext.Load(); i > 0 && read > 5 {
				t.Fatalf("process %d reads %d records, want those of the last two processes at most", i, read)
			}
			time.Sleep(20 * time.Second)
			l.send(event("page_view", "v", ""))
			time.Sleep(20 * time.Second)
			l.send(event("page_view", "v", ""))
			synctest.Wait()
			fs = fs.CrashClone(vfs.CrashCloneCfg{})
			l.end()
		}
	})
}
