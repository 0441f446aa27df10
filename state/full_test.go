package state

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// smallDisk is a file system that can be full: then files are neither made nor renamed, and a write gets half of its bytes in.
type smallDisk struct {
	vfs.FS
	mu   sync.Mutex
	full func(op string) bool // nil: there is room
}

func (d *smallDisk) Unwrap() vfs.FS { return d.FS }

func (d *smallDisk) set(full func(op string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

func (d *smallDisk) room(op, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full != nil && d.full(op+" "+name) {
		return &fs.PathError{Op: op, Path: name, Err: syscall.ENOSPC}
	}
	return nil
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.room("create", name); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	return smallFile{f, d, name}, err
}

func (d *smallDisk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := d.room("open", name); err != nil {
		return nil, err
	}
	f, err := d.FS.OpenReadWrite(name, c, o...)
	return smallFile{f, d, name}, err
}

func (d *smallDisk) Rename(from, to string) error {
	if err := d.room("rename", from); err != nil {
		return err
	}
	return d.FS.Rename(from, to)
}

type smallFile struct {
	vfs.File
	disk *smallDisk
	name string
}

func (f smallFile) Preallocate(from, length int64) error {
	if err := f.disk.room("reserve", f.name); err != nil {
		return err
	}
	return f.File.Preallocate(from, length)
}

func (f smallFile) Write(p []byte) (int, error) {
	if err := f.disk.room("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f smallFile) WriteAt(p []byte, pos int64) (int, error) {
	if err := f.disk.room("write", f.name); err != nil {
		n, _ := f.File.WriteAt(p[:len(p)/2], pos)
		return n, err
	}
	return f.File.WriteAt(p, pos)
}

// Wherever the log finds the disk full, for one operation or several, it says so and is as before; once there is room it goes on. A crash at
// any moment in between loses nothing that was acknowledged and is never taken for damage.
func TestLogFullDisk(t *testing.T) {
	met := map[string]bool{} // kinds of operations that found no room
	for seed := range uint64(10) {
		fullLog(t, seed, met)
	}
	for _, op := range []string{
		"write .seg", "open spare", "reserve spare", "write spare", "rename spare", "create manifest", "write manifest", "rename manifest",
		"create rewrite", "write rewrite", "rename rewrite", "refused", "trimmed",
	} {
		if !met[op] {
			t.Errorf("never full: %s", op)
		}
	}
}

func fullLog(t *testing.T, seed uint64, met map[string]bool) {
	rng := rand.New(rand.NewPCG(seed, 2))
	o := Options{SegmentBytes: 20 << 10, LogMaxBytes: 30 << 10, spareInline: true}
	var now known
	mem := vfs.NewCrashableMem()
	c := newCrasher(mem, seed, func() any { return now })
	disk := &smallDisk{FS: c.fs()}
	tl := openTest(t, disk, o)
	refused := 0
	for now.acked < 25 {
		runs := 1 + rng.IntN(4) // of operations that find no room
		from := rng.IntN(5)
		only := []string{"", "", "rewrite", "manifest", "spare"}[rng.IntN(5)]
		disk.set(func(op string) bool {
			if !strings.Contains(op, only) || runs <= 0 {
				return false
			}
			if from--; from >= 0 {
				return false
			}
			runs--
			met[opKind(op)] = true
			return true
		})
		for tries := 0; runs > 0 && tries < 20; tries++ {
			e := tl.build.noisy(rng, tl.Log.Next(), tl.Log.LastAt()+10, 1+rng.IntN(3), 1+rng.IntN(9_000))
			if rng.IntN(2) == 0 {
				e = tl.build.entry(t, tl.Log.Next(), tl.Log.LastAt()+10, 1+rng.IntN(4))
			}
			f := factOf(t, tl.build.names, e)
			tl.want = append(tl.want, f)
			now.appended++
			err := tl.Log.Append(e)
			if errors.Is(err, nudge.ErrFull) {
				refused++
				tl.want = tl.want[:len(tl.want)-1]
				now.appended--
				continue
			}
			if err := errors.Join(err, tl.Log.Sync()); err != nil {
				t.Fatal(err)
			}
			now.acked++
			if rng.IntN(4) == 0 {
				through := []nudge.Offset{0, tl.Log.Next() - 1}[rng.IntN(2)]
				if _, err := tl.Log.Rewrite(t.Context(), RewriteOptions{Through: through, Hurry: true}); err != nil && !errors.Is(err, nudge.ErrFull) {
					t.Fatal(err)
				}
			}
			if err := tl.Log.Trim(tl.Log.Next()-1, 0); err != nil && !errors.Is(err, nudge.ErrFull) {
				t.Fatal(err)
			}
		}
		disk.set(nil)
		if rng.IntN(8) == 0 {
			tl.reopen(t)
		}
	}
	if err := tl.Log.Trim(tl.Log.Next()-1, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := tl.read(t, 0); err != nil || !equalFacts(got, tl.want[len(tl.want)-len(got):]) || got[0].First != tl.Log.First() {
		t.Fatalf("seed %d: the log holds other entries than were taken (%v)", seed, err)
	}
	if held, files := len(tl.Log.manifest.sealed)+1, filesOf(t, mem); segments(files) != held {
		t.Fatalf("seed %d: %d segments are there, the log holds %d", seed, segments(files), held)
	}
	if refused > 0 {
		met["refused"] = true
	}
	if tl.Log.First() > 1 {
		met["trimmed"] = true
	}
	for i, crash := range c.taken() {
		if i%5 == 0 {
			checkCrash(t, fmt.Sprintf("seed %d, crash %d (%s)", seed, i, crash.op), crash.fs, o, tl.want, crash.state.(known))
		}
	}
}

func segments(fm files) (n int) {
	for name := range fm {
		if _, ok := parseSegmentName(name); ok {
			n++
		}
	}
	return n
}

// opKind is an operation and the kind of file that it is about.
func opKind(op string) string {
	verb, _, _ := strings.Cut(op, " ")
	for _, kind := range []string{"spare", "manifest", "rewrite", ".seg"} {
		if strings.Contains(op, kind) {
			return verb + " " + kind
		}
	}
	return op
}

// Once the next segment finds no room no entry is taken, however small, until it is made.
func TestLogFullDiskTakesAllOrNothing(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	tl := openTest(t, disk, Options{SegmentBytes: 4 << 10, spareInline: true})
	rng := rand.New(rand.NewPCG(1, 1))
	disk.set(func(op string) bool { return strings.Contains(op, spareName) })
	large := func() nudge.Entry { return tl.build.noisy(rng, tl.Log.Next(), tl.Log.LastAt(), 1, 3000) }
	small := func() nudge.Entry { return tl.build.noisy(rng, tl.Log.Next(), tl.Log.LastAt(), 1, 10) }
	for i, e := range []func() nudge.Entry{large, large, small, small} {
		err := tl.Log.Append(e())
		if full := errors.Is(err, nudge.ErrFull); full != (i > 0) || err != nil && !full {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	disk.set(nil)
	for range 3 {
		if err := errors.Join(tl.Log.Append(large()), tl.Log.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := tl.read(t, 0); err != nil || len(got) != 4 {
		t.Fatalf("the log holds %d entries, want 4 (%v)", len(got), err)
	}
}

// A sync that fails is final (I9), also where its reason is a full disk: what it dropped is not known.
func TestLogFullDiskAtSync(t *testing.T) {
	var on errorfs.Toggle
	on.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			return syscall.ENOSPC
		}
		return nil
	})
	tl := openTest(t, errorfs.Wrap(vfs.NewMem(), &on), Options{SegmentBytes: 1 << 16})
	tl.append(t, 1)
	on.On()
	e := tl.build.entry(t, tl.Log.Next(), tl.Log.LastAt(), 1)
	err := errors.Join(tl.Log.Append(e), tl.Log.Sync())
	on.Off()
	again := tl.Log.Append(e)
	if err == nil || again == nil || errors.Is(err, nudge.ErrFull) || errors.Is(again, nudge.ErrFull) {
		t.Fatalf("a failed sync: %v, then %v", err, again)
	}
}

// A commit that finds the disk full waits, whatever it was doing, and is done once there is room. Reads go on meanwhile.
func TestStoreFullDisk(t *testing.T) {
	for _, op := range []string{"create ", "write ", ".sst", "MANIFEST"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := &smallDisk{FS: vfs.NewMem()}
				s := openTestStore(t, disk)
				put(t, s, "a", "1")
				found := make(chan struct{}, 1)
				disk.set(func(o string) bool {
					if !strings.Contains(o, op) {
						return false
					}
					select {
					case found <- struct{}{}:
					default:
					}
					return true
				})
				done := make(chan error, 1)
				go func() {
					done <- s.Commit(func(w Writer) error { w.Put([]byte("b"), []byte(strings.Repeat("2", 100_000))); return nil })
				}()
				<-found
				time.Sleep(10 * time.Second) // virtual
				select {
				case err := <-done:
					t.Fatalf("the commit ended on a full disk: %v", err)
				default:
				}
				if got := contents(t, s); got["a"] != "1" {
					t.Fatalf("meanwhile the store holds %v", got)
				}
				disk.set(nil)
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				put(t, s, "c", "3")
				if err := s.close(); err != nil {
					t.Fatal(err)
				}
				again := openTestStore(t, disk)
				defer again.close()
				if got := contents(t, again); len(got) != 3 || len(got["b"]) != 100_000 {
					t.Fatalf("the store holds %v", maps.Keys(got))
				}
			})
		})
	}
}

// Once the store hurries, because the process is to end, a commit that waits for room ends with ErrFull; what was committed before is there.
func TestStoreHurries(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	s := openTestStore(t, disk)
	put(t, s, "a", "1")
	found := make(chan struct{}, 100)
	disk.set(func(o string) bool {
		if !strings.Contains(o, ".sst") {
			return false
		}
		select {
		case found <- struct{}{}:
		default:
		}
		return true
	})
	done := make(chan error, 1)
	go func() { done <- s.Commit(func(w Writer) error { w.Put([]byte("b"), []byte("2")); return nil }) }()
	<-found
	s.Hurry()
	if err := <-done; !errors.Is(err, nudge.ErrFull) {
		t.Fatalf("commit: %v", err)
	}
	if err := s.Commit(func(w Writer) error { w.Put([]byte("b"), []byte("2")); return nil }); !errors.Is(err, nudge.ErrFull) {
		t.Fatalf("the next commit: %v", err)
	}
	_ = s.close() // says once more what failed
	disk.set(nil)
	again := openTestStore(t, disk)
	defer again.close()
	if got := contents(t, again); !maps.Equal(got, map[string]string{"a": "1"}) {
		t.Fatalf("the store holds %v", got)
	}
}

// A commit that waits is done where there is room again when the store begins to hurry: it is tried before it is given up.
func TestStoreHurriesWithRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &smallDisk{FS: vfs.NewMem()}
		s := openTestStore(t, disk)
		disk.set(func(o string) bool { return strings.Contains(o, "MANIFEST") })
		done := make(chan error, 1)
		go func() { done <- s.Commit(func(w Writer) error { w.Put([]byte("a"), []byte("1")); return nil }) }()
		synctest.Wait() // it waits
		disk.set(nil)
		s.Hurry()
		if err := <-done; err != nil {
			t.Fatalf("commit: %v", err)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A store does not open on a full disk, says so, and opens once there is room.
func TestStoreOpensOnFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	s := openTestStore(t, mem)
	put(t, s, "a", "1")
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	disk := &smallDisk{FS: mem}
	for _, op := range []string{"create ", "write "} {
		disk.set(func(o string) bool { return strings.HasPrefix(o, op) })
		if _, err := tryOpenStore(disk); !errors.Is(err, nudge.ErrFull) || !strings.Contains(err.Error(), "data/store/room.tmp") {
			t.Fatalf("open where nothing can be done but %s: %v", op, err)
		}
		disk.set(nil)
		again := openTestStore(t, disk)
		if got := contents(t, again); !maps.Equal(got, map[string]string{"a": "1"}) {
			t.Fatalf("the store holds %v", got)
		}
		again.close()
	}
}
