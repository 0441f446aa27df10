package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// sweep looks for texts in a data folder: in the bytes of every file, in every version of a row that a file of the store holds, whether it
// is deleted, replaced or neither, and in every record of the log.
type sweep struct {
	*life
	disk  vfs.FS
	texts []string
	where []string
	files map[string]int // that were read through, by the end of their names
	rows  int            // of the store's files
}

// leftIn says where in a data folder a text still stands, once nobody writes it: a table of the store that a compaction is half way through
// cannot be read. It belongs into a bubble of virtual time.
func (l *life) leftIn(disk vfs.FS, texts []string) []string {
	l.Helper()
	synctest.Wait()
	s := &sweep{life: l, disk: disk, texts: texts, files: map[string]int{}}
	s.folder(dataDir)
	for _, r := range l.logged() {
		s.look(fmt.Sprintf("the record at offset %d", r.off), r.rec)
	}
	if named := len(l.dir.Log.Segments()); s.files[".seg"] != named {
		l.Errorf("the log has %d segments and %d files: what the others hold is in nobody's hands", named, s.files[".seg"])
	}
	if s.files[".sst"] > 0 && s.rows == 0 {
		l.Error("no row was found in the store's files: the sweep finds nothing")
	}
	err := l.dir.Store.Scan(nil, nil, func(key, value []byte) error {
		s.look(fmt.Sprintf("the row %q", key), slices.Concat(key, value))
		return nil
	})
	if err != nil {
		l.Fatal(err)
	}
	return s.where
}

func (s *sweep) look(place string, b []byte) {
	for _, text := range s.texts {
		if bytes.Contains(b, []byte(text)) {
			s.where = append(s.where, fmt.Sprintf("%s holds %s", place, text))
		}
	}
}

func (s *sweep) folder(dir string) {
	s.Helper()
	names, err := s.disk.List(dir)
	if err != nil {
		s.Fatal(err)
	}
	for _, name := range names {
		file := s.disk.PathJoin(dir, name)
		info, err := s.disk.Stat(file)
		if err == nil && info.IsDir() {
			s.folder(file)
			continue
		}
		if err == nil {
			err = s.file(file)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // the store has merged it into others meanwhile
		}
		if err != nil {
			s.Fatalf("%s: %v", file, err)
		}
		s.files[path.Ext(name)]++
	}
}

func (s *sweep) file(file string) error {
	f, err := s.disk.Open(file)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.look(file, b)
	if path.Ext(file) == ".sst" {
		return s.table(file)
	}
	return nil
}

// table reads the rows of one file of the store: raw, as its blocks may be compressed.
func (s *sweep) table(file string) error {
	f, err := s.disk.Open(file)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	var o pebble.Options
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	for kv := it.First(); kv != nil; kv = it.Next() {
		value, _, err := kv.Value(nil)
		if err != nil {
			return errors.Join(err, it.Close(), r.Close())
		}
		s.rows++
		s.look(fmt.Sprintf("%s, row %q", file, kv.K.UserKey), slices.Concat(kv.K.UserKey, value))
	}
	return errors.Join(it.Error(), it.Close(), r.Close())
}
