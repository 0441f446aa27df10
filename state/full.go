package state

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// A full disk is no damage: the operation that finds no room has changed nothing that counts, and can be tried again once there is some. So the log
// refuses an entry with nudge.ErrFull and goes on, and the store waits. A sync that fails is another matter, whatever its reason: it is final (I9).

// isFull says whether the system had no room: on the disk, or in what this user may use of it.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// full makes the error of an operation that may be tried again a nudge.ErrFull, where that is what it is.
func full(err error) error {
	if isFull(err) && !errors.Is(err, nudge.ErrFull) {
		return fmt.Errorf("%w: %w", nudge.ErrFull, err)
	}
	return err
}

// roomEvery is how often an operation that found no room is tried again.
const roomEvery = 250 * time.Millisecond

// shortage is where Pebble's writes wait while the disk is full. Pebble itself would try a whole flush again without a pause, and calls it fatal
// where its manifest finds no room.
type shortage struct {
	logger   *slog.Logger
	released chan struct{} // closed: nothing waits any more
	once     sync.Once
	waiting  atomic.Int64 // operations
}

func newShortage(logger *slog.Logger) *shortage {
	return &shortage{logger: logger, released: make(chan struct{})}
}

// hurry makes operations that find no room fail, those that wait too.
func (r *shortage) hurry() { r.once.Do(func() { close(r.released) }) }

// hurries says whether nothing waits any more.
func (r *shortage) hurries() bool {
	select {
	case <-r.released:
		return true
	default:
		return false
	}
}

// until tries f until it finds room, or nothing waits any more.
func (r *shortage) until(f func() error) error {
	err := f()
	if !isFull(err) {
		return err
	}
	if r.waiting.Add(1) == 1 && !r.hurries() {
		r.logger.Warn("the disk is full: the store waits for room", "error", err)
	}
	defer func() {
		if r.waiting.Add(-1) == 0 && !r.hurries() {
			r.logger.Info("there is room again: the store goes on")
		}
	}()
	again := time.NewTicker(roomEvery)
	defer again.Stop()
	for isFull(err) {
		<-again.C // hurrying too: Pebble would try again at once
		if err = f(); isFull(err) && r.hurries() {
			return full(err)
		}
	}
	return err
}

// probeBytes is more room than Pebble needs to open a store.
const probeBytes = 1 << 20

// probe makes sure that there is room to open the store in dir: a server that starts says what is wrong instead of waiting.
func probe(fs vfs.FS, dir string) error {
	path := fs.PathJoin(dir, "room.tmp")
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(make([]byte, probeBytes))
		err = errors.Join(err, f.Close(), fs.Remove(path))
	}
	if isFull(err) {
		return fmt.Errorf("a start needs %d KiB: %w", probeBytes>>10, full(err))
	}
	return err
}

// roomFS is the file system of the store: what makes a file or lets one grow waits for room.
type roomFS struct {
	vfs.FS
	shortage *shortage
	dir      string
}

// ours says whether a file is one of the store. Whoever makes a copy of it elsewhere is told of a full disk.
func (fs roomFS) ours(name string) bool { return fs.PathDir(name) == fs.dir }

// Unwrap lets Pebble find the file system below.
func (fs roomFS) Unwrap() vfs.FS { return fs.FS }

func (fs roomFS) Create(name string, category vfs.DiskWriteCategory) (file vfs.File, err error) {
	if !fs.ours(name) {
		return fs.FS.Create(name, category)
	}
	err = fs.shortage.until(func() error {
		file, err = fs.FS.Create(name, category)
		return err
	})
	if err != nil {
		return nil, err
	}
	return roomFile{file, fs.shortage}, nil
}

func (fs roomFS) Rename(from, to string) error {
	if !fs.ours(to) {
		return fs.FS.Rename(from, to)
	}
	return fs.shortage.until(func() error { return fs.FS.Rename(from, to) })
}

func (fs roomFS) Link(from, to string) error {
	if !fs.ours(to) {
		return fs.FS.Link(from, to)
	}
	return fs.shortage.until(func() error { return fs.FS.Link(from, to) })
}

type roomFile struct {
	vfs.File
	shortage *shortage
}

// Write writes all of p, the part that found room at first and the rest behind it.
func (f roomFile) Write(p []byte) (written int, err error) {
	err = f.shortage.until(func() error {
		n, err := f.File.Write(p[written:])
		written += n
		return err
	})
	return written, err
}
