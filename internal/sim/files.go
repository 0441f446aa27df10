package sim

import (
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// files is the file system that a process is given: the one in memory, with the disk asked before each operation that changes something, and the
// medium told of it.
type files struct {
	vfs.FS
	d *disk
}

func (d *disk) fs() vfs.FS { return files{d.medium.mem, d} }

// Unwrap keeps Pebble from looking for a file system below: what it did there nobody would see.
func (f files) Unwrap() vfs.FS { return nil }

func (f files) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(name, opCreate, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f files) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	kind := opCreate
	if _, err := f.FS.Stat(name); err == nil {
		kind = "" // nothing changes
	}
	return f.open(name, kind, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

func (f files) open(name string, kind opKind, open func() (vfs.File, error)) (vfs.File, error) {
	if kind != "" {
		if err := f.d.ask(kind, name); err != nil {
			return nil, err
		}
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	inner, err := open()
	if err != nil {
		return nil, err
	}
	if kind != "" {
		f.d.medium.live[name] = &inode{path: name}
	}
	return &file{inner, f.d, f.d.medium.live[name]}, nil
}

func (f files) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	inner, err := f.FS.Open(name, o...)
	if err != nil {
		return nil, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return &file{inner, f.d, f.d.medium.live[name]}, nil
}

func (f files) OpenDir(name string) (vfs.File, error) {
	inner, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &folder{inner, f.d, path.Clean(name)}, nil
}

// change asks for an operation, and where that succeeds tells the medium.
func (f files) change(kind opKind, name string, do func() error, told func(m *medium)) error {
	if err := f.d.ask(kind, name); err != nil {
		return err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := do(); err != nil {
		return err
	}
	told(f.d.medium)
	return nil
}

func (f files) Link(from, to string) error {
	return f.change(opLink, to, func() error { return f.FS.Link(from, to) }, func(m *medium) { m.live[to] = m.live[from] })
}

func (f files) Rename(from, to string) error {
	return f.change(opRename, to, func() error { return f.FS.Rename(from, to) }, func(m *medium) { m.rename(from, to) })
}

func (f files) Remove(name string) error {
	return f.change(opRemove, name, func() error { return f.FS.Remove(name) }, func(m *medium) { delete(m.live, name) })
}

func (f files) MkdirAll(name string, perm os.FileMode) error {
	if _, err := f.FS.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.change(opFolder, name, func() error { return f.FS.MkdirAll(name, perm) }, func(m *medium) { m.makeFolder(name) })
}

var errUnused = errors.New("this operation is not simulated: nothing has used it")

func (f files) RemoveAll(string) error { return errUnused }

func (f files) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, errUnused
}

// file is an open file.
type file struct {
	vfs.File
	d    *disk
	node *inode
}

// path is where the file is now.
func (f *file) path() string {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return f.node.path
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.d.askRead(f.path()); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if err := f.d.askRead(f.path()); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func (f *file) Write(p []byte) (int, error) {
	room, full := f.d.askWrite(f.path(), len(p), true) // files that are not written at a place are only appended to
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	info, err := f.File.Stat()
	if err != nil || room == 0 {
		return 0, errors.Join(full, err)
	}
	f.node.wrote(info.Size(), room)
	n, err := f.File.Write(p[:room])
	return n, errors.Join(full, err)
}

func (f *file) WriteAt(p []byte, at int64) (int, error) {
	info, err := f.File.Stat()
	if err != nil {
		return 0, err
	}
	room, full := f.d.askWrite(f.path(), len(p), at+int64(len(p)) > info.Size())
	if room == 0 {
		return 0, full
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.node.wrote(at, room)
	n, err := f.File.WriteAt(p[:room], at)
	return n, errors.Join(full, err)
}

func (f *file) Sync() error { return f.SyncData() }

func (f *file) SyncData() error {
	err := f.d.ask(opSync, f.path())
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err == nil {
		err = f.node.synced(f.File)
	}
	f.node.clean() // after a failure, too: the system forgets that the pages never reached the disk
	return err
}

// folder is an open folder.
type folder struct {
	vfs.File
	d    *disk
	path string
}

func (f *folder) Sync() error {
	if err := f.d.ask(opSync, f.path); err != nil {
		return err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.medium.syncFolder(f.path)
	return nil
}
