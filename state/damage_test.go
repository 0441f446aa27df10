package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// files is the log's folder as bytes: what the tests below damage.
type files map[string][]byte

func filesOf(t testing.TB, fs vfs.FS) files {
	t.Helper()
	names, err := fs.List("data/log")
	if err != nil {
		t.Fatal(err)
	}
	fm := files{}
	for _, name := range names {
		f, err := fs.Open("data/log/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if fm[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return fm
}

// put makes a file system that holds fm, but for one file that has other bytes (nil: that is missing).
func (fm files) put(t testing.TB, name string, b []byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	fs.MkdirAll("data", 0o755)
	fs.MkdirAll("data/log", 0o755)
	for n, content := range fm {
		if n == name {
			if content = b; b == nil {
				continue
			}
		}
		f, err := fs.Create("data/log/"+n, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		f.Write(append([]byte(nil), content...))
		f.Close()
	}
	return fs
}

// makeFiles makes a log of a few small segments.
func makeFiles(t testing.TB, counts ...int) (fm files, o Options, want []fact) {
	t.Helper()
	o = Options{SegmentBytes: 640, spareInline: true}
	tl := openTest(t, vfs.NewMem(), o)
	tl.append(t, counts...)
	want = tl.want
	tl.closeQuietly()
	return filesOf(t, tl.fs), o, want
}

// outcome opens the log, reads all of it and confirms its acknowledged end.
func outcome(t testing.TB, fs vfs.FS, o Options, acked nudge.Offset) (got []fact, opened, read, confirmed error) {
	t.Helper()
	tl, err := tryOpen(t, fs, o)
	if err != nil {
		return nil, err, nil, nil
	}
	defer tl.closeQuietly()
	confirmed = tl.Log.Confirm(acked)
	got, read = tl.read(t, 0)
	return got, nil, read, confirmed
}

// Every flipped bit is found when the log is opened or read, unless nothing is lost by it; also in the very last entry, where a torn write would
// be dropped.
func TestLogEveryFlippedBit(t *testing.T) {
	fm, o, want := makeFiles(t, 2, 1, 3, 1, 1)
	last := want[len(want)-1]
	acked := last.First + nudge.Offset(len(last.Lines)) - 1
	harmless, found := 0, 0
	for name, content := range fm {
		if name == spareName {
			continue
		}
		for i := range 8 * len(content) {
			flipped := append([]byte(nil), content...)
			flipped[i/8] ^= 1 << (i % 8)
			got, opened, read, confirmed := outcome(t, fm.put(t, name, flipped), o, acked)
			switch {
			case opened != nil || read != nil || confirmed != nil:
				found++
				var damage *Damage
				if err := errors.Join(opened, read, confirmed); !errors.As(err, &damage) {
					t.Fatalf("%s, bit %d: the error is not a Damage: %v", name, i, err)
				}
				if opened == nil && read == nil {
					t.Fatalf("%s, bit %d: an acknowledged entry was dropped as torn, only the checkpoint tells", name, i)
				}
			case equalFacts(got, want):
				harmless++
				if content[i/8] != 0 {
					t.Fatalf("%s, bit %d: a used bit is not covered by any checksum", name, i)
				}
			default:
				t.Fatalf("%s, bit %d: entries are lost in silence: %d of %d", name, i, len(got), len(want))
			}
		}
	}
	t.Logf("%d flips found, %d in unused space", found, harmless)
	if found < 5000 || harmless == 0 {
		t.Fatal("the test does not test")
	}
}

// A last entry that was torn in any way, at any byte or in any pattern of sectors, is dropped; what follows it later is never mixed with
// its remains.
func TestLogTornLastEntry(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	o := Options{SegmentBytes: 1 << 16, spareInline: true}
	for _, size := range []int{1, 300, 460, 1100} {
		tl := openTest(t, vfs.NewMem(), o)
		tl.append(t, 2, 1)
		from := tl.Log.Next()
		pos := tl.Log.synced.pos
		e := tl.build.noisy(rng, from, tl.Log.LastAt(), 1, size)
		if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
			t.Fatal(err)
		}
		end := tl.Log.synced.pos
		tl.closeQuietly()
		fm := filesOf(t, tl.fs)
		name := segmentName(1)
		for cut := pos; cut < end; cut += everyNth {
			torn := append([]byte(nil), fm[name]...)
			clear(torn[cut:])
			checkTorn(t, fmt.Sprintf("size %d, cut at %d of %d", size, cut-pos, end-pos), fm.put(t, name, torn), o, tl.want, from)
		}
		for wiped := pos + 1; wiped < end; wiped += everyNth { // and then the wiping of its remains was interrupted, at any byte
			torn := append([]byte(nil), fm[name]...)
			clear(torn[end-1:])
			clear(torn[pos:wiped])
			checkTorn(t, fmt.Sprintf("size %d, wiped up to %d of %d", size, wiped-pos, end-pos), fm.put(t, name, torn), o, tl.want, from)
		}
		sectors := int((end-1)/sectorBytes - pos/sectorBytes + 1)
		for pattern := range min(1<<sectors-1, 300) { // the last pattern would be all of it
			torn := append([]byte(nil), fm[name]...)
			for s := range sectors {
				if pattern>>s&1 == 0 {
					start := (pos/sectorBytes + int64(s)) * sectorBytes
					clear(torn[max(start, pos):min(start+sectorBytes, end)])
				}
			}
			checkTorn(t, fmt.Sprintf("size %d, sectors %b of %d", size, pattern, sectors), fm.put(t, name, torn), o, tl.want, from)
		}
	}
}

func checkTorn(t *testing.T, name string, fs vfs.FS, o Options, want []fact, from nudge.Offset) {
	t.Helper()
	tl, err := tryOpen(t, fs, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer tl.closeQuietly()
	if tl.want = append([]fact(nil), want...); tl.Log.Next() != from {
		t.Fatalf("%s: goes on with offset %d, want %d", name, tl.Log.Next(), from)
	}
	tl.check(t)
	var damage *Damage
	if err := tl.Log.Confirm(from); !errors.As(err, &damage) || damage.Offset != from {
		t.Fatalf("%s: a checkpoint at the dropped entry: %v", name, err)
	}
	tl.append(t, 1) // shorter than the remains
	tl.reopen(t)
	tl.check(t)
	if tl.Log.torn != "" {
		t.Fatalf("%s: remains of the torn entry are still there: %s", name, tl.Log.torn)
	}
}

// Even if the remains of a longer entry were left behind a shorter one, they are not taken for entries: each entry names the one before it.
func TestLogStaleEntryIsNotTakenForALaterOne(t *testing.T) {
	o := Options{SegmentBytes: 1 << 16}
	tl := openTest(t, vfs.NewMem(), o)
	tl.append(t, 1)
	pos := tl.Log.synced.pos
	e := tl.build.entry(t, tl.Log.Next(), tl.Log.LastAt(), 1)
	h := tl.Log.active.header
	entry, _, err := tl.Log.encoder.encode(e, 12345, h.salt) // sound, but behind another entry
	if err != nil {
		t.Fatal(err)
	}
	fm := filesOf(t, tl.fs)
	stale := fm[segmentName(1)]
	copy(stale[pos:], entry)
	_, opened, _, _ := outcome(t, fm.put(t, segmentName(1), stale), o, 1)
	if opened == nil || !strings.Contains(opened.Error(), "do not chain") {
		t.Fatalf("opened: %v", opened)
	}
}

func TestLogDamage(t *testing.T) {
	fm, o, want := makeFiles(t, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	acked := want[len(want)-1].First
	m, err := parseManifest(fm[manifestName])
	if err != nil {
		t.Fatal(err)
	}
	active := segmentName(m.active)
	if m.active < 4 {
		t.Fatalf("active segment is %s: the test does not test", active)
	}
	second := segmentSecondEntry(t, fm[segmentName(2)])
	secondActive := segmentSecondEntry(t, fm[active])
	for _, c := range []struct {
		what, file string
		change     func(b []byte) []byte
		want       string
	}{
		{"a sealed segment is missing", segmentName(2), func([]byte) []byte { return nil }, "segment is missing"},
		{"the active segment is missing", active, func([]byte) []byte { return nil }, "segment is missing"},
		{"the manifest is missing", manifestName, func([]byte) []byte { return nil }, "manifest is missing"},
		{"the manifest is empty", manifestName, func([]byte) []byte { return []byte{} }, "not a manifest"},
		{"the manifest is cut", manifestName, func(b []byte) []byte { return b[:len(b)-10] }, "its checksum or its form is wrong"},
		{"a segment stands in another's place", segmentName(2), func([]byte) []byte { return fm[segmentName(3)] }, "it is segment 3 under the name of segment 2"},
		{"a sealed segment is cut", segmentName(2), func(b []byte) []byte { return b[:second] }, "checksum"},
		{"a sealed segment is empty", segmentName(2), func([]byte) []byte { return []byte{} }, "not a log segment"},
		{"the active segment is empty", active, func([]byte) []byte { return []byte{} }, "not a log segment"},
		{"the active segment is cut at an entry", active, func(b []byte) []byte { return b[:secondActive] }, "its end is cut off"},
		{"the active segment is cut where it holds zeros", active, func(b []byte) []byte { return b[:len(b)-1] }, "its end is cut off"},
		{"the active segment of an older build is cut at an entry", active, func(b []byte) []byte {
			h, _ := parseSegmentHeader(b)
			first, _, _ := parseEntryHeader(b[segmentHeaderBytes:], h.salt)
			h.made = 0
			copy(b, h.bytes())
			first.prev = h.crc
			first.put(b[segmentHeaderBytes:], h.salt)
			return b[:secondActive]
		}, "was stored as done"},
		{"the active segment is all zeros from an entry on", active, func(b []byte) []byte { clear(b[secondActive:]); return b }, "was stored as done"},
		{"the active segment lost an entry to zeros", active, func(b []byte) []byte {
			clear(b[segmentHeaderBytes:secondActive])
			return b
		}, "an entry that was written later stands at byte"},
		{"the active segment lost its first sector's rest to zeros", active, func(b []byte) []byte {
			clear(b[segmentHeaderBytes+10 : secondActive])
			return b
		}, "an entry that was written later stands at byte"},
		{"the active segment has bytes behind a damaged entry", active, func(b []byte) []byte {
			b[secondActive-2] ^= 1
			clear(b[secondActive : secondActive+4])
			return b
		}, "more was written behind it"},
		{"a segment of a later build", active, func(b []byte) []byte {
			h, _ := parseSegmentHeader(b)
			next := h.bytes()
			next[8] = segmentVersion + 1
			return append(sealHeader(next), b[segmentHeaderBytes:]...)
		}, "the segment's version is 2, this build reads 1"},
	} {
		t.Run(c.what, func(t *testing.T) {
			changed := c.change(append([]byte(nil), fm[c.file]...))
			_, opened, read, confirmed := outcome(t, fm.put(t, c.file, changed), o, acked)
			err := errors.Join(opened, read, confirmed)
			var damage *Damage
			if !errors.As(err, &damage) || !strings.Contains(err.Error(), c.want) || !strings.HasSuffix(damage.File, c.file) {
				t.Fatalf("got %v, want a Damage of %s with %q", err, c.file, c.want)
			}
			for _, part := range []string{"log file data/log/", "at byte", "offset", "Bring this file"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is missing in %v", part, err)
				}
			}
		})
	}
	t.Run("a segment beyond the manifest", func(t *testing.T) {
		more := files{segmentName(99): fm[segmentName(2)]}
		for n, b := range fm {
			more[n] = b
		}
		if _, opened, _, _ := outcome(t, more.put(t, "", nil), o, acked); opened == nil || !strings.Contains(opened.Error(), "does not belong here") {
			t.Fatal(opened)
		}
	})
	t.Run("an older manifest", func(t *testing.T) {
		m, err := parseManifest(fm[manifestName])
		if err != nil {
			t.Fatal(err)
		}
		m.active -= 2
		m.sealed = m.sealed[:len(m.sealed)-2]
		if _, opened, _, _ := outcome(t, fm.put(t, manifestName, m.encode()), o, acked); opened == nil {
			t.Fatal("opened")
		}
		m, _ = parseManifest(fm[manifestName])
		m.active--
		m.sealed = m.sealed[:len(m.sealed)-1]
		if _, opened, _, _ := outcome(t, fm.put(t, manifestName, m.encode()), o, acked); opened == nil || !strings.Contains(opened.Error(), "the manifest is missing or old") {
			t.Fatal(opened)
		}
	})
}

// A sealed segment, and an active one that another follows, was synced as a whole: nothing of it is dropped.
func TestLogNothingIsDroppedBeforeALaterSegment(t *testing.T) {
	fm, o, want := makeFiles(t, 1, 1, 1, 1, 1, 1, 1)
	m, err := parseManifest(fm[manifestName])
	if err != nil {
		t.Fatal(err)
	}
	// The crash between the new segment and the manifest: the last segment is empty, the manifest does not know it.
	lastSealed := m.sealed[len(m.sealed)-1]
	clear(fm[segmentName(m.active)][segmentHeaderBytes:])
	m.active, m.sealed = lastSealed.number, m.sealed[:len(m.sealed)-1]
	fm[manifestName] = m.encode()
	got, opened, read, confirmed := outcome(t, fm.put(t, "", nil), o, lastSealed.last)
	if err := errors.Join(opened, read, confirmed); err != nil || !equalFacts(got, want[:len(got)]) || got[len(got)-1].First != lastSealed.last {
		t.Fatalf("%v: %v", err, got)
	}
	t.Run("the new segment does not follow", func(t *testing.T) {
		b := append([]byte(nil), fm[segmentName(lastSealed.number+1)]...)
		b[40]++
		sealHeader(b)
		fs := fm.put(t, segmentName(lastSealed.number+1), b)
		if _, opened, _, _ := outcome(t, fs, o, 0); opened == nil || !strings.Contains(opened.Error(), "their checksums do not chain") {
			t.Fatal(opened)
		}
		if !bytes.Equal(filesOf(t, fs)[manifestName], fm[manifestName]) {
			t.Fatal("the manifest was changed")
		}
	})
	torn := append([]byte(nil), fm[segmentName(lastSealed.number)]...)
	clear(torn[lastSealed.bytes-20:])
	if _, opened, _, _ := outcome(t, fm.put(t, segmentName(lastSealed.number), torn), o, 0); opened == nil || !strings.Contains(opened.Error(), "a later segment exists") {
		t.Fatal(opened)
	}
}

// segmentSecondEntry returns where the second entry of the segment begins.
func segmentSecondEntry(t testing.TB, b []byte) int64 {
	t.Helper()
	sh, problem := parseSegmentHeader(b)
	h, _, ok := parseEntryHeader(b[segmentHeaderBytes:], sh.salt)
	second := segmentHeaderBytes + h.size()
	if _, _, two := parseEntryHeader(b[second:], sh.salt); problem != "" || !ok || !two {
		t.Fatal("the segment does not hold two entries: the test does not test")
	}
	return second
}
