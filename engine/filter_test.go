package engine

import (
	"math/rand/v2"
	"testing"

	"nudge"
)

// What was added passes, at any size; of what was not, little does.
func TestHashFilter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var f hashFilter
	var visitors people[visitorIdentity]
	var added []nudge.KeyHash
	if f.mayHave(0) {
		t.Error("an empty filter lets something pass")
	}
	for range 50_000 {
		h := nudge.KeyHash(rng.Uint64())
		visitors.put(h, "", &visitorIdentity{})
		f.add(h, visitors.part(h))
		added = append(added, h)
		if len(added)%5000 != 1 {
			continue
		}
		for _, h := range added {
			if !f.mayHave(h) {
				t.Fatalf("%d added: %x does not pass", len(added), h)
			}
		}
		passed := 0
		for range 1000 {
			if f.mayHave(nudge.KeyHash(rng.Uint64())) {
				passed++
			}
		}
		if passed > 1000*2/filterBits {
			t.Errorf("%d added: %d of 1000 others pass", len(added), passed)
		}
	}
}
