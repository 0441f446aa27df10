package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

func TestVoid(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: MinSegmentBytes, LogMaxAge: 1})
	tl.secrets(t, 1, 2, 1, 1, 1, 1, 1, 3, 1, 1, 1)
	end := tl.Log.Next()
	var want []VoidInfo
	gone := map[nudge.Offset]bool{}
	for i, off := range []nudge.Offset{end - 1, 2, 9, 1} { // one of them in the active segment
		if err := tl.Log.Void(t.Context(), off, nudge.Millis(1000+i)); err != nil {
			t.Fatal(err)
		}
		gone[off] = true
		want = append(want, VoidInfo{off, nudge.Millis(1000 + i)})
		if err := tl.Log.Void(t.Context(), off, 1); !errors.Is(err, errVoid) {
			t.Errorf("a second time: %v", err)
		}
	}
	slices.SortFunc(want, func(a, b VoidInfo) int { return int(a.Offset) - int(b.Offset) })
	tl.want = voided(tl.want, func(off nudge.Offset) bool { return gone[off] })
	for range 2 {
		tl.check(t)
		if got := tl.Log.Voids(); !slices.Equal(got, want) || tl.Log.Stats().Voids != len(want) {
			t.Fatalf("noted: %v, want %v", got, want)
		}
		tl.reopen(t)
	}
	for off := range gone {
		if holds(t, tl.fs, off) {
			t.Errorf("the record at offset %d is still there", off)
		}
	}
	for _, off := range []nudge.Offset{0, end, end + 5} {
		if err := tl.Log.Void(t.Context(), off, 1); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("it holds the offsets 1 to %d", end-1)) {
			t.Errorf("offset %d: %v", off, err)
		}
	}
	// What is trimmed is not noted any more.
	if err := tl.Log.Trim(9, 1<<40); err != nil || tl.Log.First() < 3 {
		t.Fatal(err, tl.Log.First())
	}
	want = slices.DeleteFunc(want, func(v VoidInfo) bool { return v.Offset < tl.Log.First() })
	tl.want = tl.want[slices.IndexFunc(tl.want, func(f fact) bool { return f.First == tl.Log.First() }):]
	tl.reopen(t)
	tl.check(t)
	if got := tl.Log.Voids(); !slices.Equal(got, want) || len(want) != 2 {
		t.Errorf("trimmed: %v, want %v", got, want)
	}
}

// A void that nobody has noted, as an erasure leaves it, cannot be made one either.
func TestVoidOfAVoid(t *testing.T) {
	tl := trimTest(t, Options{})
	tl.rewrite(t, dropping(func(off nudge.Offset) bool { return off == 3 }))
	if err := tl.Log.Void(t.Context(), 3, 1); !errors.Is(err, errVoid) || len(tl.Log.Voids()) != 0 {
		t.Fatal(err, tl.Log.Voids())
	}
}

func TestVoidsAtTheirLimit(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{})
	tl.append(t, MaxVoids+10)
	tl.rewrite(t, RewriteOptions{Hurry: true, Through: 1})
	for off := range nudge.Offset(MaxVoids - 1) {
		tl.Log.manifest.voids = append(tl.Log.manifest.voids, voidNote{off + 1, 1})
	}
	if err := tl.Log.Void(t.Context(), MaxVoids+2, 1); err != nil || len(tl.Log.Voids()) != MaxVoids {
		t.Fatal(err, len(tl.Log.Voids()))
	}
	if err := tl.Log.Void(t.Context(), MaxVoids+3, 1); err == nil || !strings.Contains(err.Error(), "1000 records were made voids") {
		t.Fatal(err)
	}
	tl.reopen(t)
	if n := len(tl.Log.Voids()); n != MaxVoids {
		t.Fatal(n)
	}
}

// A crash at any point leaves the record and no note, or the void and its note.
func TestVoidCrash(t *testing.T) {
	o := Options{SegmentBytes: 700, spareInline: true}
	mem := vfs.NewCrashableMem()
	var began atomic.Bool
	c := newCrasher(mem, 1, func() any { return began.Load() })
	tl := openTest(t, c.fs(), o)
	tl.secrets(t, 1, 2, 1, 3, 1, 1, 2)
	began.Store(true)
	last := tl.Log.Next() - 1
	for _, off := range []nudge.Offset{2, last} {
		if err := tl.Log.Void(t.Context(), off, 1); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[int]int{}
	for i, crash := range c.taken() {
		if !crash.state.(bool) {
			continue
		}
		again, err := tryOpen(t, crash.fs, o)
		if err != nil {
			t.Fatalf("crash %d (%s): %v", i, crash.op, err)
		}
		noted := map[nudge.Offset]bool{}
		for _, v := range again.Log.Voids() {
			noted[v.Offset] = true
		}
		seen[len(noted)]++
		again.want = voided(tl.want, func(off nudge.Offset) bool { return noted[off] })
		again.check(t)
		again.closeQuietly()
	}
	if seen[0] == 0 || seen[1] == 0 || seen[2] == 0 {
		t.Fatalf("%v: the test does not test", seen)
	}
}
