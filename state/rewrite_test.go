package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// secret is what a record holds that tells it from all others.
func secret(off nudge.Offset) string { return fmt.Sprintf("%016x", uint64(off)*0x9E3779B97F4A7C15) }

// secrets appends entries whose every record holds its secret.
func (tl *testLog) secrets(t testing.TB, counts ...int) {
	t.Helper()
	for _, n := range counts {
		first := tl.Log.Next()
		b := &tl.build.rb
		b.Buf = b.Buf[:0]
		for i := range n {
			b.Begin(nudge.RecordEvent, tl.build.name(t, "type"))
			b.Text(nudge.NameVisitor, secret(first+nudge.Offset(i)))
			b.Number(tl.build.name(t, fmt.Sprintf("n%d", (int(first)+i)%7)), float64(i))
			b.End(uint64ToHash(first))
		}
		e := nudge.Entry{First: first, At: tl.Log.LastAt() + 10, Count: n, Records: b.Buf}
		tl.want = append(tl.want, factOf(t, tl.build.names, e))
		if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
			t.Fatal(err)
		}
	}
}

func uint64ToHash(off nudge.Offset) nudge.KeyHash { return nudge.KeyHash(off) }

const voidLine = "7  0"

// voided is what must be read once the records that drop names are voids.
func voided(want []fact, drop func(nudge.Offset) bool) []fact {
	out := slices.Clone(want)
	for i := range out {
		out[i].Lines = slices.Clone(out[i].Lines)
		for j := range out[i].Lines {
			if drop(out[i].First + nudge.Offset(j)) {
				out[i].Lines[j] = voidLine
			}
		}
	}
	return out
}

// dropping makes options that drop by offset.
func dropping(drop func(nudge.Offset) bool) RewriteOptions {
	return RewriteOptions{Hurry: true, Drop: func(off nudge.Offset, _ nudge.Record) bool { return drop(off) }}
}

func (tl *testLog) rewrite(t testing.TB, o RewriteOptions) RewriteReport {
	t.Helper()
	r, err := tl.Log.Rewrite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// holds reports whether a file of the folder, named by the manifest or not, holds the secret of an offset.
func holds(t testing.TB, fs vfs.FS, off nudge.Offset) bool {
	t.Helper()
	for name, b := range filesOf(t, fs) {
		f, err := fs.Open("data/log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(secret(off))) || strings.Contains(textOf(f, b), secret(off)) {
			f.Close()
			return true
		}
		f.Close()
	}
	return false
}

// textOf is the text of the records of a file, "" if it is no segment.
func textOf(f vfs.File, b []byte) (text string) {
	if len(b) < segmentHeaderBytes {
		return ""
	}
	h, problem := parseSegmentHeader(b)
	if problem != "" {
		return ""
	}
	var d decoder
	d.init(nudge.NewNames())
	for w := newWalker(f, h, int64(len(b))); ; {
		h, stored, flaw, _, err := w.step()
		if err != nil || flaw != sound {
			return text
		}
		if err := d.open(h, stored, 0); err != nil {
			return text
		}
		for {
			var e nudge.Entry
			ok, err := d.entry(&e)
			if err != nil || !ok {
				break
			}
			text += string(e.Records)
		}
	}
}

func TestRewrite(t *testing.T) {
	o := Options{SegmentBytes: 512, spareInline: true}
	tl := openTest(t, vfs.NewMem(), o)
	tl.secrets(t, 1, 2, 1, 3, 1, 1, 2, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	sealed := len(tl.Log.manifest.sealed)
	active := tl.Log.active.header.first
	if sealed < 4 {
		t.Fatalf("%d segments: the test does not test", sealed)
	}
	odd := func(off nudge.Offset) bool { return off%2 == 1 && off < active }
	if r := tl.rewrite(t, dropping(odd)); r.Segments != sealed || r.Voided != int(active)/2 || r.Before <= r.After {
		t.Fatalf("%+v, want %d segments, %d voided", r, sealed, active/2)
	}
	tl.want = voided(tl.want, odd)
	tl.check(t)
	for off := nudge.Offset(1); off < tl.Log.Next(); off++ {
		if holds(t, tl.fs, off) == odd(off) {
			t.Errorf("the secret of %d: dropped is %v", off, odd(off))
		}
	}
	if r := tl.rewrite(t, dropping(odd)); r != (RewriteReport{}) {
		t.Fatalf("a second time: %+v", r)
	}
	tl.reopen(t)
	tl.check(t)
	tl.append(t, 1, 2, 9)
	tl.reopen(t)
	tl.check(t)

	second := tl.Log.manifest.sealed[1]
	one := func(off nudge.Offset) bool { return off == second.last }
	if r := tl.rewrite(t, dropping(one)); r.Voided != 1-int(second.last%2) {
		t.Fatalf("%+v", r)
	}
	tl.want = voided(tl.want, one)
	tl.reopen(t)
	tl.check(t)
}

// Where a Read begins makes no difference: inside a block of several entries, at its end, behind it.
func TestRewrittenReadFrom(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 700})
	tl.append(t, 3, 1, 5, 2, 8, 1, 1, 4, 6, 6, 20, 1, 1)
	tl.rewrite(t, RewriteOptions{Hurry: true})
	if n := len(tl.Log.manifest.sealed); n < 2 || tl.Log.manifest.sealed[0].generation != 1 {
		t.Fatalf("%d segments: the test does not test", n)
	}
	for from := nudge.Offset(1); from <= tl.Log.Next(); from++ {
		got, err := tl.read(t, from)
		i := slices.IndexFunc(tl.want, func(f fact) bool { return f.First+nudge.Offset(len(f.Lines)) > from })
		if i < 0 {
			i = len(tl.want)
		}
		if err != nil || !equalFacts(got, tl.want[i:]) {
			t.Fatalf("from %d: %v; got %v, want %v", from, err, got, tl.want[i:])
		}
	}
}

// A block is closed when it is full, and an entry that is as large as one is a block of its own.
func TestRewriteManyBlocks(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 64 << 20})
	for _, n := range []int{1, 20_000, 5, 40_000, 1, 1, 40_000, 9_000} {
		tl.append(t, n)
	}
	tl.rewrite(t, RewriteOptions{Hurry: true, Through: 1})
	tl.reopen(t)
	tl.check(t)
	f, err := tl.fs.Open("data/log/0000000001-1.seg")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := readSegmentHeader(f, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	blocks, w := 0, newWalker(f, h, tl.Log.manifest.sealed[0].bytes)
	for w.next < tl.Log.Next() {
		if e, _, flaw, what, err := w.step(); flaw != sound || err != nil || e.flags != flagBlock|flagDefines {
			t.Fatal(e, what, err)
		}
		blocks++
	}
	if blocks < 3 {
		t.Fatalf("%d blocks: the test does not test", blocks)
	}
}

// Through seals the active segment, so that what was just appended can go.
func TestRewriteThrough(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 4096})
	tl.secrets(t, 3, 2, 1)
	end := tl.Log.Next()
	if r := tl.rewrite(t, RewriteOptions{Hurry: true, From: end - 1, Through: end - 2}); r != (RewriteReport{}) {
		t.Errorf("nothing between: %+v", r)
	}
	last := dropping(func(off nudge.Offset) bool { return off == end-1 })
	last.From, last.Through = end-1, end-1
	if r := tl.rewrite(t, last); r.Segments != 1 || r.Voided != 1 {
		t.Errorf("%+v", r)
	}
	tl.want = voided(tl.want, func(off nudge.Offset) bool { return off == end-1 })
	if holds(t, tl.fs, end-1) || !holds(t, tl.fs, end-2) {
		t.Error("the wrong record went")
	}
	last.Through = end + 1000 // the active segment is empty now: nothing is to be sealed
	if r := tl.rewrite(t, last); r.Segments != 0 || len(tl.Log.manifest.sealed) != 1 {
		t.Errorf("%+v, %d segments", r, len(tl.Log.manifest.sealed))
	}
	tl.check(t)
	tl.secrets(t, 1)
	tl.reopen(t)
	tl.check(t)
}

// A Read that has begun gets every entry, each as it was or as it is now, whatever is rewritten, sealed and trimmed meanwhile; of an entry that was appended after
// it began, nothing.
func TestRewriteDuringRead(t *testing.T) {
	for trim := range 2 {
		tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 700, LogMaxAge: 1})
		tl.secrets(t, 1, 2, 1, 3, 1, 1, 2, 4, 1, 1, 1)
		before := tl.want
		all := func(nudge.Offset) bool { return true }
		after := voided(before, all)
		var got []fact
		err := tl.Log.Read(0, func(e nudge.Entry) error {
			got = append(got, factOf(t, tl.build.names, e))
			if len(got) != 2 {
				return nil
			}
			o := dropping(all)
			o.Through = tl.Log.Next() - 1
			tl.secrets(t, 1) // into the active segment that is sealed now
			tl.rewrite(t, o)
			if trim == 1 {
				return tl.Log.Trim(tl.Log.Next(), 1<<40)
			}
			return nil
		})
		if err != nil || len(got) != len(before) {
			t.Fatalf("%v; %d entries, want %d", err, len(got), len(before))
		}
		old := 0
		for i := range got {
			switch {
			case equalFacts(got[i:i+1], before[i:i+1]):
				old++
			case !equalFacts(got[i:i+1], after[i:i+1]):
				t.Fatalf("entry %d: %v", i, got[i])
			}
		}
		if old < 2 || old == len(got) {
			t.Fatalf("%d of %d entries are old: the test does not test", old, len(got))
		}
		for off := nudge.Offset(1); off <= 18; off++ {
			if holds(t, tl.fs, off) {
				t.Errorf("the secret of %d is still there", off)
			}
		}
		if trim == 1 {
			if err := tl.Log.Trim(0, 0); err != nil || len(filesOf(t, tl.fs)) > 3 {
				t.Errorf("%v: %d files", err, len(filesOf(t, tl.fs)))
			}
		}
	}
}

// Damage of a segment stops its rewriting; it stays as it is.
func TestRewriteStopsAtDamage(t *testing.T) {
	fm, o, _ := makeFiles(t, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	b := bytes.Clone(fm[segmentName(2)])
	b[segmentHeaderBytes+60] ^= 4
	fs := fm.put(t, segmentName(2), b)
	tl := openTest(t, fs, o)
	_, err := tl.Log.Rewrite(t.Context(), RewriteOptions{Hurry: true})
	var damage *Damage
	if !errors.As(err, &damage) || !strings.HasSuffix(damage.File, segmentName(2)) || !strings.Contains(err.Error(), "rewrite log segment 2") {
		t.Fatal(err)
	}
	after := filesOf(t, fs)
	if !bytes.Equal(after[segmentName(2)], b) || after[segmentName(1)] != nil || after[rewriteTmpName] != nil {
		t.Fatalf("%d files", len(after))
	}
}

func TestRewriteEndsWithItsContext(t *testing.T) {
	tl := trimTest(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	o := RewriteOptions{Hurry: true, Drop: func(nudge.Offset, nudge.Record) bool { cancel(); return false }}
	if _, err := tl.Log.Rewrite(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if fm := filesOf(t, tl.fs); fm[rewriteTmpName] != nil {
		t.Fatal("the unfinished file is still there")
	}
	tl.check(t)
}

// A new file whose checksums are right, but which says something else, is refused too.
func TestRewriteSaysTheSame(t *testing.T) {
	tl := trimTest(t, Options{})
	old, prev := tl.Log.pinSealed(1)
	defer tl.Log.unpin(1)
	for _, spoilt := range []bool{false, true} {
		w := &rewriter{log: tl.Log, ctx: t.Context(), old: *old, prev: prev, names: tl.Log.opts.Names, pace: &pace{log: tl.Log, hurry: true}, sum: newEntrySum()}
		w.read.init(w.names)
		if spoilt {
			w.sum.add(nudge.Entry{First: 1})
		}
		var damage *Damage
		if _, err := w.write(); errors.As(err, &damage) != spoilt {
			t.Errorf("spoilt %v: %v", spoilt, err)
		}
	}
}

// A fault of ours in the rewriting shows when the new file is read back, before the old one goes.
func TestRewriteIsReadBack(t *testing.T) {
	mem := vfs.NewMem()
	var flip bool
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if flip && op.Kind == errorfs.OpOpen && strings.HasSuffix(op.Path, rewriteTmpName) {
			flip = false
			f, err := mem.OpenReadWrite(op.Path, vfs.WriteCategoryUnspecified)
			if err != nil {
				t.Error(err)
				return nil
			}
			b := make([]byte, 1)
			f.ReadAt(b, 150)
			b[0] ^= 1
			f.WriteAt(b, 150)
			f.Close()
		}
		return nil
	}))
	tl := openTest(t, fs, Options{SegmentBytes: 512, spareInline: true})
	tl.secrets(t, 4, 4, 4, 4, 4, 4, 4, 4)
	flip = true
	_, err := tl.Log.Rewrite(t.Context(), RewriteOptions{Hurry: true})
	var damage *Damage
	if !errors.As(err, &damage) || flip {
		t.Fatal(err)
	}
	tl.check(t)
	tl.reopen(t)
	tl.check(t)
}

// Whatever operation on files fails during a Rewrite: it says so, the log can be read and goes on, or says that it cannot, and what is on disk opens.
func TestRewriteFailedOperation(t *testing.T) {
	o := Options{SegmentBytes: 700, spareInline: true}
	odd := func(off nudge.Offset) bool { return off%2 == 1 }
	for n := 0; ; n++ {
		var armed, failed bool
		left := n
		mem := vfs.NewMem()
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if !armed || failed || op.Kind == errorfs.OpFilePreallocate || op.Kind == errorfs.OpFileClose {
				return nil
			}
			if left--; left >= 0 {
				return nil
			}
			failed = true
			return errorfs.ErrInjected
		}))
		tl := openTest(t, fs, o)
		tl.secrets(t, 1, 2, 1, 3)
		ro := dropping(odd)
		ro.Through = 5
		armed = true
		_, err := tl.Log.Rewrite(t.Context(), ro)
		armed = false
		if !failed {
			if n < 30 {
				t.Fatalf("only %d operations failed: the test does not test", n)
			}
			return
		}
		if !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("failure %d: %v", n, err)
		}
		if tl.Log.failed() == nil {
			tl.secrets(t, 1)
			tl.rewrite(t, ro) // and it can be tried again
			tl.want = voided(tl.want, func(off nudge.Offset) bool {
				return odd(off) && off <= tl.Log.manifest.sealed[len(tl.Log.manifest.sealed)-1].last
			})
			tl.check(t)
			if holds(t, mem, 1) || holds(t, mem, 5) {
				t.Fatalf("failure %d: a dropped record is still there", n)
			}
		}
		tl.closeQuietly()
		again := openTest(t, mem, o)
		again.want = voided(tl.want, odd)
		r, err := again.Log.Rewrite(t.Context(), RewriteOptions{Hurry: true, Through: again.Log.Next(), Drop: ro.Drop})
		if err != nil {
			t.Fatalf("failure %d: %v %v", n, r, err)
		}
		again.check(t)
	}
}

// Reads, trimming, rewriting and appending at once.
func TestRewriteConcurrentUse(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 4 << 10, LogMaxBytes: 20 << 10})
	tl.append(t, 1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	again := func(do func()) {
		wg.Go(func() {
			for {
				do()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var voids atomic.Int64
	round := 0
	again(func() { readConsecutive(t, tl) })
	again(func() {
		round++
		o := dropping(func(off nudge.Offset) bool { return int(off)%10 == round%10 })
		if round%3 == 0 {
			o.Through = tl.Log.Next() - 1
		}
		r, err := tl.Log.Rewrite(t.Context(), o)
		if voids.Add(int64(r.Voided)); err != nil {
			t.Error(err)
		}
	})
	again(func() {
		if err := tl.Log.Trim(tl.Log.Next()-1, 0); err != nil {
			t.Error(err)
		}
	})
	const enough, most = 400, 20_000
	for i := 0; i < enough || i < most && (voids.Load() < 10 || tl.Log.First() == 1); i++ {
		tl.append(t, 1+i%3)
	}
	close(done)
	wg.Wait()
	if tl.Log.First() == 1 || voids.Load() == 0 {
		t.Fatalf("%d voids: the test does not test", voids.Load())
	}
	tl.want = nil
	got, err := tl.read(t, 0)
	if err != nil {
		t.Fatal(err)
	}
	tl.want = got
	tl.reopen(t)
	tl.check(t)
	if names, err := tl.fs.List("data/log"); err != nil || len(names) > len(tl.Log.manifest.sealed)+2 {
		t.Fatalf("%v: %d files, %d segments", err, len(names), len(tl.Log.manifest.sealed))
	}
}

// A crash between any two operations on files during rewriting leaves a log in which each segment is as it was or as it should be; opened again it
// holds no file but those that it names, and what was to go is gone once the Rewrite is repeated.
func TestRewriteCrash(t *testing.T) {
	o := Options{SegmentBytes: 700, LogMaxAge: 1, spareInline: true}
	odd := func(off nudge.Offset) bool { return off%2 == 1 }
	for seed := range uint64(crashSeeds) {
		mem := vfs.NewCrashableMem()
		var began atomic.Bool
		c := newCrasher(mem, seed, func() any { return began.Load() })
		tl := openTest(t, c.fs(), o)
		tl.secrets(t, 1, 2, 1, 3, 1, 1, 2, 4, 1, 1, 1)
		began.Store(true)
		ro := dropping(odd)
		ro.Through = tl.Log.Next() - 1
		tl.rewrite(t, ro)
		if err := tl.Log.Trim(6, 1<<40); err != nil {
			t.Fatal(err)
		}
		tested := 0
		for i, crash := range c.taken() {
			if crash.state.(bool) {
				tested++
				checkRewriteCrash(t, fmt.Sprintf("seed %d, crash %d (%s)", seed, i, crash.op), crash.fs, o, tl.want, ro)
			}
		}
		if tested < 60 {
			t.Fatalf("%d crashes: the test does not test", tested)
		}
	}
}

func checkRewriteCrash(t *testing.T, name string, fs vfs.FS, o Options, want []fact, ro RewriteOptions) {
	t.Helper()
	tl, err := tryOpen(t, fs, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer tl.closeQuietly()
	for i := range want {
		if want[i].First == tl.Log.First() {
			want = want[i:]
			break
		}
	}
	gone := voided(want, func(off nudge.Offset) bool { return ro.Drop(off, nil) })
	got, err := tl.read(t, 0)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%s: %v; %d entries, want %d", name, err, len(got), len(want))
	}
	for i := range got {
		if !equalFacts(got[i:i+1], want[i:i+1]) && !equalFacts(got[i:i+1], gone[i:i+1]) {
			t.Fatalf("%s: entry %d is %v", name, i, got[i])
		}
	}
	tl.rewrite(t, ro)
	tl.want = gone
	tl.check(t)
	for off := nudge.Offset(1); off < tl.Log.Next(); off += 2 {
		if holds(t, fs, off) {
			t.Fatalf("%s: the secret of %d is still there", name, off)
		}
	}
	tl.append(t, 1)
	tl.reopen(t)
	tl.check(t)
}

// The files of a log that was rewritten can be read by whoever has the format's page: a header, entries, nothing behind them.
func TestRewriteLeavesNoZeros(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 20})
	tl.secrets(t, 1, 2, 3)
	r := tl.rewrite(t, RewriteOptions{Hurry: true, Through: 1})
	f, err := tl.fs.Open("data/log/0000000001-1.seg")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != r.After || r.After != tl.Log.manifest.sealed[0].bytes || b[len(b)-1] != endMark {
		t.Fatalf("%v: %d bytes, want %d", err, len(b), r.After)
	}
}
