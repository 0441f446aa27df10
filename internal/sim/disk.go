package sim

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"time"
)

// disk is what one process has its files on. It counts the operations that change files, and before one of them it may pull the plug: what a
// crash there leaves is kept, and whatever the process does afterwards nobody sees. It may also fail an operation, or be slow.
type disk struct {
	seed uint64

	mu       sync.Mutex
	medium   *medium
	ops      int         // that changed files
	trace    hash.Hash64 // of them
	crashAt  int         // the operation before which the plug is pulled; 0: none
	killAt   int         // the sync of the log's folder before which the process is killed, and the machine goes on; 0: none
	tearAt   int         // the sync of one of its segments before which the plug is pulled; 0: none
	mixAt    int         // the sync of a folder before which the plug is pulled, of those that have several changes to write; 0: none
	failAt   int         // the first operation that may fail from here on fails; 0: none
	reads    int         // of files
	failRead int         // the read that fails; 0: none
	full     bool        // nothing can be made or grow
	slow     int         // one sync in so many takes long; 0: none
	lazy     bool        // the tables of the store are synced for seconds
	erases   bool        // the store is compacted as a whole: it never ends where one of its tables fails, nor do its goroutines
	syncs    map[string]uint64

	left    *medium       // by the crash; nil: there was none yet
	crashed chan struct{} // closed by it
	failed  *operation    // that did
}

// operation is what a process asks of a disk: a read, or what changes something.
type operation struct {
	kind  opKind
	path  string
	grows bool // it needs room
}

type opKind string

const (
	opCreate opKind = "create"
	opLink   opKind = "link"
	opRemove opKind = "remove"
	opRename opKind = "rename"
	opFolder opKind = "make folder"
	opWrite  opKind = "write"
	opSync   opKind = "sync"
	opRead   opKind = "read"
)

func (o *operation) String() string { return fmt.Sprint(o.kind, " ", o.path) }

var errInjected = errors.New("injected: the disk fails")

func newDisk(m *medium, seed uint64) *disk {
	return &disk{medium: m, seed: seed, trace: fnv.New64a(), syncs: map[string]uint64{}, crashed: make(chan struct{})}
}

// ask comes before each operation but a write, which fails if it returns an error.
func (d *disk) ask(kind opKind, path string) error {
	wait, err := d.answer(operation{kind, path, kind == opCreate || kind == opFolder || kind == opLink})
	if wait > 0 {
		time.Sleep(wait)
	}
	return err
}

// askWrite is ask for n bytes. It returns how many of them find room.
func (d *disk) askWrite(path string, n int, grows bool) (int, error) {
	_, err := d.answer(operation{opWrite, path, grows})
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return n / 2, err
	case err != nil:
		return 0, err
	}
	return n, nil
}

func (d *disk) answer(op operation) (wait time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left != nil {
		return 0, nil
	}
	d.ops++
	fmt.Fprintln(d.trace, op.kind, op.path, time.Now().UnixNano())
	switch {
	case d.ops == d.crashAt:
		d.pullLocked()
	case op.kind == opSync && op.path == dataDir+"/log" && isLast(&d.killAt):
		d.leaveLocked(d.medium.clone())
	case op.kind == opSync && isSegment(op.path) && isLast(&d.tearAt):
		d.pullLocked()
	case op.kind == opSync && d.medium.unsynced(op.path) > 1 && isLast(&d.mixAt):
		d.leaveLocked(d.medium.mix(d.rng()))
	case d.failAt > 0 && d.ops >= d.failAt && d.failed == nil && d.mayFail(op.path):
		d.failed = &op
		return 0, errInjected
	case d.full && op.grows:
		return 0, syscall.ENOSPC
	case op.kind == opSync:
		return d.slowness(op.path), nil
	}
	return 0, nil
}

// askRead comes before each read of a file, which fails if it returns an error.
func (d *disk) askRead(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reads++; d.failRead == 0 || d.reads < d.failRead || d.failed != nil || d.left != nil || d.erases && isTable(path) {
		return nil
	}
	d.failed = &operation{kind: opRead, path: path}
	return errInjected
}

// mayFail leaves out what Pebble answers with the end of the process, which this one is: its manifest and what stands beside it.
func (d *disk) mayFail(path string) bool {
	return strings.HasPrefix(path, dataDir+"/log/") || isTable(path) && !d.erases
}

// isLast counts n down, and says whether it has come to 0.
func isLast(n *int) bool {
	was := *n
	*n = max(was-1, 0)
	return was == 1
}

func isSegment(path string) bool { return strings.HasSuffix(path, ".seg") }

func isTable(path string) bool { return strings.HasSuffix(path, ".sst") }

// fatal says whether the failure of an operation ends the process at once (I9): what the sequencer waits for.
func (o *operation) fatal() bool {
	return o != nil && isSegment(o.path) && (o.kind == opWrite || o.kind == opSync)
}

// slowness is how long a sync takes. It follows from the file and how often that was synced, so that it does not matter which goroutine
// came first. Nothing that is done under a lock is slow: a goroutine that waits for a lock would hold virtual time.
func (d *disk) slowness(path string) time.Duration {
	table := isTable(path)
	if d.slow == 0 || !table && !isSegment(path) {
		return 0
	}
	d.syncs[path]++
	h := fnv.New64a()
	fmt.Fprint(h, path, d.syncs[path], d.seed)
	n := h.Sum64()
	if table && d.lazy {
		return time.Duration(n%8_000_000) * time.Microsecond
	}
	if n%uint64(d.slow) != 0 {
		return 0
	}
	n /= uint64(d.slow)
	if n%16 == 0 {
		return time.Duration(n%2_000_000) * time.Microsecond
	}
	return time.Duration(n%20_000) * time.Microsecond
}

// pull pulls the plug.
func (d *disk) pull() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == nil {
		d.pullLocked()
	}
}

func (d *disk) pullLocked() { d.leaveLocked(d.medium.crash(d.rng())) }

// rng is the chance of what a crash leaves.
func (d *disk) rng() *rand.Rand { return rand.New(rand.NewPCG(d.seed, 1)) }

// leaveLocked ends the process: what it does from now on nobody sees.
func (d *disk) leaveLocked(left *medium) {
	d.left = left
	close(d.crashed)
}

// seen runs f unless the plug was pulled: what comes after a crash was never seen by anybody.
func (d *disk) seen(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left != nil {
		return false
	}
	f()
	return true
}

// over says whether the plug was pulled.
func (d *disk) over() bool { return !d.seen(func() {}) }

// fill takes all room, or gives it back.
func (d *disk) fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// failure is the operation that failed, nil if none did.
func (d *disk) failure() *operation {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}
