package engine

import (
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"nudge"
)

// reading is what time.Now returns where the wall clock says wall and the monotonic clock mono. Package time has no way to make
// one, and a wall clock that jumps cannot be tested without.
func reading(t testing.TB, wall time.Time, mono time.Duration) time.Time {
	t.Helper()
	r := time.Now()
	raw := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&r))
	const since1885 = 2_682_288_000 // seconds from 1885, where the packed form begins, to 1970
	raw.wall = 1<<63 | uint64(wall.Unix()+since1885)<<30 | uint64(wall.Nanosecond())
	raw.ext = int64(mono)
	return r
}

// fakeWall is a wall clock and a monotonic one.
type fakeWall struct {
	testing.TB
	wall time.Time
	mono time.Duration
}

func newFakeWall(t testing.TB) *fakeWall {
	return &fakeWall{TB: t, wall: time.UnixMilli(1_764_000_000_000), mono: time.Hour}
}

func (w *fakeWall) now() time.Time { return reading(w.TB, w.wall, w.mono) }

func (w *fakeWall) pass(d time.Duration) {
	w.wall, w.mono = w.wall.Add(d), w.mono+d
}

func (w *fakeWall) millis() nudge.Millis { return nudge.Millis(w.wall.UnixMilli()) }

// The readings that the other tests build on are what they say.
func TestReading(t *testing.T) {
	w := newFakeWall(t)
	a := w.now()
	w.pass(3 * time.Second)
	w.wall = w.wall.Add(-time.Hour)
	b := w.now()
	if b.Sub(a) != 3*time.Second || b.UnixNano()-a.UnixNano() != int64(3*time.Second-time.Hour) {
		t.Fatalf("monotonic %v, wall %d ns: package time packs readings in another way", b.Sub(a), b.UnixNano()-a.UnixNano())
	}
}

// I6: however the wall clock jumps, log time never decreases, passes at 0.9 to 1.1 of the monotonic clock's pace, does not go
// further away from the wall clock than the jumps put it, and is there again once ten times the distance has passed.
func TestClock(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newFakeWall(t)
		newest := w.millis() + nudge.Millis(rapid.Int64Range(-100_000, 100_000).Draw(r, "newest"))
		c := NewClock(w.now, newest)
		at := c.Now()
		if want := max(newest, w.millis()); at != want {
			r.Fatalf("the first reading is %d, want %d: the later of the wall clock and the newest log time", at, want)
		}
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			w.wall = w.wall.Add(time.Duration(rapid.SampledFrom([]int64{0, 0, 0, -1, 1}).Draw(r, "way") * rapid.Int64Range(0, int64(time.Hour)).Draw(r, "jump")))
			passed := time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(r, "passed"))
			if rapid.Bool().Draw(r, "short") {
				passed = min(passed, time.Duration(rapid.Int64Range(0, int64(5*time.Millisecond)).Draw(r, "little")))
			}
			off := at - w.millis()
			w.pass(passed)
			now := c.Now()
			step, ms := now-at, nudge.Millis(passed/time.Millisecond)
			if step < 0 || step < ms-ms/10-1 || step > ms+ms/10+2 {
				r.Fatalf("%v passed, log time went by %d ms", passed, step)
			}
			if left := now - w.millis(); abs(left) > abs(off)+1 {
				r.Fatalf("%v passed, log time was %d ms off and is %d ms off", passed, off, left)
			}
			at = now
		}
		w.pass(10 * time.Duration(abs(at-w.millis())+1) * time.Millisecond)
		if left := c.Now() - w.millis(); abs(left) > 1 {
			r.Fatalf("log time stays %d ms off", left)
		}
	})
}

func abs(m nudge.Millis) nudge.Millis { return max(m, -m) }

// Without jumps log time is the wall clock's, to the millisecond, however often it is read.
func TestClockFollowsTheWall(t *testing.T) {
	w := newFakeWall(t)
	c := NewClock(w.now, 0)
	for range 1000 {
		w.pass(333_333 * time.Nanosecond)
		if got := c.Now(); got != w.millis() {
			t.Fatalf("log time %d, wall %d", got, w.millis())
		}
	}
}

// A wall clock without a monotonic part that jumps back stands still for log time, and does not turn it back.
func TestClockWithoutMonotonic(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_000)
	c := NewClock(func() time.Time { return now }, 0)
	first := c.Now()
	now = now.Add(-time.Hour)
	if got := c.Now(); got != first {
		t.Fatalf("log time went from %d to %d", first, got)
	}
	now = now.Add(time.Second)
	if got := c.Now(); got != first+900 {
		t.Fatalf("a second passed with the wall clock behind: log time went by %d ms, want 900", got-first)
	}
}
