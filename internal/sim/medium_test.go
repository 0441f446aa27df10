package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestMedium does random operations to a medium and to Pebble's crashable file system, and wants the same to be left of them, where nothing is
// kept that was not synced, and where everything is.
func TestMedium(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		m, mem := newMedium(), vfs.NewCrashableMem()
		d := newDisk(m, seed)
		both := []vfs.FS{d.fs(), mem}
		for range 1 + rng.IntN(60) {
			change := randomChange(rng, both)
			for _, fs := range both {
				if err := change(fs); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		}
		compare := func(what string, got *medium, want *vfs.MemFS) {
			if got, want := contentsOf(got.mem), contentsOf(want); !slices.Equal(got, want) {
				t.Fatalf("seed %d, %s: %s", seed, what, firstDifference(got, want))
			}
		}
		synced := mem.CrashClone(vfs.CrashCloneCfg{})
		compare("what was synced", m.leave(func() bool { return false }), synced)
		compare("everything", m.leave(func() bool { return true }), mem)
		compare("what processes see of a copy", m.clone(), mem)
		compare("what was synced, of a copy", m.clone().leave(func() bool { return false }), synced)
	}
}

// TestMediumMixes wants the changes of a folder that were not synced to be left in any combination: a file that was removed, and one that was made.
func TestMediumMixes(t *testing.T) {
	times := map[string]int{}
	for seed := range uint64(400) {
		m := newMedium()
		m.makeFolder("d")
		m.add("d", m.live["d"])
		m.add("d/old", &inode{path: "d/old"})
		m.syncFolder(".")
		m.syncFolder("d")
		delete(m.live, "d/old")
		m.add("d/new", &inode{path: "d/new"})
		if n := m.unsynced("d"); n != 2 {
			t.Fatalf("%d changes are not synced", n)
		}
		times[fmt.Sprint(contentsOf(m.mix(rand.New(rand.NewPCG(seed, 0))).mem))]++
	}
	for _, want := range []string{"[d/]", "[d/ d/new ]", "[d/ d/old ]", "[d/ d/new  d/old ]"} {
		if times[want] < 60 {
			t.Errorf("%s is left %d times: %v", want, times[want], times)
		}
	}
}

// randomChange is an operation that both file systems can do.
func randomChange(rng *rand.Rand, both []vfs.FS) func(vfs.FS) error {
	names := []string{"d/a", "d/b", "d/e/a", "d/e/b"}
	name, other := names[rng.IntN(len(names))], names[rng.IntN(len(names))]
	text, at := make([]byte, rng.IntN(1200)), rng.Int64N(1500)
	for i := range text {
		text[i] = byte(1 + rng.IntN(255))
	}
	_, err := both[0].Stat(name)
	there, folders := err == nil, isThere(both[0], "d/e")
	switch kind := rng.IntN(6); {
	case !folders:
		return func(fs vfs.FS) error { return fs.MkdirAll("d/e", 0o755) }
	case kind == 0 || !there:
		return func(fs vfs.FS) error {
			return onFile(fs.Create(name, vfs.WriteCategoryUnspecified))(func(vfs.File) error { return nil })
		}
	case kind == 1:
		return func(fs vfs.FS) error {
			return onFile(fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified))(func(f vfs.File) error { _, err := f.WriteAt(text, at); return err })
		}
	case kind == 2:
		return func(fs vfs.FS) error {
			return onFile(fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified))(vfs.File.Sync)
		}
	case kind == 3:
		dir := []string{"d", "d/e", ""}[rng.IntN(3)]
		return func(fs vfs.FS) error { return onFile(fs.OpenDir(dir))(vfs.File.Sync) }
	case kind == 4 && name != other:
		return func(fs vfs.FS) error { return fs.Rename(name, other) }
	}
	return func(fs vfs.FS) error { return fs.Remove(name) }
}

func isThere(fs vfs.FS, name string) bool {
	_, err := fs.Stat(name)
	return err == nil
}

// onFile does something to a file that was opened, and closes it.
func onFile(f vfs.File, err error) func(do func(vfs.File) error) error {
	return func(do func(vfs.File) error) error {
		if err != nil {
			return err
		}
		if err := do(f); err != nil {
			return err
		}
		return f.Close()
	}
}

// contentsOf lists all files with their bytes, the zeros at their end left out: a file that was grown and not synced may end anywhere.
func contentsOf(fs vfs.FS) (all []string) {
	var walk func(dir string)
	walk = func(dir string) {
		names, _ := fs.List(dir)
		slices.Sort(names)
		for _, name := range names {
			path := fs.PathJoin(dir, name)
			if info, err := fs.Stat(path); err == nil && info.IsDir() {
				all = append(all, path+"/")
				walk(path)
				continue
			}
			b := read(fs, path)
			for len(b) > 0 && b[len(b)-1] == 0 {
				b = b[:len(b)-1]
			}
			all = append(all, fmt.Sprintf("%s %x", path, b))
		}
	}
	walk("")
	return all
}
