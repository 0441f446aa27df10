package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

func openTestStore(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := tryOpenStore(fs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryOpenStore(fs vfs.FS) (*Store, error) {
	o := Options{FS: fs, Names: nudge.NewNames()}
	o.setDefaults()
	if err := makeFolders(fs, "data", "data/store"); err != nil {
		return nil, err
	}
	return openStore("data/store", o, func() bool { return true })
}

func put(t testing.TB, s *Store, pairs ...string) {
	t.Helper()
	err := s.Commit(func(w Writer) error {
		for i := 0; i < len(pairs); i += 2 {
			w.Put([]byte(pairs[i]), []byte(pairs[i+1]))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func contents(t testing.TB, s *Store) map[string]string {
	t.Helper()
	m := map[string]string{}
	if err := s.Scan(nil, nil, func(k, v []byte) error { m[string(k)] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStoreCommitGetScan(t *testing.T) {
	fs := vfs.NewMem()
	s := openTestStore(t, fs)
	put(t, s, "a", "1", "b", "2", "c", "3", "d", "4", "e", "")
	err := s.Commit(func(w Writer) error {
		w.Delete([]byte("a"))
		w.DeleteRange([]byte("c"), []byte("d"))
		w.Put([]byte("f"), []byte("6"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = openTestStore(t, fs)
	defer s.close()
	for key, want := range map[string]string{"b": "2", "d": "4", "e": "", "f": "6"} {
		if v, ok, err := s.Get([]byte(key)); err != nil || !ok || string(v) != want {
			t.Errorf("get %s: %q %v %v", key, v, ok, err)
		}
	}
	for _, key := range []string{"a", "c", "z"} {
		if v, ok, err := s.Get([]byte(key)); err != nil || ok {
			t.Errorf("get %s: %q %v %v", key, v, ok, err)
		}
	}
	for _, c := range []struct{ from, to, want string }{
		{"", "", "b d e f"}, {"b", "e", "b d"}, {"c", "", "d e f"}, {"", "d", "b"}, {"g", "", ""}, {"e", "e", ""},
	} {
		bound := func(s string) []byte {
			if s == "" {
				return nil
			}
			return []byte(s)
		}
		var up, down []string
		err1 := s.Scan(bound(c.from), bound(c.to), func(k, _ []byte) error { up = append(up, string(k)); return nil })
		err2 := s.ScanReverse(bound(c.from), bound(c.to), func(k, _ []byte) error { down = append(down, string(k)); return nil })
		slices.Reverse(down)
		if err1 != nil || err2 != nil || strings.Join(up, " ") != c.want || strings.Join(down, " ") != c.want {
			t.Errorf("scan [%s, %s): %v, reversed %v, want %s (%v, %v)", c.from, c.to, up, down, c.want, err1, err2)
		}
	}
	stop := errors.New("stop")
	if err := s.Scan(nil, nil, func(_, _ []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("scan that is stopped: %v", err)
	}
}

func TestStoreCommitThatFailsChangesNothing(t *testing.T) {
	s := openTestStore(t, vfs.NewMem())
	defer s.close()
	put(t, s, "a", "1")
	no := errors.New("no")
	if err := s.Commit(func(w Writer) error { w.Put([]byte("a"), []byte("2")); return no }); !errors.Is(err, no) {
		t.Fatal(err)
	}
	put(t, s, "b", "1")
	if got := contents(t, s); !maps.Equal(got, map[string]string{"a": "1", "b": "1"}) {
		t.Fatal(got)
	}
}

// Commits are all or nothing, and there when Commit returned, wherever the machine stops: between any two operations on files.
func TestStoreCrash(t *testing.T) {
	for _, size := range []int{10, 20000} { // in a memory table, and larger than one
		for seed := range uint64(crashSeeds) {
			t.Run(fmt.Sprintf("size=%d/seed=%d", size, seed), func(t *testing.T) { crashStore(t, seed, size) })
		}
	}
}

func crashStore(t *testing.T, seed uint64, valueBytes int) {
	mem := vfs.NewCrashableMem()
	var done int // commits that returned; only changed between operations of this goroutine
	c := newCrasher(mem, seed, func() any { return done })
	s, err := tryOpenStore(c.fs())
	if err != nil {
		t.Fatal(err)
	}
	const keys = 40
	for n := 1; n <= 4; n++ {
		pairs := []string{}
		for k := range keys {
			pairs = append(pairs, fmt.Sprintf("key%d", k), fmt.Sprintf("%d%s", n, strings.Repeat("x", valueBytes)))
		}
		put(t, s, pairs...)
		c.mu.Lock()
		done = n
		c.mu.Unlock()
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if len(c.taken()) < 50 {
		t.Fatalf("only %d crashes: the test does not test", len(c.taken()))
	}
	for i, clone := range c.taken() {
		s, err := tryOpenStore(clone.fs)
		if err != nil {
			t.Fatalf("crash %d (%s): %v", i, clone.op, err)
		}
		got := contents(t, s)
		seen := map[string]int{}
		for _, v := range got {
			seen[v[:1]]++
		}
		atLeast := clone.state.(int)
		ok := len(seen) == 0 && atLeast == 0
		for n := atLeast; n <= atLeast+1; n++ {
			ok = ok || len(seen) == 1 && seen[fmt.Sprint(n)] == keys
		}
		if !ok {
			t.Fatalf("crash %d (%s): %d commits were done, found %v", i, clone.op, atLeast, seen)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreFailedFlushIsFinal(t *testing.T) {
	var on errorfs.Toggle
	on.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync && strings.HasSuffix(op.Path, ".sst") || op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".sst") {
			return errorfs.ErrInjected
		}
		return nil
	})
	s := openTestStore(t, errorfs.Wrap(vfs.NewMem(), &on))
	put(t, s, "a", "1")
	on.On()
	write := func(w Writer) error { w.Put([]byte("a"), []byte("2")); return nil }
	if err := s.Commit(write); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatalf("commit: %v", err)
	}
	on.Off()
	if err := s.Commit(write); !errors.Is(err, errorfs.ErrInjected) {
		t.Fatalf("commit after a failed one: %v", err)
	}
	s.close()
}

func TestStoreReadsDuringCommits(t *testing.T) {
	s := openTestStore(t, vfs.NewMem())
	defer s.close()
	put(t, s, "a", "0", "b", "0")
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 300 {
				var values []string
				err := s.Scan(nil, nil, func(_, v []byte) error { values = append(values, string(v)); return nil })
				if err != nil || len(values) != 2 || values[0] != values[1] {
					t.Errorf("scan: %v, %v", values, err)
				}
				if _, ok, err := s.Get([]byte("a")); !ok || err != nil {
					t.Errorf("get: %v, %v", ok, err)
				}
			}
		})
	}
	for n := range 40 {
		put(t, s, "a", fmt.Sprint(n), "b", fmt.Sprint(n))
	}
	wg.Wait()
}

// A flipped bit of a table, wherever it is, changes nothing that is read, or is named with its file (I7): also where it ends a scan, not only where
// it keeps one from beginning.
func TestStoreNamesDamage(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := openTestStore(t, mem)
	var pairs []string
	for i := range 200 {
		pairs = append(pairs, fmt.Sprintf("key %03d", i), strings.Repeat(fmt.Sprint(i), 30))
	}
	put(t, s, pairs...)
	want := contents(t, s)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	names, _ := mem.List("data/store")
	table := names[slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".sst") })]
	info, err := mem.Stat("data/store/" + table)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := int64(0); at < info.Size(); at += 37 {
		fs := mem.CrashClone(vfs.CrashCloneCfg{})
		flipBit(t, fs, "data/store/"+table, at)
		s, err := tryOpenStore(fs)
		got := map[string]string{}
		if err == nil {
			err = s.Scan(nil, nil, func(k, v []byte) error { got[string(k)] = string(v); return nil })
		}
		var damage *StoreDamage
		switch {
		case errors.As(err, &damage) && strings.Contains(damage.File, table):
			found++
		case err != nil:
			t.Fatalf("byte %d: %v, which does not name the file", at, err)
		case !maps.Equal(got, want):
			t.Fatalf("byte %d: other contents, and nothing says so", at)
		}
		if s != nil {
			_ = s.close()
		}
	}
	if found == 0 {
		t.Fatal("no flipped bit was found: the test does not test")
	}
}

func flipBit(t *testing.T, fs vfs.FS, path string, at int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
