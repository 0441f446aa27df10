package sim

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is what one process has its files on. It counts the operations that change files, and before one of them it may pull the plug: what a
// crash there leaves is kept as an image, and whatever the process does afterwards nobody sees. It may also fail an operation, or be slow.
type disk struct {
	mem  *vfs.MemFS
	seed uint64

	mu       sync.Mutex
	ops      int // that changed files
	crashAt  int // the operation before which the plug is pulled; 0: none
	failAt   int // the first operation that fails, if it is one that may; 0: none
	slow     int // one sync in so many takes long; 0: none
	dirty    map[string]bool
	replaced map[string]bool // paths that stand for another file than when their folder was synced last
	syncs    map[string]uint64

	image   *vfs.MemFS    // what the crash left; nil: none yet
	crashed chan struct{} // closed by it
	failed  *errorfs.Op   // the operation that failed; nil: none
}

var errInjected = errors.New("injected: the disk fails")

func newDisk(mem *vfs.MemFS, seed uint64) *disk {
	return &disk{
		mem: mem, seed: seed, dirty: map[string]bool{}, replaced: map[string]bool{}, syncs: map[string]uint64{}, crashed: make(chan struct{}),
	}
}

// fs is the file system that the process is given.
func (d *disk) fs() vfs.FS { return renames{errorfs.Wrap(d.mem, errorfs.InjectorFunc(d.operation)), d} }

// renames tells the disk where files go: errorfs knows only where they were.
type renames struct {
	vfs.FS
	d *disk
}

func (r renames) Rename(from, to string) error {
	if err := r.FS.Rename(from, to); err != nil {
		return err
	}
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	r.d.replaced[to] = true
	r.d.dirty[to] = r.d.dirty[from]
	delete(r.d.dirty, from)
	return nil
}

func (r renames) Unwrap() vfs.FS { return r.FS }

// operation comes before each operation on a file or folder.
func (d *disk) operation(op errorfs.Op) error {
	if !changes(op.Kind) {
		return nil
	}
	wait, err := d.before(op)
	if err != nil {
		return err
	}
	if wait > 0 {
		time.Sleep(wait)
	}
	d.note(op)
	return nil
}

// changes says whether an operation changes what is on the disk.
func changes(k errorfs.OpKind) bool {
	switch k {
	case errorfs.OpFileClose, errorfs.OpFilePreallocate, errorfs.OpFileFlush, errorfs.OpFileSyncTo, errorfs.OpLock:
		return false
	}
	return k.ReadOrWrite() == errorfs.OpIsWrite
}

func (d *disk) before(op errorfs.Op) (wait time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image != nil {
		return 0, nil
	}
	d.ops++
	if d.ops == d.crashAt {
		d.crashLocked()
		return 0, nil
	}
	if d.failAt > 0 && d.ops >= d.failAt && d.failed == nil && mayFail(op) {
		d.failed = &op
		return 0, errInjected
	}
	if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
		return d.slowness(op.Path), nil
	}
	return 0, nil
}

// note keeps in mind what an operation that is about to be done leaves unsynced.
func (d *disk) note(op errorfs.Op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpFileWriteAt:
		d.dirty[op.Path] = true
	case errorfs.OpCreate:
		d.replaced[op.Path] = true
		delete(d.dirty, op.Path)
	case errorfs.OpFileSync, errorfs.OpFileSyncData:
		delete(d.dirty, op.Path)
		for path := range d.replaced {
			if d.mem.PathDir(path) == op.Path {
				delete(d.replaced, path)
			}
		}
	}
}

// mayFail leaves out what Pebble answers with the end of the process, which this one is: its manifest and what stands beside it.
func mayFail(op errorfs.Op) bool {
	return strings.HasSuffix(op.Path, ".seg") || strings.HasSuffix(op.Path, ".sst") || strings.HasSuffix(op.Path, "spare.tmp") ||
		strings.HasSuffix(op.Path, "log/manifest.tmp")
}

// fatal says whether a failed operation ends the process (I9).
func fatal(op *errorfs.Op) bool {
	return op != nil && strings.HasSuffix(op.Path, ".seg") && op.Kind != errorfs.OpRemove
}

// slowness is how long a sync takes. It follows from the file and how often that was synced, so that it does not matter which goroutine
// came first. Nothing that is done under a lock is slow: a goroutine that waits for a lock would hold virtual time.
func (d *disk) slowness(path string) time.Duration {
	if d.slow == 0 || !strings.HasSuffix(path, ".seg") && !strings.HasSuffix(path, ".sst") {
		return 0
	}
	d.syncs[path]++
	h := fnv.New64a()
	fmt.Fprint(h, path, d.syncs[path], d.seed)
	n := h.Sum64()
	if n%uint64(d.slow) != 0 {
		return 0
	}
	n /= uint64(d.slow)
	if n%16 == 0 {
		return time.Duration(n%2000) * time.Millisecond
	}
	return time.Duration(n%20000) * time.Microsecond
}

// pull pulls the plug.
func (d *disk) pull() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashLocked()
}

func (d *disk) crashLocked() {
	if d.image == nil {
		d.image = d.leave(rand.New(rand.NewPCG(d.seed, 1)))
		close(d.crashed)
	}
}

// seen runs f unless the plug was pulled: what comes after a crash was never seen by anybody.
func (d *disk) seen(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.image != nil {
		return false
	}
	f()
	return true
}

// over says whether the plug was pulled.
func (d *disk) over() bool { return !d.seen(func() {}) }

// failure is the operation that failed, nil if none did.
func (d *disk) failure() *errorfs.Op {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}
