package state

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

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
	db *pebble.DB

	commitMu sync.Mutex

	failOnce sync.Once
	failed   chan struct{} // closed after the first failure in the background
	failure  atomic.Pointer[error]
}

// Writer takes the changes of one commit, in their order. It copies what it is given.
type Writer = interface {
	Put(key, value []byte)
	Delete(key []byte)
	DeleteRange(from, to []byte) // [from, to)
}

func openStore(dir string, o Options) (*Store, error) {
	s := &Store{failed: make(chan struct{})}
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS:                 markerFS{o.FS},
		Cache:              cache,
		DisableWAL:         true,
		FormatMajorVersion: storeVersion,
		MemTableSize:       storeMemTableBytes,
		Logger:             pebbleLogger{o.Logger},
		EventListener:      &pebble.EventListener{BackgroundError: s.fail},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(storeBloomBits)
	}
	var err error
	s.db, err = pebble.Open(dir, opts)
	return s, err
}

// fail is called by Pebble, which would try again for ever. A failed write or sync is final (I9).
func (s *Store) fail(err error) {
	s.failOnce.Do(func() {
		err = fmt.Errorf("store: %w", err)
		s.failure.Store(&err)
		close(s.failed)
	})
}

func (s *Store) err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Commit makes all changes that write asks for, or none. They are durable when it returns. If write returns an error nothing is
// changed. Any other error is final: every later Commit returns it, and the owner ends the process.
func (s *Store) Commit(write func(w Writer) error) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.err(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	w := &batchWriter{batch: b}
	if err := errors.Join(write(w), w.err); err != nil {
		return errors.Join(err, b.Close())
	}
	if b.Empty() {
		return b.Close()
	}
	if err := s.flush(b); err != nil {
		s.fail(err)
		return s.err()
	}
	return nil
}

// flush applies b and waits until it is in a table on disk. A batch lies in one memory table, or is one itself, and a table enters the manifest
// as a whole: that is what makes the commit atomic.
func (s *Store) flush(b *pebble.Batch) error {
	if err := s.db.Apply(b, pebble.NoSync); err != nil {
		return err
	}
	if planted(bugNoFlush) {
		return nil
	}
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-flushed:
		return errors.Join(s.err(), b.Close())
	case <-s.failed:
		return s.err()
	}
}

// Get returns a copy of key's value, and whether there is one.
func (s *Store) Get(key []byte) ([]byte, bool, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store: read a key: %w", err)
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
		return fmt.Errorf("store: scan: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := first(it); ok; ok = next(it) {
		value, err := it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("store: scan: %w", err)
		}
		if err := fn(it.Key(), value); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) close() error {
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// batchWriter is the Writer of one commit; it keeps the first error.
type batchWriter struct {
	batch *pebble.Batch
	err   error
}

func (w *batchWriter) Put(key, value []byte)       { w.keep(w.batch.Set(key, value, nil)) }
func (w *batchWriter) Delete(key []byte)           { w.keep(w.batch.Delete(key, nil)) }
func (w *batchWriter) DeleteRange(from, to []byte) { w.keep(w.batch.DeleteRange(from, to, nil)) }

func (w *batchWriter) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

// pebbleLogger hands Pebble's words to slog.
type pebbleLogger struct{ logger *slog.Logger }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.logger.Debug("pebble", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Error("pebble", "message", fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble calls it where its files may be in any state, after a failed sync of its manifest for one (I9).
func (l pebbleLogger) Fatalf(format string, args ...any) {
	panic("store: " + fmt.Sprintf(format, args...))
}
