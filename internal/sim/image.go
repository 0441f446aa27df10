package sim

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sectorBytes is what a disk writes at once.
const sectorBytes = 512

// leave returns what a crash at this moment leaves on the disk: all that was synced, and of the rest some entries of folders and some sectors
// of files, each on its own. Pebble's file system can do the same, but by the order of a Go map: a seed could not be repeated.
func (d *disk) leave(rng *rand.Rand) *vfs.MemFS {
	if rng.IntN(6) == 0 { // only the process ends, the machine goes on
		return d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
	}
	left := d.mem.CrashClone(vfs.CrashCloneCfg{})
	if percent := []int{0, 0, 30, 60, 90}[rng.IntN(5)]; percent > 0 {
		i := &image{disk: d, left: left, keeps: func() bool { return rng.IntN(100) < percent }}
		if err := i.folder(""); err != nil {
			panic(fmt.Sprintf("BUG: a file system in memory fails: %v", err))
		}
	}
	return left
}

// image puts what was not synced, as far as it is kept, on top of what was.
type image struct {
	*disk
	left  *vfs.MemFS
	keeps func() bool // decides for each sector and entry
}

func (i *image) folder(dir string) error {
	live, synced := list(i.mem, dir), list(i.left, dir)
	all := slices.Concat(live, synced)
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		path := i.mem.PathJoin(dir, name)
		var err error
		switch {
		case !slices.Contains(live, name):
			if i.keeps() { // that it is gone
				err = i.left.RemoveAll(path)
			}
		case isFolder(i.mem, path):
			err = i.subfolder(path, slices.Contains(synced, name))
		default:
			err = i.file(path, slices.Contains(synced, name))
		}
		if err != nil {
			return err
		}
	}
	return syncFolder(i.left, dir)
}

func (i *image) subfolder(path string, there bool) error {
	if !there && !i.keeps() {
		return nil
	}
	return errors.Join(i.left.MkdirAll(path, 0o755), i.folder(path))
}

func (i *image) file(path string, there bool) error {
	if there && !i.replaced[path] {
		if !i.dirty[path] {
			return nil
		}
		return i.sectors(path, read(i.left, path))
	}
	if !i.keeps() {
		return nil
	}
	if i.dirty[path] {
		return i.sectors(path, nil)
	}
	return write(i.left, path, read(i.mem, path))
}

// sectors writes the file with some sectors as they are now, and the others as they were: old, or not there.
func (i *image) sectors(path string, old []byte) error {
	now := read(i.mem, path)
	file := slices.Clone(old)
	for from := 0; from < len(now); from += sectorBytes {
		to := min(from+sectorBytes, len(now))
		if !i.keeps() {
			continue
		}
		if grow := to - len(file); grow > 0 {
			file = append(file, make([]byte, grow)...)
		}
		copy(file[from:to], now[from:to])
	}
	return write(i.left, path, file)
}

func list(fs vfs.FS, dir string) []string {
	names, err := fs.List(dir)
	if err != nil {
		return nil
	}
	return names
}

func isFolder(fs vfs.FS, path string) bool {
	info, err := fs.Stat(path)
	return err == nil && info.IsDir()
}

func read(fs vfs.FS, path string) []byte {
	f, err := fs.Open(path)
	if err != nil {
		return nil
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil
	}
	return b
}

func write(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
