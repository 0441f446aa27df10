package state

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// restore opens a backup as a server does.
func restore(t *testing.T, fs vfs.FS, dir string) *testLog {
	t.Helper()
	o := Options{FS: fs, Names: nudge.NewNames(), SegmentBytes: 700, spareInline: true}
	d, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	o.setDefaults()
	return &testLog{Dir: d, fs: fs, opts: o, build: builder{names: o.Names}}
}

func (tl *testLog) put(t *testing.T, value string) {
	t.Helper()
	if err := tl.Store.Commit(func(w Writer) error { w.Put([]byte("k"), []byte(value)); return nil }); err != nil {
		t.Fatal(err)
	}
}

func (tl *testLog) stored(t *testing.T) string {
	t.Helper()
	v, _, err := tl.Store.Get([]byte("k"))
	if err != nil {
		t.Fatal(err)
	}
	return string(v)
}

// A backup is a folder of its own: it holds what was there when it was made, whatever happens to the original afterwards, and goes on.
func TestBackup(t *testing.T) {
	for _, link := range []bool{true, false} {
		mem := vfs.NewMem()
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpLink && !link {
				return errors.New("links cannot be made here")
			}
			return nil
		}))
		tl := dirOf(t, fs, 14)
		tl.put(t, "then")
		tl.rewrite(t, RewriteOptions{Hurry: true, Through: 5})
		then := slices.Clone(tl.want)
		r, err := tl.Dir.Backup(t.Context(), "copy")
		if err != nil || r != (BackupReport{First: 1, Last: tl.Log.Next() - 1, At: tl.Log.LastAt(), Bytes: tl.Log.Bytes()}) {
			t.Fatalf("%v: %+v", err, r)
		}
		tl.append(t, 5, 5, 5)
		tl.put(t, "now")
		tl.rewrite(t, RewriteOptions{Hurry: true, Through: 20, Drop: func(nudge.Offset, nudge.Record) bool { return true }})
		tl.Log.opts.LogMaxBytes = 1
		if err := tl.Log.Trim(tl.Log.Next(), 0); err != nil || tl.Log.First() == 1 {
			t.Fatalf("nothing is trimmed behind a backup: %v", err)
		}
		for range 2 {
			b := restore(t, mem, "copy")
			if b.want = then; b.stored(t) != "then" {
				t.Errorf("the store of the backup holds %q", b.stored(t))
			}
			b.check(t)
			b.append(t, 1, 2)
			b.put(t, "then")
			then = b.want
			if err := b.Dir.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if tl.stored(t) != "now" {
			t.Errorf("the original holds %q", tl.stored(t))
		}
		if err := tl.Dir.Close(); err != nil {
			t.Fatal(err)
		}
		tl.goesOn(t)
	}
}

// goesOn opens the original again: making a backup has left nothing behind that a start refuses.
func (tl *testLog) goesOn(t *testing.T) {
	t.Helper()
	again := restore(t, tl.fs, "data")
	if again.stored(t) != "now" {
		t.Errorf("reopened, the original holds %q", again.stored(t))
	}
	if err := again.Dir.Close(); err != nil {
		t.Fatal(err)
	}
}

// While records are appended, committed, rewritten and trimmed, each backup holds all that was durable when it began, and a commit that is not ahead of
// its log.
func TestBackupUnderLoad(t *testing.T) {
	mem := vfs.NewMem()
	tl := dirOf(t, mem, 3)
	tl.put(t, "0")
	tl.Log.opts.LogMaxBytes = 4 << 10
	done := make(chan struct{})
	var wg sync.WaitGroup
	end := sync.OnceFunc(func() { close(done); wg.Wait() })
	defer end()
	again := func(do func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					do()
				}
			}
		})
	}
	again(func() { tl.append(t, 1, 2, 3) })
	again(func() {
		covered := tl.Log.Next() - 3 // what may be appended and not yet durable is behind
		tl.put(t, fmt.Sprint(uint64(covered)))
		if err := tl.Log.Trim(covered, 0); err != nil {
			t.Error(err)
		}
	})
	again(func() {
		if _, err := tl.Log.Rewrite(t.Context(), RewriteOptions{}); err != nil {
			t.Error(err)
		}
	})
	for i := 0; i < 10 || tl.Log.First() == 1; i++ { // backups of what is trimmed too
		before := tl.Log.Next() - 3
		name := fmt.Sprint("copy", i)
		r, err := tl.Dir.Backup(t.Context(), name)
		if err != nil || r.Last < before {
			t.Fatalf("%v: %+v, offset %d was durable before", err, r, before)
		}
		b := restore(t, mem, name)
		got, err := b.read(t, 0)
		if err != nil || b.Log.First() != r.First || b.Log.Next() != r.Last+1 || len(got) == 0 {
			t.Fatalf("%v: the backup holds %d to %d, want %+v", err, b.Log.First(), b.Log.Next()-1, r)
		}
		var covered nudge.Offset
		if _, err := fmt.Sscan(b.stored(t), &covered); err != nil || covered > r.Last || covered+1 < r.First {
			t.Fatalf("%v: the commit covers offset %d, the log holds %d to %d", err, covered, r.First, r.Last)
		}
		if err := b.Dir.Close(); err != nil {
			t.Fatal(err)
		}
	}
	end()
	if err := tl.Dir.Close(); err != nil {
		t.Fatal(err)
	}
}

// While the log is copied nothing of it may go, and what is committed meanwhile, which the copied log may not reach, is not in the copy.
func TestBackupOrder(t *testing.T) {
	mem := vfs.NewMem()
	var tl *testLog
	copying := 0
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		name := "copy" + unfinishedSuffix + "/log/"
		if !strings.HasPrefix(op.Path, name) && !(op.Kind == errorfs.OpLink && strings.HasPrefix(op.Path, "data/log/")) {
			return nil
		}
		if copying++; copying > 1 {
			return nil
		}
		if tl.Log.rewriteMu.TryLock() {
			t.Error("segments can be rewritten")
			tl.Log.rewriteMu.Unlock()
		}
		tl.Log.opts.LogMaxBytes = 1
		if err := tl.Log.Trim(tl.Log.Next(), 0); err != nil || tl.Log.First() != 1 {
			t.Errorf("segments can be trimmed: %v", err)
		}
		tl.append(t, 3, 3)
		tl.put(t, "too late")
		return nil
	}))
	tl = dirOf(t, fs, 12)
	tl.put(t, "in time")
	if _, err := tl.Dir.Backup(t.Context(), "copy"); err != nil || copying < 4 {
		t.Fatalf("%v; %d operations in the copy: the test does not test", err, copying)
	}
	b := restore(t, mem, "copy")
	if got := b.stored(t); got != "in time" {
		t.Errorf("the copy holds the commit %q", got)
	}
	if err := errors.Join(b.Dir.Close(), tl.Dir.Close()); err != nil {
		t.Fatal(err)
	}
}

// Whatever fails, there is no folder of the name, nothing is left, and the original goes on.
func TestBackupFails(t *testing.T) {
	for n := 0; ; n++ {
		var armed, failed bool
		left := n
		mem := vfs.NewMem()
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			read := op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpRemoveAll || op.Kind == errorfs.OpLink
			if !armed || failed || read || op.Kind == errorfs.OpFilePreallocate || op.Kind == errorfs.OpRemove {
				return nil
			}
			if left--; left >= 0 {
				return nil
			}
			failed = true
			return errorfs.ErrInjected
		}))
		tl := dirOf(t, fs, 6)
		armed = true
		_, err := tl.Dir.Backup(t.Context(), "copy")
		armed = false
		_, there := mem.Stat("copy")
		_, unfinished := mem.Stat("copy" + unfinishedSuffix)
		if failed && (!errors.Is(unfinished, errNotExist) || err == nil) {
			t.Fatalf("failure %d: %v, and unfinished: %v", n, err, unfinished)
		}
		if failed && there == nil { // renamed, and the folder not synced: it may be whole, and may not be called so
			b := restore(t, mem, "copy")
			b.want = tl.want
			b.check(t)
			if err := b.Dir.Close(); err != nil {
				t.Fatal(err)
			}
		}
		tl.append(t, 1)
		tl.put(t, "on")
		tl.check(t)
		if err := tl.Dir.Close(); err != nil {
			t.Fatal(err)
		}
		if !failed {
			if n < 20 || err != nil {
				t.Fatalf("%v: only %d operations failed: the test does not test", err, n)
			}
			return
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	mem := vfs.NewMem()
	tl := dirOf(t, mem, 3)
	defer tl.Dir.Close()
	if err := mem.MkdirAll("there", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := tl.Dir.Backup(t.Context(), "there"); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tl.Dir.Backup(ctx, "copy"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := mem.Stat("copy" + unfinishedSuffix); !errors.Is(err, errNotExist) {
		t.Error(err)
	}
	// What an earlier try left behind does not stand in the way.
	if err := mem.MkdirAll("copy"+unfinishedSuffix+"/log", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := tl.Dir.Backup(t.Context(), "copy"); err != nil {
		t.Error(err)
	}
}

// Before a backup has its name it is whole on the disk.
func TestBackupCrash(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var began atomic.Bool
	c := newCrasher(mem, 1, func() any { return began.Load() })
	tl := dirOf(t, c.fs(), 9)
	defer tl.Dir.Close()
	tl.put(t, "k")
	began.Store(true)
	if _, err := tl.Dir.Backup(t.Context(), "copy"); err != nil {
		t.Fatal(err)
	}
	c.crash("behind it")
	whole, none := 0, 0
	for i, crash := range c.taken() {
		if !crash.state.(bool) {
			continue
		}
		if _, err := crash.fs.Stat("copy"); err != nil {
			none++
			continue
		}
		whole++
		b := restore(t, crash.fs, "copy")
		b.want = tl.want
		b.check(t)
		if b.stored(t) != "k" {
			t.Fatalf("crash %d (%s): the store holds %q", i, crash.op, b.stored(t))
		}
		if err := b.Dir.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if whole == 0 || none == 0 {
		t.Fatalf("%d crashes left a backup, %d none: the test does not test", whole, none)
	}
}
