package state

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// roll seals the active segment and begins the next one. Everything appended is synced. The order matters: the next segment is durable under
// its name before the manifest says that it must exist, and gets its first entry after. After a nudge.ErrFull the log is as before.
func (l *Log) roll(at end) (end, error) {
	l.spare.start(l)
	file, err := l.spare.take()
	if errors.Is(err, nudge.ErrFull) { // when it was made ahead; there may be room by now
		l.spare.start(l)
		file, err = l.spare.take()
	}
	if err != nil {
		l.short = errors.Is(err, nudge.ErrFull)
		return at, err
	}
	old := l.active
	next, err := l.beginSegment(file, newSegmentHeader(old.header.number+1, at.next, at.at, at.crc))
	if err != nil {
		return at, err
	}
	begun := end{pos: segmentHeaderBytes, next: at.next, at: at.at, crc: next.header.crc}
	err = l.seal(old, at, func() { l.active, l.appended, l.synced = next, begun, begun })
	if err != nil {
		return at, l.dropSegment(next, err)
	}
	if !planted(bugSegmentNames) {
		l.encoder.reset(nil, nil)
	}
	return begun, old.file.Close()
}

// makeRoom makes the next segment's file where that found no room before. A small entry may still fit into the active segment, but taking some
// and refusing others would be of no use to anybody, and end with the next large one.
func (l *Log) makeRoom() error {
	if !l.short {
		return nil
	}
	l.spare.start(l)
	file, err := l.spare.take()
	if err != nil && !errors.Is(err, nudge.ErrFull) {
		return l.fail(err)
	}
	if err != nil {
		return err
	}
	l.short = false
	l.spare.put(file)
	return nil
}

// sealThrough seals the active segment if it holds a record up to off. The spare is made before anybody who appends has to wait.
func (l *Log) sealThrough(off nudge.Offset) error {
	l.writeMu.Lock()
	if !l.activeHolds(off) {
		defer l.writeMu.Unlock()
		return l.failed()
	}
	l.spare.start(l)
	ready := l.spare.ready
	l.writeMu.Unlock()
	<-ready
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if err := l.sync(); err != nil {
		return err
	}
	if !l.activeHolds(off) {
		return nil // it was sealed meanwhile
	}
	if err := l.clearJunk(l.appended); err != nil {
		return err
	}
	if _, err := l.roll(l.appended); err != nil {
		err = fmt.Errorf("begin a log segment at offset %d: %w", l.appended.next, err)
		if errors.Is(err, nudge.ErrFull) {
			return err
		}
		return l.fail(err)
	}
	return nil
}

// activeHolds reports whether the active segment can be appended to and holds a record up to off.
func (l *Log) activeHolds(off nudge.Offset) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.active.header.first
	return l.err == nil && off >= first && l.appended.next > first
}

func (l *Log) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// beginSegment turns the empty file of the spare into the segment of header h.
func (l *Log) beginSegment(file vfs.File, h segmentHeader) (segment, error) {
	path := l.pathOf(segmentID{number: h.number})
	h.made = l.opts.SegmentBytes
	_, err := file.WriteAt(h.bytes(), 0)
	if err = full(err); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = full(l.fs.Rename(l.fs.PathJoin(l.dir, spareName), path))
	}
	if err == nil && !planted(bugLooseRoll) {
		err = syncDir(l.fs, l.dir)
	}
	if err != nil {
		return segment{}, errors.Join(err, file.Close())
	}
	return segment{file: file, path: path, header: h}, nil
}

// dropSegment undoes beginSegment where the manifest found no room: the segment before may grow on, and this one would not follow it any more.
func (l *Log) dropSegment(s segment, err error) error {
	if closed := s.file.Close(); closed != nil || !errors.Is(err, nudge.ErrFull) {
		return errors.Join(err, closed)
	}
	removed := l.fs.Remove(s.path)
	if removed == nil {
		removed = syncDir(l.fs, l.dir)
	}
	if removed != nil {
		return fmt.Errorf("remove log segment %s: %w", s.path, removed) // not ErrFull any more: final
	}
	return err
}

// seal puts the active segment, which ends at the given place, on the manifest's list. begin lets another one be the active one.
func (l *Log) seal(s segment, at end, begin func()) error {
	return l.replaceManifest(begin, func(m *manifest) { m.seal(s, at) })
}

// replaceManifest changes a copy of the manifest, makes it durable and takes it over. Whoever reads the log sees that and what with does at
// once.
func (l *Log) replaceManifest(with func(), change func(m *manifest)) error {
	l.manifestMu.Lock()
	defer l.manifestMu.Unlock()
	l.mu.Lock()
	m := l.manifest.clone()
	l.mu.Unlock()
	change(&m)
	if err := m.write(l.fs, l.dir); err != nil {
		return err
	}
	l.mu.Lock()
	l.manifest = m
	with()
	l.mu.Unlock()
	return nil
}

// spare is the file of the next segment, made ahead by a goroutine so that beginning a segment costs one sync and a rename.
type spare struct {
	made  chan madeSpare // nil: none was asked for
	ready chan struct{}  // closed when made holds it
}

type madeSpare struct {
	file vfs.File
	err  error
}

// start makes the spare unless it is made already or on its way.
func (s *spare) start(l *Log) {
	if s.made != nil {
		return
	}
	made, ready := make(chan madeSpare, 1), make(chan struct{})
	s.made, s.ready = made, ready
	work := func() {
		made <- makeSpare(l.fs, l.dir, l.opts.SegmentBytes, true)
		close(ready)
	}
	if l.opts.spareInline {
		work()
		return
	}
	go work()
}

// take waits for the spare and hands it over.
func (s *spare) take() (vfs.File, error) {
	m := <-s.made
	s.made = nil
	return m.file, m.err
}

// put gives back what take has handed over.
func (s *spare) put(file vfs.File) {
	s.made, s.ready = make(chan madeSpare, 1), make(chan struct{})
	s.made <- madeSpare{file: file}
	close(s.ready)
}

// close waits for the goroutine.
func (s *spare) close() error {
	if s.made == nil {
		return nil
	}
	file, err := s.take()
	if file == nil {
		return nil // it is not needed any more, so its error does not matter
	}
	return errors.Join(err, file.Close())
}

const zeroBytes = 256 << 10

// makeSpare makes a file of the given size that reads as zeros. With fill they are really written: overwriting written blocks needs no
// change of the file's metadata, which makes the sync of a batch up to three times as fast as on blocks that are only reserved.
func makeSpare(fs vfs.FS, dir string, size int64, fill bool) madeSpare {
	path := fs.PathJoin(dir, spareName)
	if err := remove(fs, path); err != nil {
		return madeSpare{err: err}
	}
	file, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return madeSpare{err: full(err)}
	}
	if err := fillSpare(file, size, fill); err != nil {
		// What room it took is given back. Its sync may have been what failed: the file is never used again.
		return madeSpare{err: full(errors.Join(err, file.Close(), fs.Remove(path)))}
	}
	return madeSpare{file: file}
}

func fillSpare(file vfs.File, size int64, fill bool) error {
	// Not every file system can reserve; where it cannot, writing finds out whether there is room.
	if err := file.Preallocate(0, size); isFull(err) {
		return err
	}
	zeros := make([]byte, min(size, zeroBytes))
	from := int64(0)
	if !fill {
		from = size - 1
	}
	for pos := from; pos < size; pos += int64(len(zeros)) {
		if _, err := file.WriteAt(zeros[:min(int64(len(zeros)), size-pos)], pos); err != nil {
			return err
		}
	}
	return file.Sync()
}
