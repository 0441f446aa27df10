package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// I9: after any operation of Append or Sync failed, every later call returns the same error, and nothing that was acknowledged is lost.
func TestLogFailedOperationIsFinal(t *testing.T) {
	o := Options{SegmentBytes: 700, spareInline: true}
	for n := 0; ; n++ {
		var armed, failed bool
		left := n
		var op string
		mem := vfs.NewMem()
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
			// Reserving space is a wish; whether there is room shows when zeros are written.
			if !armed || failed || o.Kind == errorfs.OpFilePreallocate || o.Kind.ReadOrWrite() == errorfs.OpIsRead && o.Kind != errorfs.OpOpenDir {
				return nil
			}
			if left--; left >= 0 {
				return nil
			}
			failed = true
			op = fmt.Sprint(o.Kind, " ", o.Path)
			return errorfs.ErrInjected
		}))
		tl := openTest(t, fs, o)
		tl.append(t, 1)
		armed = true
		err := appendUntilError(t, tl, 8)
		if failed && err == nil {
			err = appendUntilError(t, tl, 8) // a spare that could not be made shows when it is needed
		}
		armed = false
		if !failed {
			if n < 20 {
				t.Fatalf("only %d operations failed: the test does not test", n)
			}
			break
		}
		if err == nil {
			t.Fatalf("failure %d, %s: was not noticed", n, op)
		}
		next := tl.Log.Next()
		e := tl.build.entry(t, next, tl.Log.LastAt(), 1)
		if e1, e2 := tl.Log.Append(e), tl.Log.Sync(); !errors.Is(e1, errorfs.ErrInjected) || e1 != err || e2 != err {
			t.Fatalf("failure of %s: %v, then Append: %v, Sync: %v", op, err, e1, e2)
		}
		tl.closeQuietly()
		again := openTest(t, mem, o)
		got, rerr := again.read(t, 0)
		if rerr != nil || len(got) < len(tl.want) || len(got) > len(tl.want)+1 || !equalFacts(got[:len(tl.want)], tl.want) {
			t.Fatalf("failure of %s: reopened with %d entries, %d acknowledged, %v", op, len(got), len(tl.want), rerr)
		}
	}
}

func appendUntilError(t *testing.T, tl *testLog, n int) error {
	for range n {
		e := tl.build.entry(t, tl.Log.Next(), tl.Log.LastAt()+1, 1)
		f := factOf(t, tl.build.names, e)
		if err := tl.Log.Append(e); err != nil {
			return err
		}
		if err := tl.Log.Sync(); err != nil {
			return err
		}
		tl.want = append(tl.want, f)
	}
	return nil
}

// An entry whose sync failed in the process before may be in the system's cache only, as if it were written. Opening writes it again.
func TestLogOpenWritesTheLastEntryAgain(t *testing.T) {
	mem := vfs.NewMem()
	o := Options{SegmentBytes: 1 << 16}
	tl := openTest(t, mem, o)
	tl.append(t, 1, 2)
	pos := tl.Log.synced.pos
	tl.append(t, 1)
	tl.closeQuietly()
	var ops []string
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, segmentSuffix) {
			ops = append(ops, fmt.Sprint(op.Kind, op.Offset))
		}
		return nil
	}))
	openTest(t, fs, o)
	write := slices.Index(ops, fmt.Sprint(errorfs.OpFileWriteAt, pos))
	if write < 0 || !slices.Contains(ops[write:], fmt.Sprint(errorfs.OpFileSync, 0)) {
		t.Fatalf("no write at %d with a sync behind it: %v", pos, ops)
	}
}

func TestLogRefuses(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 16})
	tl.append(t, 3)
	next, at := tl.Log.Next(), tl.Log.LastAt()
	good := tl.build.entry(t, next, at, 2)
	with := func(change func(e *nudge.Entry)) nudge.Entry {
		e := good
		e.Records = slices.Clone(e.Records)
		change(&e)
		return e
	}
	unknown := nudge.RecordBuilder{}
	unknown.Begin(nudge.RecordEvent, nudge.NamePath)
	unknown.Number(tl.build.name(t, "a new name"), 1)
	unknown.Number(nudge.NameID(tl.build.names.Len()), 1)
	unknown.End(0)
	long := nudge.RecordBuilder{}
	long.Begin(nudge.RecordEvent, tl.build.name(t, strings.Repeat("n", nudge.MaxNameBytes+1)))
	long.End(0)
	for _, c := range []struct {
		what string
		e    nudge.Entry
		want string
	}{
		{"gap", with(func(e *nudge.Entry) { e.First++ }), "the log goes on with offset 4"},
		{"doubled", with(func(e *nudge.Entry) { e.First-- }), "the log goes on with offset 4"},
		{"time goes back", with(func(e *nudge.Entry) { e.At-- }), "log time goes back"},
		{"too few records", with(func(e *nudge.Entry) { e.Count++ }), "says 3 records and holds 2"},
		{"too many records", with(func(e *nudge.Entry) { e.Count-- }), "says 1 records and holds 2"},
		{"none", with(func(e *nudge.Entry) { e.Count, e.Records = 0, nil }), "at least one"},
		{"cut", with(func(e *nudge.Entry) { e.Records = e.Records[:len(e.Records)-1] }), "record 1 of the entry: record is not well formed"},
		{"unknown name", nudge.Entry{First: next, At: at, Count: 1, Records: unknown.Buf}, "stands for"},
		{"long name", nudge.Entry{First: next, At: at, Count: 1, Records: long.Buf}, "a name has 1 to 256 bytes"},
		{"too large", nudge.Entry{First: next, At: at, Count: 1, Records: make([]byte, MaxEntryBytes+1)}, "at most 16777216"},
	} {
		if err := tl.Log.Append(c.e); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
	// None of it was taken, and none of it harms what follows. The new name of the refused record is defined by the first that is taken.
	tl.append(t, 1)
	later := nudge.RecordBuilder{}
	later.Begin(nudge.RecordEvent, nudge.NamePath)
	later.Number(tl.build.name(t, "a new name"), 2)
	later.End(0)
	e := nudge.Entry{First: tl.Log.Next(), At: at + 20, Count: 1, Records: later.Buf}
	tl.want = append(tl.want, factOf(t, tl.build.names, e))
	if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
		t.Fatal(err)
	}
	tl.reopen(t)
	tl.check(t)
}

// The largest entry there may be goes in and comes out.
func TestLogLargestEntry(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 12})
	var b nudge.RecordBuilder
	const records = MaxEntryBytes / nudge.MaxRecordBytes
	for range records {
		b.Begin(nudge.RecordEvent, nudge.NamePath)
		b.Text(nudge.NameTitle, strings.Repeat("x", nudge.MaxRecordBytes-32-9))
		b.End(0)
	}
	if len(b.Buf) != MaxEntryBytes {
		t.Fatalf("%d bytes: the test does not test", len(b.Buf))
	}
	e := nudge.Entry{First: 1, At: 1, Count: records, Records: b.Buf}
	tl.want = append(tl.want, factOf(t, tl.build.names, e))
	if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
		t.Fatal(err)
	}
	tl.append(t, 1)
	tl.reopen(t)
	tl.check(t)
}

// Append syncs an entry that its caller did not: never are two unsynced.
func TestLogAppendSyncsTheEntryBefore(t *testing.T) {
	syncs := 0
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			syncs++
		}
		return nil
	}))
	tl := openTest(t, fs, Options{SegmentBytes: 1 << 16})
	for i := range 3 {
		e := tl.build.entry(t, tl.Log.Next(), 0, 1)
		tl.want = append(tl.want, factOf(t, tl.build.names, e))
		if err := tl.Log.Append(e); err != nil || syncs != i {
			t.Fatalf("after append %d: %d syncs, %v", i, syncs, err)
		}
	}
	if got, err := tl.read(t, 0); err != nil || !equalFacts(got, tl.want[:2]) {
		t.Fatalf("an entry that is not synced is read: %v, %v", got, err)
	}
	for range 2 {
		if err := tl.Log.Sync(); err != nil || syncs != 3 {
			t.Fatalf("%d syncs, %v", syncs, err)
		}
	}
	tl.check(t)
}

// A process that ends between the rename of a manifest and the sync of its folder leaves a folder that shows what is not on the disk. The next one
// goes on from what it sees, so that must be there after a power cut, too.
func TestLogOpenSyncsTheFolder(t *testing.T) {
	o := Options{SegmentBytes: 700, spareInline: true}
	for n := range 8 { // the n-th sync of the folder fails
		mem := vfs.NewCrashableMem()
		left, failed := n, false
		tl := openTest(t, mem, o)
		folder := tl.Log.dir
		tl.closeQuietly()
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind != errorfs.OpFileSync || op.Path != folder {
				return nil
			}
			if left--; left >= 0 || failed {
				return nil
			}
			failed = true
			return errorfs.ErrInjected
		}))
		ended, err := tryOpen(t, fs, o)
		if err == nil {
			_ = appendUntilError(t, ended, 20)
			ended.closeQuietly()
		}
		if !failed {
			t.Fatalf("the folder is synced only %d times: the test does not test", n)
		}
		next := openTest(t, mem, o) // the machine went on
		next.append(t, 1)
		want := next.Log.Next()
		cut := mem.CrashClone(vfs.CrashCloneCfg{})
		next.closeQuietly()
		after, err := tryOpen(t, cut, o)
		if err != nil {
			t.Fatalf("the process ended at sync %d of the folder, the power failed after the next one: %v", n, err)
		}
		if after.Log.Next() != want {
			t.Fatalf("the process ended at sync %d of the folder: the log ends with %d, %d was acknowledged", n, after.Log.Next()-1, want-1)
		}
		after.closeQuietly()
	}
}
