package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"nudge"
)

// TestFindAll: what is found for keys together is what is found for each alone, whatever stands at their places: keys of one hash, of one place, of
// texts so long that their records are wide, and keys that are not there.
func TestFindAll(t *testing.T) {
	var tab table
	r := rand.New(rand.NewPCG(1, 1))
	tab.add(0, 0, strings.Repeat("x", mostNarrow)) // a record without a visitor asks for no text under the hash 0
	var keys []query
	for i := range 3000 {
		q := query{hash: nudge.KeyHash(r.IntN(4))<<44 | nudge.KeyHash(r.IntN(2000)), scope: uint16(r.IntN(2)), key: fmt.Sprintf("key-%d", i)}
		if i%100 == 0 {
			q.key += strings.Repeat("x", mostNarrow)
		}
		keys = append(keys, q)
		if i%5 == 0 {
			continue // is not there
		}
		e := tab.add(q.hash, q.scope, q.key)
		if e%7 == 0 {
			tab.grow(e, 1, 700)
		}
	}
	keys = append(keys, query{})
	found := 0
	for range 2000 {
		queries := make([]query, r.IntN(lookAhead+1))
		for i := range queries {
			queries[i] = keys[r.IntN(len(keys))]
			queries[i].entry = uint32(r.IntN(3)) // of those that asked before
		}
		tab.findAll(queries)
		for i := range queries {
			q := &queries[i]
			if want := tab.lookup(q.hash, q.scope, q.key); q.entry != want {
				t.Fatalf("%d of %d: %x %d %.20s is entry %d, want %d", i, len(queries), q.hash, q.scope, q.key, q.entry, want)
			}
			if q.entry != noEntry {
				found++
			}
		}
	}
	if found < 10_000 {
		t.Errorf("%d were found: too few to say anything", found)
	}
}
