package state

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"nudge"
)

// ErrReadOnly is what changing a folder returns that OpenReadOnly opened.
var ErrReadOnly = errors.New("the data folder was opened to be read only")

// OpenReadOnly opens the data folder dir for somebody who wants to look at it, and changes no byte of it. What opening would have done, such as
// dropping an unfinished last entry, is done in memory. Store is nil where no checkpoint was ever written.
func OpenReadOnly(dir string, o Options) (*Dir, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open data folder %s: %w", dir, err)
	}
	o.setDefaults()
	if _, err := o.FS.Stat(o.FS.PathJoin(dir, "log")); err != nil {
		return nil, fmt.Errorf("%s is not a data folder: %w", dir, err)
	}
	d := &Dir{lock: io.NopCloser(nil)}
	if _, err := o.FS.Stat(o.FS.PathJoin(dir, lockName)); err == nil { // without it nobody has used the folder yet: it is a backup
		if d.lock, err = lockFolder(o.FS, dir); err != nil {
			return nil, err
		}
	}
	var err error
	if d.Log, err = openLogReadOnly(o.FS.PathJoin(dir, "log"), o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	wholeLog := func() bool { return d.Log.First() == 1 }
	if d.Store, err = openStoreReadOnly(o.FS.PathJoin(dir, "store"), o, wholeLog); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store of %s: %w", dir, err), d.Close())
	}
	return d, nil
}

// openStoreReadOnly returns nil where there is no store.
func openStoreReadOnly(dir string, o Options, wholeLog func() bool) (*Store, error) {
	found, err := pebble.Peek(dir, o.FS)
	if errors.Is(err, errNotExist) || err == nil && !found.Exists {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o.readOnly = true
	s, err := openStore(dir, o, wholeLog)
	if err == nil {
		s.fail(ErrReadOnly)
	}
	return s, err
}

// openLogReadOnly is openLog without the changes.
func openLogReadOnly(dir string, o Options) (*Log, error) {
	l := &Log{fs: o.FS, dir: dir, opts: o, logger: o.Logger, pins: map[uint64]int{}}
	l.encoder.init(o.Names)
	if err := l.openReadOnly(); err != nil {
		return nil, fmt.Errorf("open log: %w", errors.Join(err, l.close()))
	}
	l.fail(ErrReadOnly)
	return l, nil
}

func (l *Log) openReadOnly() error {
	m, err := readManifest(l.fs, l.dir)
	if err != nil {
		return err
	}
	if m == nil {
		return &Damage{File: l.fs.PathJoin(l.dir, manifestName), What: "the manifest is missing"}
	}
	present, _, err := l.listSegments()
	if err != nil {
		return err
	}
	if _, err := l.compare(m, present); err != nil {
		return err
	}
	l.manifest = *m
	following := present[segmentID{number: m.active + 1}]
	if err := l.openActiveReadOnly(following); err != nil || !following {
		return err
	}
	if err := l.checkRoll(); err != nil {
		return err
	}
	old := l.active
	sealed := l.manifest.clone()
	sealed.seal(old, l.synced)
	l.manifest, l.active = sealed, segment{}
	if err := old.file.Close(); err != nil {
		return err
	}
	return l.openActiveReadOnly(false)
}

func (l *Log) openActiveReadOnly(following bool) error {
	path := l.pathOf(segmentID{number: l.manifest.active})
	f, err := l.fs.Open(path)
	if err != nil {
		return err
	}
	l.active = segment{file: f, path: path}
	_, _, err = l.checkActive(following)
	return err
}

// SegmentInfo is one segment, for people.
type SegmentInfo struct {
	File        string
	First, Last nudge.Offset // Last is First − 1 where there is no record yet
	Since, At   nudge.Millis // log times of its first and last entry
	Bytes       int64
	Rewritten   uint32 // how often
	Active      bool
}

// Segments lists the segments, oldest first.
func (l *Log) Segments() []SegmentInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []SegmentInfo
	for _, s := range l.manifest.sealed {
		all = append(all, SegmentInfo{
			File: l.pathOf(s.segmentID), First: s.first, Last: s.last, Since: s.since, At: s.at, Bytes: s.bytes, Rewritten: s.generation,
		})
	}
	return append(all, SegmentInfo{
		File: l.active.path, First: l.active.header.first, Last: l.appended.next - 1, Since: l.active.since, At: l.appended.at, Bytes: l.appended.pos, Active: true,
	})
}

// VoidInfo is a record that was made a void by hand, and when.
type VoidInfo struct {
	Offset nudge.Offset
	At     nudge.Millis
}

// Voids lists the records that were made voids by hand, and that the log still reaches back to.
func (l *Log) Voids() []VoidInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []VoidInfo
	for _, v := range l.manifest.voids {
		all = append(all, VoidInfo{Offset: v.off, At: v.at})
	}
	return all
}
