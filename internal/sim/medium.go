package sim

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sectorBytes is what a disk writes at once.
const sectorBytes = 512

// medium is the files as processes see them, and as far as they are on the disk. What a crash leaves is all that was synced, and of the rest some
// entries of folders and some sectors of files, each on its own.
//
// Lost: the crashes of Pebble's file system in memory. What they leave follows the order of a Go map, so that no seed could be repeated; they
// tear nothing below 4 KiB; and a sync that fails leaves nothing behind there, though a real system then takes for written what is not.
type medium struct {
	mem     *vfs.MemFS
	live    map[string]*inode // by path
	durable map[string]*inode // by path, as each folder was when it was synced last
}

// inode is a file or folder, under whatever name.
type inode struct {
	path    string // in live
	folder  bool
	durable []byte // what of it is on the disk
	dirty   []bool // by sector: it was written since the last sync
}

func newMedium() *medium {
	return &medium{mem: vfs.NewMem(), live: map[string]*inode{}, durable: map[string]*inode{}}
}

func (m *medium) rename(from, to string) {
	node := m.live[from]
	node.path = to
	m.live[to] = node
	delete(m.live, from)
}

// makeFolder adds a folder and those above it that are missing.
func (m *medium) makeFolder(name string) {
	if !m.has(name) {
		m.makeFolder(path.Dir(name))
		m.live[name] = &inode{path: name, folder: true}
	}
}

// syncFolder makes the entries of a folder durable.
func (m *medium) syncFolder(dir string) {
	for name := range m.durable {
		if path.Dir(name) == dir && m.live[name] == nil {
			delete(m.durable, name)
		}
	}
	for name, node := range m.live {
		if path.Dir(name) == dir {
			m.durable[name] = node
		}
	}
}

// wrote notes that n bytes at a place are in the system's memory only.
func (n *inode) wrote(at int64, size int) {
	if size == 0 {
		return
	}
	last := (int(at) + size - 1) / sectorBytes
	for len(n.dirty) <= last {
		n.dirty = append(n.dirty, false)
	}
	for s := int(at) / sectorBytes; s <= last; s++ {
		n.dirty[s] = true
	}
}

// clean forgets what was written.
func (n *inode) clean() { n.dirty = n.dirty[:0] }

// synced puts what was written on the disk.
func (n *inode) synced(f io.ReaderAt) error {
	var buf [sectorBytes]byte
	for s, dirty := range n.dirty {
		if !dirty {
			continue
		}
		size, err := f.ReadAt(buf[:], int64(s)*sectorBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		n.durable = put(n.durable, s, buf[:size])
	}
	return nil
}

// put writes a sector into a file's bytes.
func put(b []byte, sector int, bytes []byte) []byte {
	at := sector * sectorBytes
	if grow := at + len(bytes) - len(b); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[at:], bytes)
	return b
}

// crash is what is left if the process, or the whole machine, stops now.
func (m *medium) crash(rng *rand.Rand) *medium {
	if rng.IntN(6) == 0 {
		return m.clone() // the machine goes on
	}
	percent := []int{0, 0, 30, 60, 90}[rng.IntN(5)]
	return m.leave(func() bool { return percent > 0 && rng.IntN(100) < percent })
}

// mix is what is left if the machine stops now, where each thing that was not synced is as likely on the disk as not. A file system writes the entries
// of a folder in any order: of a removal and the creation before it either may be left alone. crash leaves just that too seldom.
func (m *medium) mix(rng *rand.Rand) *medium {
	return m.leave(func() bool { return rng.IntN(2) == 0 })
}

// unsynced is how many entries of a folder are not on the disk as processes see them.
func (m *medium) unsynced(dir string) (n int) {
	for _, name := range m.paths() {
		if path.Dir(name) == dir && m.live[name] != m.durable[name] {
			n++
		}
	}
	return n
}

// leave is what is on the disk, with as much of what was not synced as keeps says, entry by entry and sector by sector.
func (m *medium) leave(keeps func() bool) *medium {
	left := newMedium()
	for _, name := range m.paths() {
		was, is := m.durable[name], m.live[name]
		node := was
		if was != is && keeps() {
			node = is
		}
		if node == nil || !left.has(path.Dir(name)) {
			continue
		}
		left.add(name, &inode{path: name, folder: node.folder, durable: m.contents(node, keeps)})
	}
	left.durable = maps.Clone(left.live)
	return left
}

// contents are a file's bytes on the disk, with the written sectors that keeps keeps.
func (m *medium) contents(n *inode, keeps func() bool) []byte {
	b := slices.Clone(n.durable)
	var now []byte
	for s, dirty := range n.dirty {
		if !dirty || !keeps() {
			continue
		}
		if now == nil && m.live[n.path] == n {
			now = read(m.mem, n.path)
		}
		if from := s * sectorBytes; from < len(now) {
			b = put(b, s, now[from:min(from+sectorBytes, len(now))])
		}
	}
	return b
}

// clone is the same once more: what was not synced is not, but processes see it.
func (m *medium) clone() *medium {
	c := newMedium()
	copies := map[*inode]*inode{}
	for _, name := range m.paths() {
		if n := m.live[name]; n != nil {
			copies[n] = &inode{path: name, folder: n.folder, durable: slices.Clone(n.durable), dirty: slices.Clone(n.dirty)}
			c.add(name, copies[n])
			if !n.folder {
				mustWrite(c.mem, name, read(m.mem, name))
			}
		}
	}
	for name, n := range m.durable {
		if copies[n] == nil { // it has no name any more
			copies[n] = &inode{durable: slices.Clone(n.durable)}
		}
		c.durable[name] = copies[n]
	}
	return c
}

// has says whether a folder is there.
func (m *medium) has(dir string) bool { return dir == "." || m.live[dir] != nil }

// add puts a file or folder where there is none.
func (m *medium) add(name string, n *inode) {
	m.live[name] = n
	if n.folder {
		if err := m.mem.MkdirAll(name, 0o755); err != nil {
			panic("BUG: a folder in memory: " + err.Error())
		}
		return
	}
	mustWrite(m.mem, name, n.durable)
}

// paths are all there are, each folder before what is in it.
func (m *medium) paths() []string {
	all := slices.Collect(maps.Keys(m.live))
	for name := range m.durable {
		if m.live[name] == nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func read(fs vfs.FS, name string) []byte {
	f, err := fs.Open(name)
	if err != nil {
		panic(fmt.Sprintf("BUG: the file %s in memory: %v", name, err))
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		panic(fmt.Sprintf("BUG: the file %s in memory: %v", name, err))
	}
	return b
}

func mustWrite(fs vfs.FS, name string, b []byte) {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		panic(fmt.Sprintf("BUG: the file %s in memory: %v", name, err))
	}
}
