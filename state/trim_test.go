package state

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// trimTest is a log of 1-record entries, at 10, 20, 30 …, in several segments.
func trimTest(t *testing.T, o Options) *testLog {
	o.SegmentBytes, o.spareInline = 640, true
	tl := openTest(t, vfs.NewMem(), o)
	for range 20 {
		tl.append(t, 1)
	}
	if len(tl.Log.manifest.sealed) < 4 {
		t.Fatal("too few segments: the test does not test")
	}
	return tl
}

func (tl *testLog) trim(t *testing.T, keepFrom nudge.Offset, now nudge.Millis, first nudge.Offset) {
	t.Helper()
	if err := tl.Log.Trim(keepFrom, now); err != nil {
		t.Fatal(err)
	}
	if tl.Log.First() != first {
		t.Fatalf("keep from %d at %d: the log begins with offset %d, want %d", keepFrom, now, tl.Log.First(), first)
	}
	got, err := tl.read(t, 0)
	if err != nil || !equalFacts(got, tl.want[first-1:]) {
		t.Fatalf("%v: %d entries", err, len(got))
	}
}

func TestLogTrimByAge(t *testing.T) {
	tl := trimTest(t, Options{LogMaxAge: 1000})
	s := append([]sealed(nil), tl.Log.manifest.sealed...)
	end := tl.Log.Next()
	tl.trim(t, end, s[0].at+1000, 1)               // just not older
	tl.trim(t, 1, 1<<40, 1)                        // everything is wanted
	tl.trim(t, s[0].last, 1<<40, 1)                // its last record is wanted
	tl.trim(t, end, s[0].at+1001, s[1].first)      // the first is older
	tl.trim(t, s[1].last+1, 1<<40, s[2].first)     // the next is not wanted any more
	tl.trim(t, 0, 1<<40, s[2].first)               // 0: all is wanted
	tl.trim(t, end, 1<<40, s[len(s)-1].last+1)     // the active segment stays
	tl.trim(t, end+100, 1<<40, s[len(s)-1].last+1) // whatever is asked for
	var damage *Damage
	if _, err := tl.read(t, s[1].first); !errors.As(err, &damage) {
		t.Fatalf("reading what was trimmed: %v", err)
	}
	at, next := tl.Log.LastAt(), tl.Log.Next()
	tl.reopenTrimmed(t, s[len(s)-1].last+1)
	if tl.Log.LastAt() != at || tl.Log.Next() != next {
		t.Fatalf("reopened: at %d, next %d, want %d, %d", tl.Log.LastAt(), tl.Log.Next(), at, next)
	}
}

func (tl *testLog) reopenTrimmed(t *testing.T, first nudge.Offset) {
	t.Helper()
	tl.reopen(t)
	got, err := tl.read(t, 0)
	if err != nil || tl.Log.First() != first || !equalFacts(got, tl.want[first-1:]) {
		t.Fatalf("reopened: first %d, want %d; %d entries, %v", tl.Log.First(), first, len(got), err)
	}
}

func TestLogTrimByBytes(t *testing.T) {
	tl := trimTest(t, Options{LogMaxAge: 1 << 50})
	s := append([]sealed(nil), tl.Log.manifest.sealed...)
	total, files := tl.Log.Bytes(), len(filesOf(t, tl.fs))
	tl.Log.opts.LogMaxBytes = total
	tl.trim(t, tl.Log.Next(), 0, 1)
	tl.Log.opts.LogMaxBytes = total - 1
	tl.trim(t, s[1].first-1, 0, 1)
	tl.trim(t, tl.Log.Next(), 0, s[1].first)
	if got := tl.Log.Bytes(); got != total-s[0].bytes {
		t.Fatalf("%d bytes, want %d", got, total-s[0].bytes)
	}
	tl.Log.opts.LogMaxBytes = total - s[0].bytes - s[1].bytes - 1
	tl.trim(t, tl.Log.Next(), 0, s[3].first)
	if now := len(filesOf(t, tl.fs)); now != files-3 {
		t.Fatalf("%d files, want %d", now, files-3)
	}
	tl.reopenTrimmed(t, s[3].first)
}

// What somebody has yet to be told of is kept until the log is twice as old or large as allowed, and not longer.
func TestLogTrimSparesWhatIsWanted(t *testing.T) {
	var wanted nudge.Offset
	tl := trimTest(t, Options{LogMaxAge: 1000, LogWanted: func() nudge.Offset { return wanted }})
	s := append([]sealed(nil), tl.Log.manifest.sealed...)
	end := tl.Log.Next()
	wanted = s[1].last // its last record
	tl.trim(t, end, s[0].at+1000, 1)
	tl.trim(t, end, s[1].at+1001, s[1].first) // the first one is of no use to anybody
	tl.trim(t, end, s[1].at+2000, s[1].first) // just not twice as old
	tl.trim(t, s[1].last, s[1].at+2001, s[1].first)
	tl.trim(t, end, s[1].at+2001, s[2].first)
	wanted = 1 // long gone
	tl.trim(t, end, s[2].at+2000, s[2].first)
	wanted = 0
	tl.trim(t, end, s[2].at+1001, s[3].first)

	tl = trimTest(t, Options{LogMaxAge: math.MaxInt64, LogWanted: func() nudge.Offset { return wanted }})
	s = append([]sealed(nil), tl.Log.manifest.sealed...)
	end, wanted = tl.Log.Next(), 1
	tl.Log.opts.LogMaxBytes = tl.Log.Bytes() / 2
	if tl.Log.Bytes() > 2*tl.Log.opts.LogMaxBytes {
		tl.Log.opts.LogMaxBytes++
	}
	tl.trim(t, end, 1<<50, 1)
	tl.Log.opts.LogMaxBytes = tl.Log.Bytes()/2 - 1
	tl.trim(t, end, 1<<50, s[1].first)
	wanted = 0
	if err := tl.Log.Trim(end, 1<<50); err != nil || tl.Log.First() <= s[1].first || tl.Log.Bytes() > tl.Log.opts.LogMaxBytes {
		t.Fatalf("%v: wanted by nobody, the log begins with offset %d and has %d bytes", err, tl.Log.First(), tl.Log.Bytes())
	}
}

// A segment takes records of a sixteenth of the age only, and of a minute at least, so that its first ones do not stay much longer than they should.
func TestSegmentsAreBoundInTime(t *testing.T) {
	for _, c := range []struct{ keep, most nudge.Millis }{{16 * 3600_000, 3600_000}, {1, minSegmentAge}, {minSegmentAge * segmentAgeShare, minSegmentAge}} {
		tl := openTest(t, vfs.NewMem(), Options{LogMaxAge: c.keep, SegmentBytes: 1 << 16})
		add := func(at nudge.Millis) int {
			e := tl.build.entry(t, tl.Log.Next(), at, 1)
			tl.want = append(tl.want, factOf(t, tl.build.names, e))
			if err := errors.Join(tl.Log.Append(e), tl.Log.Sync()); err != nil {
				t.Fatal(err)
			}
			return tl.Log.Stats().Segments
		}
		if one, same, next := add(1000), add(1000+c.most), add(1001+c.most); one != 1 || same != 1 || next != 2 {
			t.Errorf("keep %d: %d, %d, %d segments", c.keep, one, same, next)
		}
		tl.reopen(t) // the active segment's first time is known again
		if same, next := add(1001+2*c.most), add(1002+2*c.most); same != 2 || next != 3 {
			t.Errorf("keep %d, reopened: %d, %d segments", c.keep, same, next)
		}
		tl.check(t)
	}
}

func TestLogStats(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 640})
	if s := tl.Log.Stats(); s != (LogStats{Segments: 1, Bytes: segmentHeaderBytes}) {
		t.Errorf("a new log: %+v", s)
	}
	tl.append(t, 1)
	if s := tl.Log.Stats(); s.Since != 10 || s.Segments != 1 {
		t.Errorf("one entry: %+v", s)
	}
	for range 20 {
		tl.append(t, 1)
	}
	second := tl.Log.manifest.sealed[1]
	tl.rewrite(t, RewriteOptions{Hurry: true, From: 1, Through: second.last})
	if s := tl.Log.Stats(); s.Since != 10 || s.Segments < 3 || s.Rewritten != 2 || s.Bytes != tl.Log.Bytes() {
		t.Errorf("many entries: %+v", s)
	}
	tl.Log.opts.LogMaxBytes = tl.Log.Bytes() - 1
	if err := tl.Log.Trim(tl.Log.Next(), 0); err != nil {
		t.Fatal(err)
	}
	if s := tl.Log.Stats(); s.Since != second.since || s.Rewritten != 1 {
		t.Errorf("trimmed: %+v", s)
	}
}

// Log time goes on even if nothing but an empty segment is left of the log.
func TestLogTimeSurvivesTrimmingEverything(t *testing.T) {
	tl := trimTest(t, Options{})
	// A segment that was begun and not yet appended to.
	begun, err := tl.Log.roll(tl.Log.appended)
	if err != nil {
		t.Fatal(err)
	}
	if err := tl.Log.Trim(begun.next, 1<<50); err != nil {
		t.Fatal(err)
	}
	at := tl.Log.LastAt()
	tl.reopen(t)
	if tl.Log.First() != begun.next || tl.Log.Next() != begun.next || tl.Log.LastAt() != at || at == 0 {
		t.Fatalf("first %d, next %d, want %d; at %d, want %d", tl.Log.First(), tl.Log.Next(), begun.next, tl.Log.LastAt(), at)
	}
}

// A Read gets all that was there when it began, whatever is trimmed meanwhile; the files go afterwards.
func TestLogTrimDuringRead(t *testing.T) {
	tl := trimTest(t, Options{LogMaxAge: 1})
	s := append([]sealed(nil), tl.Log.manifest.sealed...)
	end := s[len(s)-1].last + 1
	before := len(filesOf(t, tl.fs))
	n := 0
	err := tl.Log.Read(s[1].first, func(nudge.Entry) error {
		n++
		if err := tl.Log.Trim(end, 1<<40); err != nil || tl.Log.First() != end {
			t.Fatalf("first %d, want %d, %v", tl.Log.First(), end, err)
		}
		if files := len(filesOf(t, tl.fs)); files != before-1 { // segment 0 is not read
			t.Fatalf("%d files, want %d", files, before-1)
		}
		return nil
	})
	if want := len(tl.want) - int(s[0].last); err != nil || n != want {
		t.Fatalf("%d entries, want %d, %v", n, want, err)
	}
	tl.trim(t, end, 1<<40, end)
	if files := len(filesOf(t, tl.fs)); files != before-len(s) {
		t.Fatalf("%d files, want %d", files, before-len(s))
	}
}

// A file that cannot be removed when its segment is dropped goes when that is tried again, by whoever does.
func TestLogTrimRemovesLater(t *testing.T) {
	for name, again := range map[string]func(tl *testLog) error{
		"trim": func(tl *testLog) error { return tl.Log.Trim(0, 0) },
		"drop": func(tl *testLog) error {
			_, err := tl.Log.Drop(t.Context(), 1, 1, func(nudge.Offset, nudge.Record) bool { return true })
			return err
		},
	} {
		fails := false
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if fails && op.Kind == errorfs.OpRemove && strings.HasSuffix(op.Path, segmentSuffix) {
				fails = false
				return errorfs.ErrInjected
			}
			return nil
		}))
		tl := openTest(t, fs, Options{SegmentBytes: 640, LogMaxAge: 1, spareInline: true})
		for range 20 {
			tl.append(t, 1)
		}
		before, end := len(filesOf(t, tl.fs)), tl.Log.manifest.sealed[1].first
		fails = true
		if err := tl.Log.Trim(end, 1<<40); !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("%s: the file cannot be removed, and Trim says %v", name, err)
		}
		if err := again(tl); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if files := len(filesOf(t, tl.fs)); files != before-1 {
			t.Errorf("%s: %d files, want %d", name, files, before-1)
		}
	}
}

// Whoever waits for the files of what was trimmed waits for the Read that may still open them.
func TestLogAwaitRemoval(t *testing.T) {
	tl := trimTest(t, Options{LogMaxAge: 1})
	end, files := tl.Log.manifest.sealed[1].last, len(filesOf(t, tl.fs))
	awaited := make(chan error, 1)
	n := 0
	err := tl.Log.Read(1, func(nudge.Entry) error {
		if n++; n > 1 {
			return nil
		}
		tl.trim(t, end, 1<<40, tl.Log.manifest.sealed[1].first)
		short, cancel := context.WithTimeout(t.Context(), 3*purgeLook)
		defer cancel()
		if err := tl.Log.AwaitRemoval(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while a Read is under way: %v", err)
		}
		go func() { awaited <- tl.Log.AwaitRemoval(t.Context()) }()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-awaited; err != nil {
		t.Fatal(err)
	}
	if left := len(filesOf(t, tl.fs)); left != files-1 {
		t.Errorf("%d files, want %d", left, files-1)
	}
}

// A manifest that finds no room leaves the log as it was, also while a Read holds what was dropped before. Trimming goes on once there is room.
func TestLogTrimOnAFullDisk(t *testing.T) {
	for _, op := range []string{"create", "write", "rename"} {
		disk := &smallDisk{FS: vfs.NewMem()}
		tl := openTest(t, disk, Options{SegmentBytes: 640, LogMaxAge: 1, spareInline: true})
		for range 20 {
			tl.append(t, 1)
		}
		s := append([]sealed(nil), tl.Log.manifest.sealed...)
		end, files := s[len(s)-1].last+1, len(filesOf(t, disk.FS))
		n := 0
		err := tl.Log.Read(1, func(nudge.Entry) error {
			if n++; n > 1 {
				return nil
			}
			tl.trim(t, s[1].first, 1<<40, s[1].first)
			disk.set(func(name string) bool { return strings.HasPrefix(name, op) && strings.Contains(name, manifestTmpName) })
			if err := tl.Log.Trim(end, 1<<40); !errors.Is(err, nudge.ErrFull) {
				t.Fatalf("%s finds no room, and Trim says %v", op, err)
			}
			disk.set(nil)
			if first := tl.Log.First(); first != s[1].first || len(tl.Log.dropped) != 1 {
				t.Fatalf("%s: the log begins with offset %d, want %d; %d segments are dropped", op, first, s[1].first, len(tl.Log.dropped))
			}
			return nil
		})
		if err != nil || n != len(tl.want) {
			t.Fatalf("%s: %d entries, %v", op, n, err)
		}
		tl.trim(t, end, 1<<40, end)
		if left := len(filesOf(t, disk.FS)); left != files-len(s) {
			t.Errorf("%s: %d files, want %d", op, left, files-len(s))
		}
	}
}

// Reads, trimming and appending at once: each Read sees consecutive records up to at least what was durable when it began.
func TestLogConcurrentUse(t *testing.T) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 4 << 10, LogMaxBytes: 20 << 10})
	tl.append(t, 1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for reading := true; reading; {
				select {
				case <-done:
					reading = false
				default:
				}
				readConsecutive(t, tl)
			}
		})
	}
	wg.Go(func() {
		for trimming := true; trimming; {
			select {
			case <-done:
				trimming = false
			default:
			}
			if err := tl.Log.Trim(tl.Log.Next()-1, 0); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 400 {
		tl.append(t, 1+i%3)
	}
	close(done)
	wg.Wait()
	if tl.Log.First() == 1 {
		t.Fatal("nothing was trimmed: the test does not test")
	}
}

func readConsecutive(t *testing.T, tl *testLog) {
	end := tl.Log.Next() - 1 // may not be durable yet
	var next nudge.Offset
	err := tl.Log.Read(0, func(e nudge.Entry) error {
		if next != 0 && e.First != next {
			t.Errorf("entry %d behind %d", e.First, next)
		}
		next = e.First + nudge.Offset(e.Count)
		return nil
	})
	if err != nil || next+3 <= end {
		t.Errorf("read up to %d, the log ended with %d: %v", next, end, err)
	}
}
