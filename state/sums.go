package state

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// Pebble's manifest says which tables make up the store. Where Pebble finds a flawed record in it, it takes that for the end that a crash left, and
// opens an older state, or a mixture whose files are no longer what they were. So whatever it syncs of a manifest is noted beside it, length and
// checksum, and compared before the store is opened again: what was synced must be there. What stands behind it may be a crash's. Its options are noted
// too: of a damaged file Pebble says what it cannot read, not where.
//
// The notes are text, replaced as a whole:
//
//	nudge store manifests 1
//	OPTIONS-000003 bytes 2937 sum 0badf00d
//	MANIFEST-000006 bytes 1047 sum 0badcafe
//	crc 1234abcd
//
// The last line is the CRC32C of the lines before it.
const (
	sumsName    = "manifest.sums"
	sumsTmpName = "manifest.sums.tmp"
	sumsHead    = "nudge store manifests 1\n"
	sumsLine    = "%s bytes %d sum %08x\n"

	sumsKept = 2 // of a kind: the valid one, and one that is about to become it

	manifestPrefix = "MANIFEST-" // of Pebble's
	optionsPrefix  = "OPTIONS-"

	temporaryPrefix = "temporary." // what options are called while they are written
	markerName      = "manifest"
	tableSuffix     = ".sst"
)

// manifestSum is what is known of one file: the checksum of its first bytes.
type manifestSum struct {
	name  string
	bytes int64
	sum   uint32
}

// sums are the notes of a store. Safe for concurrent use.
type sums struct {
	fs  vfs.FS
	dir string

	mu  sync.Mutex
	all []manifestSum // the newest last

	temporary *sumFile // the newest; only while the store opens
}

func (s *sums) encode() []byte {
	b := []byte(sumsHead)
	for _, m := range s.all {
		b = fmt.Appendf(b, sumsLine, m.name, m.bytes, m.sum)
	}
	return fmt.Appendf(b, manifestChecksum, crc32.Checksum(b, castagnoli))
}

// note makes it durable that a file has been synced that far.
func (s *sums) note(m manifestSum) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, _, _ := strings.Cut(m.name, "-")
	kept := 1
	for i := len(s.all) - 1; i >= 0; i-- {
		if s.all[i].name == m.name {
			s.all = slices.Delete(s.all, i, i+1)
		} else if strings.HasPrefix(s.all[i].name, kind) {
			if kept++; kept > sumsKept {
				s.all = slices.Delete(s.all, i, i+1)
			}
		}
	}
	s.all = append(s.all, m)
	return replaceFile(s.fs, s.dir, sumsName, sumsTmpName, s.encode())
}

// read reads the notes. found is false where there are none: the store is new, or an older build's.
func (s *sums) read() (found bool, err error) {
	b, err := readFile(s.fs, s.fs.PathJoin(s.dir, sumsName))
	if errors.Is(err, errNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for line := range bytes.Lines(b) {
		var m manifestSum
		if n, _ := fmt.Sscanf(string(line), sumsLine, &m.name, &m.bytes, &m.sum); n == 3 {
			s.all = append(s.all, m)
		}
	}
	if !bytes.Equal(s.encode(), b) { // there is one way to write them
		return false, &StoreDamage{File: s.fs.PathJoin(s.dir, sumsName), Err: errors.New("the notes of the manifests are not what was written: their checksum or their form is wrong")}
	}
	return true, nil
}

// check compares the valid manifest, and the options that are there, with the notes. Those of other manifests are dropped: a crash has kept them from
// becoming valid, and they would crowd out the valid one's. Pebble syncs the next manifest before it marks it as the valid one, so one start after the
// other can end in between.
func (s *sums) check() error {
	valid, err := atomicfs.ReadMarker(s.fs, s.dir, markerName)
	if err != nil {
		return err
	}
	found, err := s.read()
	if err != nil {
		return err
	}
	all := s.all
	s.all = nil
	if valid == "" {
		return s.checkEmpty()
	}
	if !found { // nothing of it is known to be there
		s.all = []manifestSum{{name: valid}}
		return nil
	}
	known := false
	for _, m := range all {
		path := s.fs.PathJoin(s.dir, m.name)
		switch _, err := s.fs.Stat(path); {
		case m.name == valid:
			known = true
		case !strings.HasPrefix(m.name, optionsPrefix) || errors.Is(err, errNotExist):
			continue
		}
		if err := s.compare(path, m); err != nil {
			return err
		}
		s.all = append(s.all, m)
	}
	if known {
		return nil
	}
	path := s.fs.PathJoin(s.dir, valid)
	return &StoreDamage{File: path, Err: errors.New("it is marked as the valid manifest, but was never written: a marker is missing, or does not belong here")}
}

// checkEmpty refuses a folder in which tables stand though no manifest is valid: Pebble would remove them and begin an empty store.
func (s *sums) checkEmpty() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, tableSuffix) {
			return &StoreDamage{File: s.fs.PathJoin(s.dir, "marker."+markerName), Err: fmt.Errorf("no file of that name says which manifest is valid, but there are tables, %s for one", name)}
		}
	}
	return nil
}

// compare reads as much of a manifest as was synced.
func (s *sums) compare(path string, m manifestSum) error {
	f, err := s.fs.Open(path)
	if errors.Is(err, errNotExist) {
		return &StoreDamage{File: path, Err: errors.New("the file is missing")}
	}
	if err != nil {
		return err
	}
	h := crc32.New(castagnoli)
	n, err := io.Copy(h, io.LimitReader(f, m.bytes))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if n < m.bytes {
		return &StoreDamage{File: path, Err: fmt.Errorf("it ends at byte %d, %d bytes were synced", n, m.bytes)}
	}
	if h.Sum32() != m.sum {
		return &StoreDamage{File: path, Err: fmt.Errorf("the checksum of its first %d bytes, from byte 0 on, is wrong", m.bytes)}
	}
	return nil
}

// sumFS notes what is synced of manifests.
type sumFS struct {
	vfs.FS
	sums *sums
}

// Unwrap lets Pebble find the file system below.
func (fs sumFS) Unwrap() vfs.FS { return fs.FS }

func (fs sumFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	base := fs.PathBase(name)
	if err != nil || fs.PathDir(name) != fs.sums.dir {
		return f, err
	}
	s := &sumFile{File: f, sums: fs.sums, manifestSum: manifestSum{name: base}}
	switch {
	case strings.HasPrefix(base, manifestPrefix):
		s.noted = true
		return s, nil
	case strings.HasPrefix(base, temporaryPrefix):
		fs.sums.temporary = s
		return s, nil
	}
	return f, nil
}

// Rename gives new options their name: they were written and synced under another one. They are noted before: a crash that takes the name back leaves a
// note of nothing, and not a file that an older note denies.
func (fs sumFS) Rename(from, to string) error {
	base := fs.PathBase(to)
	if t := fs.sums.temporary; strings.HasPrefix(base, optionsPrefix) && t != nil && t.name == fs.PathBase(from) {
		if err := fs.sums.note(manifestSum{base, t.bytes, t.sum}); err != nil {
			return err
		}
	}
	return fs.FS.Rename(from, to)
}

// sumFile is a manifest, or options under the name that they are written with. Pebble writes one of each in one goroutine at a time.
type sumFile struct {
	vfs.File
	sums *sums
	manifestSum
	noted bool // with each sync
}

func (f *sumFile) Write(p []byte) (int, error) {
	sum := crc32.Update(f.sum, castagnoli, p) // before: Write may change p
	n, err := f.File.Write(p)
	if err != nil {
		return n, err // Pebble ends with it
	}
	f.sum, f.bytes = sum, f.bytes+int64(n)
	return n, nil
}

func (f *sumFile) Sync() error {
	return f.note(f.File.Sync())
}

func (f *sumFile) SyncData() error {
	return f.note(f.File.SyncData())
}

// note makes a sync durable that has gone well.
func (f *sumFile) note(synced error) error {
	if synced != nil || !f.noted {
		return synced
	}
	return f.sums.note(f.manifestSum)
}
