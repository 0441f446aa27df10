package state

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// oddRecords are records of every kind of value and header that can be.
func oddRecords() []byte {
	var b nudge.RecordBuilder
	texts := []string{
		"", "x", "0123abcd-4567-89ef-0123-456789abcdef", "0123ABCD-4567-89ef-0123-456789abcdef", "0123abcd-4567-89ef-0123+456789abcdef",
		"0123abcd456789ef0123456789abcdef", "0123abcd456789ef0123456789abcdeg", "0123456-89ab-cdef-0123-456789abcdef0", "------------------------------------",
	}
	numbers := []float64{
		0, math.Copysign(0, -1), 1, -1, 19.99, -19.99, 0.1, 0.005, 1e15, 1 << 53, 1<<53 - 1, -(1<<53 - 1), 1e300, 5e-324,
		math.Inf(1), math.Inf(-1), math.NaN(), math.Float64frombits(0x7ff8000000000123), math.MaxFloat64,
	}
	for _, s := range texts {
		b.Begin(nudge.RecordEvent, nudge.NamePath)
		b.Text(nudge.NameVisitor, s)
		b.Text(nudge.NameTitle, s)
		b.JSON(nudge.NameURL, s)
		b.Null(nudge.NameRule)
		b.End(nudge.HashKey("visitor", s))
	}
	for _, f := range numbers {
		b.Begin(nudge.RecordEvent, nudge.NamePath)
		b.Number(nudge.NameKey, f)
		b.Bool(nudge.NameHost, f > 0)
		b.Ts(nudge.Millis(int64(len(b.Buf)) - 500))
		b.End(12345)
	}
	for i := range 20 { // a hash that is not that of the key, a ts that is not said to be given, other bytes that mean nothing
		b.Begin(nudge.RecordKind(i), nudge.NameNone)
		b.Text(nudge.NameUser, "u")
		b.Text(nudge.NameUser, "again")
		b.End(nudge.HashKey([]string{"user", "visitor", "email"}[i%3], "u"))
		last := b.Buf[len(b.Buf)-b.Size():]
		last[7], last[20], last[21] = byte(i/2), byte(i), byte(i/5)
		binary.LittleEndian.PutUint64(last[24:], uint64(i%2)<<63)
	}
	return nudge.AppendVoid(b.Buf)
}

// Live and rewritten, every record comes back to the byte.
func TestPackedRecordsComeBack(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 20})
	records := oddRecords()
	count := 0
	for rest := records; len(rest) > 0; count++ {
		var err error
		if _, rest, err = nudge.NextRecord(rest); err != nil {
			t.Fatal(err)
		}
	}
	for at := range 3 {
		e := nudge.Entry{First: tl.Log.Next(), At: nudge.Millis(at), Count: count, Records: records}
		if err := tl.Log.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := tl.Log.Sync(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		n := 0
		err := tl.Log.Read(0, func(e nudge.Entry) error {
			if n++; !slices.Equal(e.Records, records) {
				t.Errorf("entry %d at %d: other records", e.First, e.At)
			}
			return nil
		})
		if err != nil || n != 3 {
			t.Fatalf("%d entries, %v", n, err)
		}
		tl.rewrite(t, RewriteOptions{Hurry: true, Through: 1})
		tl.reopen(t)
	}
}

// At the limit of shapes, or of their fields, entries are written flat, and read back like the others, live and rewritten.
func TestShapesAtTheirLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("makes thousands of shapes")
	}
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 64 << 20})
	entry := func(from, n int) {
		b := &tl.build.rb
		b.Buf = b.Buf[:0]
		for i := range n {
			b.Begin(nudge.RecordEvent, tl.build.name(t, fmt.Sprint("type", from+i)))
			b.Number(nudge.NameKey, float64(i))
			b.End(0)
		}
		e := nudge.Entry{First: tl.Log.Next(), At: tl.Log.LastAt() + 1, Count: n, Records: b.Buf}
		tl.want = append(tl.want, factOf(t, tl.build.names, e))
		if err := tl.Log.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	shapes := func() int { return len(tl.Log.encoder.shapes.all) }
	entry(0, maxShapes)
	if shapes() != maxShapes {
		t.Fatalf("%d shapes, want %d", shapes(), maxShapes)
	}
	entry(maxShapes-10, 11)
	entry(5, 5) // these there are
	entry(0, maxShapes+1)
	if shapes() != maxShapes {
		t.Fatalf("%d shapes, want %d", shapes(), maxShapes)
	}
	if err := tl.Log.Sync(); err != nil {
		t.Fatal(err)
	}
	tl.check(t)
	tl.reopen(t)
	entry(maxShapes, 3)
	entry(7, 3)
	if err := tl.Log.Sync(); err != nil {
		t.Fatal(err)
	}
	tl.check(t)
	tl.rewrite(t, RewriteOptions{Hurry: true, Through: 1})
	tl.reopen(t)
	tl.check(t)
}

// TestLogBytesPerEvent pins what the log takes of events with two UUIDs that are nobody else's, in batches of 1,000: at most 60 bytes as they come, 50
// once they are rewritten. 32 of these are the UUIDs.
func TestLogBytesPerEvent(t *testing.T) {
	const events, batch = 100_000, 1000
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 20})
	rng := rand.New(rand.NewPCG(1, 1))
	for tl.Log.Next() <= events {
		if err := tl.Log.Append(clicks(&tl.build, rng, tl.Log.Next(), tl.Log.LastAt()+20, batch)); err != nil {
			t.Fatal(err)
		}
	}
	live := float64(tl.Log.Bytes()) / events
	r := tl.rewrite(t, RewriteOptions{Hurry: true, Through: events})
	rewritten := float64(tl.Log.Bytes()) / events
	t.Logf("%.1f bytes per event as they come, %.1f rewritten (%+v)", live, rewritten, r)
	if live > 60 || rewritten > 50 {
		t.Errorf("%.1f bytes per event as they come, %.1f rewritten; want 60 and 50 at most", live, rewritten)
	}
}
