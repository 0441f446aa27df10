package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
)

// TestHistoryKey: the hash is that of the newest value, however that came to be the newest.
func TestHistoryKey(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var h history
	for off := nudge.Offset(1); off < 5000; off++ {
		did := "nothing"
		switch r.IntN(5) {
		case 0, 1:
			h.set(off, off-nudge.Offset(r.IntN(3)), fmt.Sprint("c", r.IntN(9)))
			did = "set"
		case 2:
			h.forget([]string{h.last()})
			did = "forget"
		case 3:
			h.forgetSince(off - nudge.Offset(r.IntN(8)))
			did = "forgetSince"
		case 4:
			var back history
			back.read(h.append(nil))
			h = back
			did = "read"
		}
		if got, want := h.key("company"), nudge.HashKey("company", h.last()); got != want {
			t.Fatalf("after %s the newest value is %q, and its hash that of another", did, h.last())
		}
	}
}

// TestHistoryBefore holds a history to the list of all its values: before any record of the batch, or later, it is what that list says, and the values
// that are kept are its last ones.
func TestHistoryBefore(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		var h history
		var all []binding
		first := nudge.Offset(1)
		for off := nudge.Offset(1); off < 60; off++ {
			if r.IntN(8) == 0 {
				first = off
			}
			if r.IntN(2) == 0 {
				text := fmt.Sprint("v", r.IntN(5))
				h.set(off, first, text)
				all = append(all, binding{off, text})
			}
			for at := first; at <= off+1; at++ {
				want := ""
				for _, b := range all {
					if b.from < at {
						want = b.text
					}
				}
				if got := h.before(at); got != want {
					t.Fatalf("before %d: %q, want %q, of %v since %d", at, got, want, all, first)
				}
			}
			kept := all[max(len(all)-keepBindings, 0):]
			if got := slices.Collect(h.kept); !slices.Equal(got, kept) {
				t.Fatalf("kept are %v, want %v", got, kept)
			}
			if got, want := h.isWhole(), len(all) <= keepBindings; got != want {
				t.Fatalf("whole: %v of %v", got, all)
			}
		}
	}
}

// TestHistoryIsWhole: a history that had more values than are kept says so, stored and read back too, and when some of those that are kept are
// forgotten. One that had not, does not.
func TestHistoryIsWhole(t *testing.T) {
	for n := range 2 * keepBindings {
		var h, back history
		for i := range n {
			off := nudge.Offset(i + 1)
			h.set(off, off, fmt.Sprint("v", i))
		}
		back.read(h.append(nil))
		if got, want := slices.Collect(back.kept), slices.Collect(h.kept); !slices.Equal(got, want) {
			t.Errorf("%v read back is %v", want, got)
		}
		left := h
		left.forget([]string{h.last()})
		if left.hasAny([]string{h.last()}) {
			t.Errorf("%q is forgotten and still kept", h.last())
		}
		for name, is := range map[string]bool{"as it was": h.isWhole(), "read back": back.isWhole(), "with one forgotten": left.isWhole()} {
			if want := n <= keepBindings; is != want {
				t.Errorf("a history of %d values, %s, is whole: %v, want %v", n, name, is, want)
			}
		}
	}
}
