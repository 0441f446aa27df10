package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// fact is what an entry says, independent of any process's name ids.
type fact struct {
	First nudge.Offset
	At    nudge.Millis
	Lines []string
}

func line(names *nudge.Names, rec nudge.Record) string {
	typ := names.Text(rec.Type())
	if rec.Type() == nudge.NameOther {
		typ = rec.SpelledType()
	}
	s := fmt.Sprintf("%d %s %d", rec.Kind(), typ, rec.Hash())
	for it := rec.Fields(); it.Next(); {
		if it.Name == nudge.NameType {
			continue
		}
		name := it.Spell(names)
		s += fmt.Sprintf(" %d=%s", it.Value.Kind, name)
		s += fmt.Sprintf(":%s%v", it.Value.Text, it.Value.Num)
	}
	return s
}

func factOf(t testing.TB, names *nudge.Names, e nudge.Entry) fact {
	t.Helper()
	f := fact{First: e.First, At: e.At}
	for rest := e.Records; len(rest) > 0; {
		var rec nudge.Record
		var err error
		if rec, rest, err = nudge.NextRecord(rest); err != nil {
			t.Fatal(err)
		}
		f.Lines = append(f.Lines, line(names, rec))
	}
	if len(f.Lines) != e.Count {
		t.Fatalf("entry %d says %d records and holds %d", e.First, e.Count, len(f.Lines))
	}
	return f
}

// builder makes entries whose content follows from their number.
type builder struct {
	names *nudge.Names
	rb    nudge.RecordBuilder
}

func (b *builder) name(t testing.TB, text string) nudge.NameID {
	id, err := b.names.Intern(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *builder) entry(t testing.TB, first nudge.Offset, at nudge.Millis, count int) nudge.Entry {
	b.rb.Buf = b.rb.Buf[:0]
	for i := range count {
		n := int(first) + i
		b.rb.Begin(nudge.RecordEvent, b.name(t, fmt.Sprintf("type%d", n%5)))
		b.rb.Text(nudge.NameVisitor, fmt.Sprintf("visitor-%d", n*7919%1000))
		b.rb.Text(nudge.NameURL, "https://shop.example/products/"+strings.Repeat("x", n%9))
		b.rb.Number(b.name(t, fmt.Sprintf("price%d", n%17)), float64(n))
		b.rb.Bool(b.name(t, "returning"), n%2 == 0)
		b.rb.End(nudge.HashKey("visitor", fmt.Sprint(n)))
	}
	return nudge.Entry{First: first, At: at, Count: count, Records: b.rb.Buf}
}

// testLog is a log in memory and what it must hold.
type testLog struct {
	*Dir
	fs    vfs.FS
	opts  Options
	build builder
	want  []fact // appended, in order
}

func openTest(t testing.TB, fs vfs.FS, o Options) *testLog {
	t.Helper()
	tl, err := tryOpen(t, fs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tl.closeQuietly() })
	return tl
}

func tryOpen(t testing.TB, fs vfs.FS, o Options) (*testLog, error) {
	o.FS, o.Names = fs, nudge.NewNames()
	// Every process meets its names in another order, and some have no room for all of them.
	if rand.IntN(2) == 0 {
		o.Names = nudge.NewNamesWith(int(nudge.FirstFreeName) + rand.IntN(20))
	}
	for range rand.IntN(5) {
		if _, err := o.Names.Intern(fmt.Sprintf("other%d", rand.IntN(100))); err != nil {
			t.Fatal(err)
		}
	}
	if err := fs.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	o.setDefaults()
	if err := makeFolders(fs, "data", "data/log"); err != nil {
		return nil, err
	}
	l, err := openLog("data/log", o)
	if err != nil {
		return nil, err
	}
	return &testLog{Dir: &Dir{Log: l}, fs: fs, opts: o, build: builder{names: o.Names}}, nil
}

func (tl *testLog) closeQuietly() {
	if tl.Log != nil {
		tl.Log.close()
		tl.Log = nil
	}
}

// reopen closes the log and opens it as another process.
func (tl *testLog) reopen(t testing.TB) {
	t.Helper()
	if err := tl.Log.close(); err != nil {
		t.Fatal(err)
	}
	again, err := tryOpen(t, tl.fs, tl.opts)
	if err != nil {
		t.Fatal(err)
	}
	again.want = tl.want
	*tl = *again
}

// append appends and syncs entries of the given numbers of records.
func (tl *testLog) append(t testing.TB, counts ...int) {
	t.Helper()
	for _, n := range counts {
		e := tl.build.entry(t, tl.Log.Next(), tl.Log.LastAt()+10, n)
		f := factOf(t, tl.build.names, e)
		if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
			t.Fatal(err)
		}
		tl.want = append(tl.want, f)
	}
}

func (tl *testLog) read(t testing.TB, from nudge.Offset) ([]fact, error) {
	t.Helper()
	var got []fact
	err := tl.Log.Read(from, func(e nudge.Entry) error {
		got = append(got, factOf(t, tl.build.names, e))
		return nil
	})
	return got, err
}

func equalFacts(a, b []fact) bool {
	return slices.EqualFunc(a, b, func(a, b fact) bool {
		return a.First == b.First && a.At == b.At && slices.Equal(a.Lines, b.Lines)
	})
}

// check reads everything and compares.
func (tl *testLog) check(t testing.TB) {
	t.Helper()
	got, err := tl.read(t, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !equalFacts(got, tl.want) {
		t.Fatalf("read %d entries, want %d:\n%v\n%v", len(got), len(tl.want), got, tl.want)
	}
}

func TestLogRoundTrip(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 20})
	if tl.Log.First() != 1 || tl.Log.Next() != 1 || tl.Log.LastAt() != 0 {
		t.Fatalf("a new log: first %d, next %d, at %d", tl.Log.First(), tl.Log.Next(), tl.Log.LastAt())
	}
	tl.append(t, 1, 7, 1, 300, 2)
	tl.check(t)
	tl.reopen(t)
	tl.check(t)
	if tl.Log.Next() != 312 || tl.Log.LastAt() != 50 {
		t.Fatalf("reopened: next %d, at %d", tl.Log.Next(), tl.Log.LastAt())
	}
	tl.append(t, 3)
	tl.check(t)
}

func TestLogReadFrom(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 10})
	tl.append(t, 3, 1, 5, 2, 8, 1, 1, 4)
	for from := nudge.Offset(1); from <= tl.Log.Next(); from++ {
		got, err := tl.read(t, from)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(tl.want, func(f fact) bool { return f.First+nudge.Offset(len(f.Lines)) > from })
		if i < 0 {
			i = len(tl.want)
		}
		if !equalFacts(got, tl.want[i:]) {
			t.Fatalf("from %d: got %v, want %v", from, got, tl.want[i:])
		}
	}
	var damage *Damage
	if _, err := tl.read(t, tl.Log.Next()+1); !errors.As(err, &damage) {
		t.Fatalf("reading beyond the end: %v", err)
	}
}

func TestLogManySegments(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 700})
	for i := range 60 {
		tl.append(t, 1+i%4)
		if i%7 == 0 {
			tl.reopen(t)
		}
	}
	tl.check(t)
	if n := len(tl.Log.manifest.sealed); n < 20 {
		t.Fatalf("only %d sealed segments: the test does not test", n)
	}
}

// An entry larger than a segment gets one of its own.
func TestLogEntryLargerThanSegment(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: MinSegmentBytes})
	tl.append(t, 1, 500, 1, 500, 500)
	tl.reopen(t)
	tl.append(t, 1)
	tl.check(t)
}

func TestLogDoesNotChangeTheCallersBuffer(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{})
	e := tl.build.entry(t, 1, 1, 50)
	before := bytes.Clone(e.Records)
	if err := tl.Log.Append(e); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, e.Records) {
		t.Fatal("the caller's buffer changed")
	}
}
