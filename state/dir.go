package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// Defaults of Options.
const (
	defaultSegmentBytes = 64 << 20
	defaultLogMaxBytes  = 64 << 30
	defaultLogMaxAge    = nudge.Millis(35 * 24 * time.Hour / time.Millisecond)
	defaultCacheBytes   = 64 << 20
	defaultStoreFiles   = 1000
)

// A segment goes as a whole, when its last record is too old. So that its first ones do not stay much longer, it takes records of so small a part of
// LogMaxAge only, or of a minute, which bounds how many segments there are.
const (
	segmentAgeShare = 16
	minSegmentAge   = nudge.Millis(time.Minute / time.Millisecond)
)

// wantedShare is how many times what is allowed the log may be for the sake of LogWanted: whoever has been away for longer must not fill the disk.
const wantedShare = 2

func (o *Options) segmentAge() nudge.Millis { return max(o.LogMaxAge/segmentAgeShare, minSegmentAge) }

// MinSegmentBytes bounds SegmentBytes from below: a segment's header and a small entry fit.
const MinSegmentBytes = 512

// Options of a data folder. The zero value is usable but for Names.
type Options struct {
	FS           vfs.FS       // nil: the operating system's
	SegmentBytes int64        // size of a log segment; 0: 64 MiB
	Names        *nudge.Names // the process's names, into whose ids records are translated; required
	LogMaxBytes  int64        // Trim drops sealed segments while the log is larger; 0: 64 GiB
	LogMaxAge    nudge.Millis // Trim drops sealed segments whose records are all older; 0: 35 days
	CacheBytes   int64        // the store's block cache; 0: 64 MiB

	// LogWanted is the oldest offset that somebody has yet to be told of, 0 for nobody: Trim keeps the log from there on until it is twice as
	// large or old as allowed. nil: nobody.
	LogWanted func() nudge.Offset

	StoreFiles int          // files that the store keeps open at most, about; 0: 1000
	Logger     *slog.Logger // nil: silent

	readOnly bool // of the store

	// spareInline makes spares in the caller instead of a goroutine: tests that count file operations need one order.
	spareInline bool
}

// Validate returns every problem of o.
func (o *Options) Validate() error {
	var problems []error
	if o.Names == nil {
		problems = append(problems, errors.New("option Names is missing: pass the process's *nudge.Names"))
	}
	if o.SegmentBytes != 0 && o.SegmentBytes < MinSegmentBytes {
		problems = append(problems, fmt.Errorf("option SegmentBytes is %d: give at least %d, or 0 for the default", o.SegmentBytes, MinSegmentBytes))
	}
	if o.LogMaxBytes < 0 || o.LogMaxAge < 0 || o.CacheBytes < 0 || o.StoreFiles < 0 {
		problems = append(problems, errors.New("options LogMaxBytes, LogMaxAge, CacheBytes and StoreFiles must not be negative: give 0 for the default"))
	}
	return errors.Join(problems...)
}

func (o *Options) setDefaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.LogMaxBytes == 0 {
		o.LogMaxBytes = defaultLogMaxBytes
	}
	if o.LogMaxAge == 0 {
		o.LogMaxAge = defaultLogMaxAge
	}
	o.LogMaxBytes = min(o.LogMaxBytes, math.MaxInt64/wantedShare)
	o.LogMaxAge = min(o.LogMaxAge, math.MaxInt64/(2*wantedShare)) // before any time that there is
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.StoreFiles == 0 {
		o.StoreFiles = defaultStoreFiles
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Dir is an open data folder.
type Dir struct {
	Log   *Log
	Store *Store
	fs    vfs.FS
	lock  io.Closer
}

// Open opens the data folder dir, making it if there is none, and keeps it to itself until Close.
func Open(dir string, o Options) (*Dir, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open data folder %s: %w", dir, err)
	}
	o.setDefaults()
	d, err := open(dir, o)
	return d, advised(dir, err)
}

// advised says what to do where the system does not let the folder be written.
func advised(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: the disk of %s can only be read: check its file system, mount it so that it can be written, and start again", err, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: this user may not write in %s: give it the folder, or start as its owner", err, dir)
	case errors.Is(err, nudge.ErrFull):
		return fmt.Errorf("%w: make room on the disk of %s, and start again", err, dir)
	}
	return err
}

func open(dir string, o Options) (*Dir, error) {
	logDir, storeDir := o.FS.PathJoin(dir, "log"), o.FS.PathJoin(dir, "store")
	if err := makeFolders(o.FS, dir, logDir, storeDir); err != nil {
		return nil, fmt.Errorf("make data folder %s: %w", dir, err)
	}
	d := &Dir{fs: o.FS}
	var err error
	if d.lock, err = lockFolder(o.FS, dir); err != nil {
		return nil, err
	}
	if d.Log, err = openLog(logDir, o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	wholeLog := func() bool { return d.Log.First() == 1 }
	if d.Store, err = openStore(storeDir, o, wholeLog); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", storeDir, err), d.Close())
	}
	return d, nil
}

// folderMode lets the owner alone look into a folder that is made: the log holds mail addresses, and what people did.
const folderMode = 0o700

// makeFolders makes the folders durable too: a file is only as durable as the folders above it.
func makeFolders(fs vfs.FS, dir string, inside ...string) error {
	if err := fs.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	for _, d := range inside {
		if err := fs.MkdirAll(d, folderMode); err != nil {
			return err
		}
	}
	if err := syncDir(fs, dir); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(dir))
}

// ErrInUse is what opening a folder returns that another process holds.
var ErrInUse = errors.New("in use by another nudge process")

// lockName is the file that is held while a process uses the folder.
const lockName = "LOCK"

func lockFolder(fsys vfs.FS, dir string) (io.Closer, error) {
	lock, err := fsys.Lock(fsys.PathJoin(dir, lockName))
	if err == nil {
		return lock, nil
	}
	var path *fs.PathError
	if errors.As(err, &path) { // the file itself cannot be made
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	return nil, fmt.Errorf("data folder %s is %w: stop that one, or give this one another folder (%w)", dir, ErrInUse, err)
}

// Close frees the folder. An entry that was appended but not synced may or may not be there when it is opened again.
func (d *Dir) Close() error {
	var errs []error
	if d.Store != nil {
		errs = append(errs, d.Store.close())
	}
	if d.Log != nil {
		errs = append(errs, d.Log.close())
	}
	errs = append(errs, d.lock.Close())
	return errors.Join(errs...)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
