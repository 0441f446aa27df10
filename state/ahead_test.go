package state

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// readAhead is read with ReadAhead, which must hand out no more at once than it says.
func (tl *testLog) readAhead(t testing.TB, from nudge.Offset) ([]fact, error) {
	t.Helper()
	var got []fact
	err := tl.Log.ReadAhead(from, func(entries []nudge.Entry) error {
		records, bytes := 0, 0
		for _, e := range entries {
			got = append(got, factOf(t, tl.build.names, e))
			records, bytes = records+e.Count, bytes+len(e.Records)
		}
		if len(entries) == 0 || len(entries) > 1 && (records > aheadRecords || bytes > aheadBytes) {
			t.Errorf("%d entries at once, %d records, %d bytes", len(entries), records, bytes)
		}
		return nil
	})
	return got, err
}

// TestReadAhead: as Read, from every entry on, over many segments and with entries larger than what is handed out at once.
func TestReadAhead(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 16 << 10})
	if got, err := tl.readAhead(t, 0); err != nil || len(got) != 0 {
		t.Fatalf("a new log: %d entries, %v", len(got), err)
	}
	tl.append(t, 1, 1, aheadRecords, 1, aheadRecords+1, 3, aheadRecords-1, 1, 1, 2*aheadRecords)
	for range 200 {
		tl.append(t, 30)
	}
	if n := len(tl.Log.manifest.sealed); n < 5 {
		t.Fatalf("only %d sealed segments: the test does not test", n)
	}
	for i, want := range tl.want {
		if i > 12 && i%50 > 0 {
			continue
		}
		got, err := tl.readAhead(t, want.First)
		if err != nil {
			t.Fatal(err)
		}
		if !equalFacts(got, tl.want[i:]) {
			t.Fatalf("from %d: %d entries, or others than the %d that were appended", want.First, len(got), len(tl.want)-i)
		}
	}
}

// TestReadAheadBytes: entries that are small, large and larger than what is handed out at once, as they come and rewritten into blocks, from each of them on.
func TestReadAheadBytes(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1 << 20})
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 24 {
		tl.append(t, 1+i%3)
		bytes := []int{300 << 10, 10, aheadBytes / 2, 5 << 10, aheadBytes + aheadSlack, 2 * aheadBytes}[i%6]
		e := tl.build.noisy(rng, tl.Log.Next(), tl.Log.LastAt()+1, 1+i%4, bytes)
		tl.want = append(tl.want, factOf(t, tl.build.names, e))
		if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	for _, rewritten := range []bool{false, true} {
		if rewritten {
			tl.rewrite(t, RewriteOptions{Hurry: true, Through: tl.Log.Next() - 1})
		}
		for i, want := range tl.want {
			got, err := tl.readAhead(t, want.First)
			if err != nil {
				t.Fatal(err)
			}
			if !equalFacts(got, tl.want[i:]) {
				t.Fatalf("from %d: %d entries, or others than the %d that were appended", want.First, len(got), len(tl.want)-i)
			}
		}
	}
}

// TestReadAheadDamage: what stands before the damage is handed out, then the error comes that Read gives.
func TestReadAheadDamage(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 4 << 10})
	for range 60 {
		tl.append(t, 10)
	}
	fm := filesOf(t, tl.fs)
	const segment = "0000000003.seg"
	b := append([]byte(nil), fm[segment]...)
	b[len(b)/3] ^= 1
	hurt, err := tryOpen(t, fm.put(t, segment, b), tl.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer hurt.closeQuietly()
	want, wantErr := hurt.read(t, 0)
	got, gotErr := hurt.readAhead(t, 0)
	var damage *Damage
	if !errors.As(gotErr, &damage) || gotErr.Error() != wantErr.Error() {
		t.Errorf("error %v, Read gives %v", gotErr, wantErr)
	}
	if len(want) == 0 || !equalFacts(got, want) {
		t.Errorf("%d entries before the damage, Read gives %d", len(got), len(want))
	}
}

// TestReadAheadEnds: the goroutine is gone when ReadAhead returns because fn failed, or passes its panic on.
func TestReadAheadEnds(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 64 << 10})
	for range 2 * (aheadChunks + 1) {
		tl.append(t, aheadRecords)
	}
	planted := errors.New("planted")
	calls := 0
	if err := tl.Log.ReadAhead(0, func([]nudge.Entry) error { calls++; return planted }); !errors.Is(err, planted) || calls != 1 {
		t.Errorf("%v after %d calls, want the error of the first", err, calls)
	}
	tl.ended(t)
	func() {
		defer func() {
			if text, _ := recover().(string); !strings.Contains(text, "planted") {
				t.Errorf("the panic is %q", text)
			}
		}()
		_ = tl.Log.ReadAhead(0, func([]nudge.Entry) error { panic("planted") })
	}()
	tl.ended(t)
}

// ended makes sure that nobody reads.
func (tl *testLog) ended(t *testing.T) {
	t.Helper()
	tl.Log.mu.Lock()
	defer tl.Log.mu.Unlock()
	if len(tl.Log.pins) > 0 {
		t.Error("the log is still being read")
	}
}
