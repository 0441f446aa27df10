package state

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// storeVersion is Pebble's format, pinned: a newer Pebble must not change the files by itself, so that the build before can still open them.
const storeVersion = pebble.FormatTableFormatV6

const (
	storeMemTableBytes = 16 << 20
	storeBloomBits     = 10 // 1 % of the reads of keys that are not there touch the disk
)

// Store is the checkpoint store: ordered keys and values, changed by whole commits. Pebble's log is off, so nothing of a commit exists on disk
// until all of it does. Safe for concurrent use; a read sees a commit as a whole.
type Store struct {
	db  *pebble.DB
	dir string

	commitMu sync.Mutex
	begun    chan struct{} // closed once Pebble has taken the last commit, which may be after Commit returned; guarded by commitMu

	shortage *shortage
	wholeLog func() bool // whether all of the store could be made anew from the log
	failOnce sync.Once
	failed   chan struct{} // closed after the first failure
	failure  atomic.Pointer[error]
	stuck    atomic.Bool // a goroutine of Pebble's is held for ever, maybe with its locks: Pebble is not called any more
}

// Writer takes the changes of one commit, in their order. It copies what it is given.
type Writer = interface {
	Put(key, value []byte)
	Delete(key []byte)
	DeleteRange(from, to []byte) // [from, to)
	Grow(bytes int)              // makes room for so much at once, before any change; without it, what is large is copied again and again
}

// openStore opens the store in dir. wholeLog says whether the log reaches back to the first record.
func openStore(dir string, o Options, wholeLog func() bool) (*Store, error) {
	s := &Store{failed: make(chan struct{}), shortage: newShortage(o.Logger), dir: dir, wholeLog: wholeLog}
	if !o.readOnly {
		if err := probe(o.FS, dir); err != nil {
			return nil, err
		}
	}
	fs := roomFS{markerFS{o.FS}, s.shortage, dir}
	sums := &sums{fs: fs, dir: dir}
	if err := sums.check(); err != nil {
		return nil, s.openError(dir, err)
	}
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS:                 sumFS{fs, sums},
		Cache:              cache,
		DisableWAL:         true,
		FormatMajorVersion: storeVersion,
		MemTableSize:       storeMemTableBytes,
		MaxOpenFiles:       o.StoreFiles,
		ReadOnly:           o.readOnly,
		Logger:             pebbleLogger{o.Logger, s},
		EventListener:      &pebble.EventListener{BackgroundError: s.fail, DataCorruption: s.corrupt},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(storeBloomBits)
	}
	var err error
	if s.db, err = s.openPebble(dir, opts); err != nil {
		return nil, s.openError(dir, err)
	}
	return s, nil
}

// openError says what to do where the store does not open.
func (s *Store) openError(dir string, err error) error {
	var known *StoreDamage
	if errors.As(err, &known) {
		return s.damage(known.File, known.Err)
	}
	var sys syscall.Errno
	if errors.As(err, &sys) && sys != syscall.ENOENT { // the system refuses; the files may be right
		return full(err)
	}
	return s.damage(dir, err)
}

// openPebble returns what Pebble calls fatal as an error, too; then the goroutine that opens is one of those held for ever.
func (s *Store) openPebble(dir string, opts *pebble.Options) (*pebble.DB, error) {
	type opened struct {
		db  *pebble.DB
		err error
	}
	done := make(chan opened, 1)
	go func() {
		db, err := pebble.Open(dir, opts)
		done <- opened{db, err}
	}()
	select {
	case o := <-done:
		return o.db, o.err
	case <-s.failed:
	}
	s.Hurry()
	over := time.NewTimer(closeTime)
	defer over.Stop()
	select {
	case o := <-done:
		if o.err == nil {
			return nil, errors.Join(s.Err(), o.db.Close())
		}
	case <-over.C:
	}
	return nil, s.Err()
}

// fail is called by Pebble, which would try again for ever. A failed write or sync is final (I9). One that found no room is not: it is tried again,
// unless the store hurries.
func (s *Store) fail(err error) {
	if isFull(err) && !s.shortage.hurries() {
		return
	}
	s.failOnce.Do(func() {
		err = fmt.Errorf("store: %w", full(err))
		s.failure.Store(&err)
		close(s.failed)
	})
}

// fatal holds a goroutine of Pebble's for ever: Pebble says that it must not go on, since its files may be in any state, after a failed sync of
// its manifest for one (I9). The owner, who hears of it by Failed, ends the process.
func (s *Store) fatal(err *fatalError) {
	s.stuck.Store(true)
	s.fail(err)
	select {}
}

func (s *Store) damage(file string, err error) error {
	d := &StoreDamage{File: file, Err: err}
	if s.wholeLog() {
		d.FromLog = s.dir
	}
	return d
}

// corrupt is called by Pebble where it reads other bytes than it wrote. Whoever reads gets an error; it is the end for all.
func (s *Store) corrupt(info pebble.DataCorruptionInfo) {
	s.fail(s.damage(info.Path, info.Details))
}

// Failed is closed after the first failure that is final: the owner ends the process. Err is what it was.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Hurry makes a Commit fail with nudge.ErrFull where the disk is full, instead of waiting for room, also one that waits already: the process is
// to end.
func (s *Store) Hurry() { s.shortage.hurry() }

// Err is the first failure that is final, nil if there was none.
func (s *Store) Err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Commit makes all changes that write asks for, or none. They are durable when it returns. Where the disk is full it waits for room. If write
// returns an error nothing is changed. Any other error is final: every later Commit returns it, and the owner ends the process.
func (s *Store) Commit(write func(w Writer) error) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.Err(); err != nil {
		return err
	}
	w := &batchWriter{db: s.db, batch: s.db.NewBatch()}
	err := errors.Join(write(w), w.err)
	b := w.batch
	if err != nil {
		return errors.Join(err, b.Close())
	}
	if b.Empty() {
		return b.Close()
	}
	if err := s.flush(b); err != nil {
		s.fail(err)
		return errors.Join(s.Err(), full(err))
	}
	return nil
}

// flush applies b and waits until it is in a table on disk. A batch lies in one memory table, or is one itself, and a table enters the manifest
// as a whole: that is what makes the commit atomic.
func (s *Store) flush(b *pebble.Batch) error {
	if planted(bugNoFlush) {
		return s.db.Apply(b, pebble.NoSync)
	}
	flushed, err := s.beginFlush(b)
	if err != nil {
		return err
	}
	select {
	case <-flushed:
		return errors.Join(s.Err(), b.Close())
	case <-s.failed:
		return s.Err()
	}
}

// beginFlush applies b and has it flushed. Pebble makes both wait for earlier flushes, which never end where the store has failed: then they are
// left behind, with the locks that they hold.
func (s *Store) beginFlush(b *pebble.Batch) (<-chan struct{}, error) {
	type begun struct {
		flushed <-chan struct{}
		err     error
	}
	done := make(chan begun, 1)
	s.begun = make(chan struct{})
	go func() {
		defer close(s.begun)
		var f begun
		if f.err = s.db.Apply(b, pebble.NoSync); f.err == nil {
			f.flushed, f.err = s.db.AsyncFlush()
		}
		done <- f
	}()
	select {
	case f := <-done:
		return f.flushed, f.err
	case <-s.failed:
		return nil, s.Err()
	}
}

// readError names the file where what was read is damaged.
func (s *Store) readError(err error) error {
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		return s.damage(info.Path, info.Details)
	}
	return err
}

// Get returns a copy of key's value, and whether there is one.
func (s *Store) Get(key []byte) ([]byte, bool, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store: read a key: %w", s.readError(err))
	}
	value := append([]byte{}, v...)
	return value, true, closer.Close()
}

// Scan calls fn with the keys of [from, to) and their values, ascending, as they were when it was called. A nil bound is open. The slices are
// valid until fn returns. An error of fn ends it and is returned.
func (s *Store) Scan(from, to []byte, fn func(key, value []byte) error) error {
	return s.scan(from, to, (*pebble.Iterator).First, (*pebble.Iterator).Next, fn)
}

// ScanReverse is Scan, descending.
func (s *Store) ScanReverse(from, to []byte, fn func(key, value []byte) error) error {
	return s.scan(from, to, (*pebble.Iterator).Last, (*pebble.Iterator).Prev, fn)
}

func (s *Store) scan(from, to []byte, first, next func(*pebble.Iterator) bool, fn func(key, value []byte) error) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("store: scan: %w", s.readError(err))
	}
	defer func() {
		if closed := it.Close(); err == nil && closed != nil {
			err = fmt.Errorf("store: scan: %w", s.readError(closed))
		}
	}()
	for ok := first(it); ok; ok = next(it) {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("store: scan: %w", s.readError(err))
		}
		if err := fn(it.Key(), value); err != nil {
			return err
		}
	}
	return nil
}

// closeTime is how long closing waits for a commit that Pebble has not taken yet: after a failure it may never.
const closeTime = time.Second

func (s *Store) close() error {
	s.Hurry()
	if s.db == nil || s.stuck.Load() || !s.taken() {
		return nil // the process is ending, and what Pebble holds ends with it
	}
	return s.db.Close()
}

// taken says whether Pebble has taken the last commit, so that none of its locks is held.
func (s *Store) taken() bool {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.begun == nil {
		return true
	}
	over := time.NewTimer(closeTime)
	defer over.Stop()
	select {
	case <-s.begun:
		return true
	case <-over.C:
		return false
	}
}

// batchWriter is the Writer of one commit; it keeps the first error.
type batchWriter struct {
	db    *pebble.DB
	batch *pebble.Batch
	err   error
}

func (w *batchWriter) Put(key, value []byte)       { w.keep(w.batch.Set(key, value, nil)) }
func (w *batchWriter) Delete(key []byte)           { w.keep(w.batch.Delete(key, nil)) }
func (w *batchWriter) DeleteRange(from, to []byte) { w.keep(w.batch.DeleteRange(from, to, nil)) }

func (w *batchWriter) Grow(bytes int) {
	if w.batch.Empty() {
		w.keep(w.batch.Close())
		w.batch = w.db.NewBatchWithSize(bytes)
	}
}

func (w *batchWriter) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// pebbleLogger hands Pebble's words to slog.
type pebbleLogger struct {
	logger *slog.Logger
	store  *Store
}

func (l pebbleLogger) Infof(format string, args ...any) {
	l.logger.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Error("pebble", "message", fmt.Sprintf(format, args...))
}

// Fatalf does not return.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	fatal := fatalError{text: fmt.Sprintf(format, args...)}
	for _, a := range args {
		if cause, ok := a.(error); ok {
			fatal.cause = cause
		}
	}
	l.store.fatal(&fatal)
}

// fatalError is what Pebble says before it wants to end the process.
type fatalError struct {
	text  string
	cause error
}

func (e *fatalError) Error() string { return e.text }
func (e *fatalError) Unwrap() error { return e.cause }
