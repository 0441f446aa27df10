package state

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// onlyReads lets nothing be changed that is on the file system.
func onlyReads(t *testing.T, mem vfs.FS) vfs.FS {
	return errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && !strings.HasSuffix(op.Path, lockName) {
			t.Errorf("%v %s", op.Kind, op.Path)
			return errorfs.ErrInjected
		}
		return nil
	}))
}

// dirOf opens a data folder on a file system and puts a few records and a commit into it.
func dirOf(t *testing.T, fs vfs.FS, entries int) *testLog {
	t.Helper()
	o := Options{FS: fs, Names: nudge.NewNames(), SegmentBytes: 700, spareInline: true}
	d, err := Open("data", o)
	if err != nil {
		t.Fatal(err)
	}
	o.setDefaults()
	tl := &testLog{Dir: d, fs: fs, opts: o, build: builder{names: o.Names}}
	for i := range entries {
		tl.append(t, 1+i%3)
	}
	if err := d.Store.Commit(func(w Writer) error { w.Put([]byte("k"), []byte("v")); return nil }); err != nil {
		t.Fatal(err)
	}
	return tl
}

// readOnly opens the folder for looking only.
func readOnly(t *testing.T, fs vfs.FS) (*testLog, error) {
	t.Helper()
	o := Options{FS: fs, Names: nudge.NewNames()}
	d, err := OpenReadOnly("data", o)
	if err != nil {
		return nil, err
	}
	return &testLog{Dir: d, fs: fs, opts: o, build: builder{names: o.Names}}, nil
}

func TestReadOnly(t *testing.T) {
	mem := vfs.NewMem()
	tl := dirOf(t, mem, 12)
	if _, err := readOnly(t, mem); err == nil {
		t.Fatal("opened beside the owner")
	}
	want, segments := tl.want, len(tl.Log.manifest.sealed)+1
	if err := tl.Dir.Close(); err != nil {
		t.Fatal(err)
	}
	before := filesOf(t, mem)
	ro, err := readOnly(t, onlyReads(t, mem))
	if err != nil {
		t.Fatal(err)
	}
	ro.want = want
	ro.check(t)
	if v, ok, err := ro.Store.Get([]byte("k")); string(v) != "v" || !ok || err != nil {
		t.Errorf("%q, %v, %v", v, ok, err)
	}
	list := ro.Log.Segments()
	last := list[len(list)-1]
	if len(list) != segments || list[0].First != 1 || list[0].Since != 10 || list[0].Active || !last.Active || last.Last != ro.Log.Next()-1 || last.At != 120 {
		t.Errorf("segments: %+v", list)
	}
	e := ro.build.entry(t, ro.Log.Next(), 1000, 1)
	_, rewriteErr := ro.Log.Rewrite(t.Context(), RewriteOptions{Through: 3})
	for i, err := range []error{
		ro.Log.Append(e), ro.Log.Sync(), ro.Log.Trim(5, 1<<40), rewriteErr,
		ro.Store.Commit(func(w Writer) error { w.Put([]byte("k"), nil); return nil }),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if err := ro.Dir.Close(); err != nil {
		t.Fatal(err)
	}
	if after := filesOf(t, mem); !maps.EqualFunc(before, after, bytes.Equal) {
		t.Error("files were changed")
	}
}

// Whatever a crash leaves, looking at it shows what opening it would keep, and changes nothing; after a crash of the change to another segment, too.
func TestReadOnlyAfterCrashes(t *testing.T) {
	mem := vfs.NewCrashableMem()
	c := newCrasher(mem, 1, func() any { return nil })
	tl := dirOf(t, c.fs(), 14)
	defer tl.Dir.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 4 { // over many pages, of which a crash may leave some
		e := tl.build.noisy(rng, tl.Log.Next(), tl.Log.LastAt(), 1, 40_000)
		if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	tl.rewrite(t, RewriteOptions{Hurry: true, Through: 9})
	looked, rolls, torn := 0, 0, 0
	for i, crash := range c.taken() {
		name := fmt.Sprintf("crash %d (%s)", i, crash.op)
		if _, err := crash.fs.Stat("data/log/" + manifestName); err != nil {
			continue // the folder is just being made
		}
		before := filesOf(t, crash.fs)
		ro, err := readOnly(t, onlyReads(t, crash.fs))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := ro.read(t, 0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		looked++
		if ro.Log.torn != "" {
			torn++
		}
		active := ro.Log.Segments()
		if m, err := parseManifest(before[manifestName]); err == nil && len(active) > len(m.sealed)+1 {
			rolls++
		}
		if err := ro.Dir.Close(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !maps.EqualFunc(before, filesOf(t, crash.fs), bytes.Equal) {
			t.Fatalf("%s: files were changed", name)
		}
		opened, err := tryOpen(t, crash.fs, tl.opts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kept, err := opened.read(t, 0)
		if err != nil || !equalFacts(got, kept) {
			t.Fatalf("%s: %d entries are shown, %d are kept; %v", name, len(got), len(kept), err)
		}
		opened.closeQuietly()
	}
	if looked < 100 || rolls == 0 || torn == 0 {
		t.Fatalf("%d crashes, %d between two segments, %d in an entry: the test does not test", looked, rolls, torn)
	}
}

// A backup has no lock and maybe no checkpoint; what is no data folder is said to be none.
func TestReadOnlyOfOtherFolders(t *testing.T) {
	mem := vfs.NewMem()
	if _, err := readOnly(t, mem); err == nil {
		t.Fatal("opened nothing")
	}
	tl := dirOf(t, mem, 3)
	if err := tl.Dir.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(mem.RemoveAll("data/store"), mem.Remove("data/LOCK")); err != nil {
		t.Fatal(err)
	}
	ro, err := readOnly(t, onlyReads(t, mem))
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Dir.Close()
	if got, err := ro.read(t, 0); ro.Store != nil || err != nil || !equalFacts(got, tl.want) {
		t.Fatalf("%v: %d entries", err, len(got))
	}
	names, err := mem.List("data")
	if err != nil || slices.Contains(names, "LOCK") || slices.Contains(names, "store") {
		t.Fatalf("%v: %v", err, names)
	}
}
