package state

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// storeFiles are a store's files as bytes.
func storeFiles(t *testing.T, fs vfs.FS) files {
	t.Helper()
	names, err := fs.List("data/store")
	if err != nil {
		t.Fatal(err)
	}
	fm := files{}
	for _, name := range names {
		if fm[name], err = readFile(fs, "data/store/"+name); err != nil {
			t.Fatal(err)
		}
	}
	return fm
}

// putStore makes a file system that holds a store of these files, but for one that is changed.
func (fm files) putStore(t *testing.T, name string, b []byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := makeFolders(fs, "data", "data/store"); err != nil {
		t.Fatal(err)
	}
	for n, content := range fm {
		if n == name {
			if content = b; b == nil {
				continue
			}
		}
		f, err := fs.Create("data/store/"+n, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(append([]byte(nil), content...))
		f.Close()
	}
	return fs
}

func (fm files) find(t *testing.T, prefix string) string {
	t.Helper()
	for name := range fm {
		if strings.HasPrefix(name, prefix) {
			return name
		}
	}
	t.Fatalf("no file begins with %s: %v", prefix, fm)
	return ""
}

// Whatever is flipped in or cut off what was synced of Pebble's manifest, and whatever is missing of what leads to it, keeps the store from being
// opened: Pebble by itself would open an older state, or an empty one.
func TestStoreManifestDamage(t *testing.T) {
	mem := vfs.NewMem()
	s := openTestStore(t, mem)
	for n := range 5 {
		put(t, s, "a", fmt.Sprint(n), fmt.Sprint("b", n), "1")
	}
	want := contents(t, s)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	fm := storeFiles(t, mem)
	manifest, marker := fm.find(t, manifestPrefix), fm.find(t, "marker.manifest")
	refuse := func(what, name string, b []byte) {
		t.Helper()
		s, err := tryOpenStore(fm.putStore(t, name, b))
		var damage *StoreDamage
		if err == nil {
			t.Errorf("%s: the store opens with %v", what, contents(t, s))
			s.close()
		} else if !errors.As(err, &damage) || !strings.Contains(err.Error(), "move the folder data/store away") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := 0; i < 8*len(fm[manifest]); i += 5 * everyNth {
		b := append([]byte(nil), fm[manifest]...)
		b[i/8] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("bit %d of the manifest is flipped", i), manifest, b)
	}
	for i := range fm[manifest] {
		refuse(fmt.Sprintf("the manifest ends at byte %d", i), manifest, fm[manifest][:i])
	}
	options := fm.find(t, optionsPrefix)
	for i := 0; i < 8*len(fm[options]); i += 41 {
		b := append([]byte(nil), fm[options]...)
		b[i/8] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("bit %d of the options is flipped", i), options, b)
	}
	refuse("the options are cut", options, fm[options][:len(fm[options])/2])
	refuse("the manifest is missing", manifest, nil)
	refuse("the marker is missing", marker, nil)
	for i := 0; i < 8*len(fm[sumsName]); i += 5 * everyNth {
		b := append([]byte(nil), fm[sumsName]...)
		b[i/8] ^= 1 << (i % 8)
		refuse(fmt.Sprintf("bit %d of the notes is flipped", i), sumsName, b)
	}
	older := maps.Clone(fm)
	delete(older, marker)
	older[strings.ReplaceAll(marker, manifest, "MANIFEST-000099")] = nil
	fm, older = older, fm
	refuse("the marker names another manifest", "", nil)
	fm = older

	for name, fs := range map[string]vfs.FS{
		"as it is": fm.putStore(t, "", nil), "an older build's": fm.putStore(t, sumsName, nil),
		"with the remains of a crash": fm.putStore(t, manifest, append(append([]byte(nil), fm[manifest]...), 1, 2, 3, 4, 5, 6, 7, 8)),
	} {
		s := openTestStore(t, fs)
		if got := contents(t, s); !maps.Equal(got, want) {
			t.Errorf("%s: the store holds %v", name, got)
		}
		s.close()
	}
}

// Starts that end one after the other between the sync of the next manifest and the move of the marker leave a store that opens: the notes of the
// valid manifest outlast them, also where an older build left none.
func TestStoreStartsThatEndBeforeTheMarker(t *testing.T) {
	for _, noted := range []bool{true, false} {
		mem := vfs.NewCrashableMem()
		s := openTestStore(t, mem)
		put(t, s, "a", "1")
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		if !noted {
			if err := errors.Join(mem.Remove("data/store/"+sumsName), syncDir(mem, "data/store")); err != nil {
				t.Fatal(err)
			}
		}
		for n := range sumsKept + 1 {
			var left *vfs.MemFS // by a crash at the marker
			watched := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind == errorfs.OpCreate && strings.Contains(op.Path, "marker."+markerName) {
					left = mem.CrashClone(vfs.CrashCloneCfg{})
				}
				return nil
			}))
			s, err := tryOpenStore(watched)
			if err != nil {
				t.Fatalf("notes %v, start %d: %v", noted, n, err)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			if left == nil {
				t.Fatal("a start moves no marker")
			}
			mem = left
		}
		again := openTestStore(t, mem)
		if got := contents(t, again); got["a"] != "1" {
			t.Errorf("notes %v: the store holds %v", noted, got)
		}
		if err := again.close(); err != nil {
			t.Fatal(err)
		}
	}
}
