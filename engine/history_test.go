package engine

import (
	"fmt"
	"math/rand/v2"
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
