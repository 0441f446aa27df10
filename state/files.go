package state

import (
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// replaceFile replaces a small file of dir as a whole: a crash leaves the old one or the new one. After a nudge.ErrFull the old one stands. tmp is
// the name under which the new one is made.
func replaceFile(fs vfs.FS, dir, name, tmp string, b []byte) error {
	path := fs.PathJoin(dir, tmp)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return full(err)
	}
	_, err = f.Write(b)
	if err = full(err); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(path, fs.PathJoin(dir, name)); err != nil {
		return full(err)
	}
	return syncDir(fs, dir)
}

// readFile reads a small file.
func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// remove removes a file that may have gone already.
func remove(fs vfs.FS, path string) error {
	if err := fs.Remove(path); !errors.Is(err, errNotExist) {
		return err
	}
	return nil
}
