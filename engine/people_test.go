package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nudge"
)

// TestPeople: what is known of somebody is found by hash and text, while others come and go, of whom many share a place, and some the whole hash.
func TestPeople(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var p people[int]
	want := map[string]*int{}
	hashOf := func(n int) nudge.KeyHash { return nudge.KeyHash(n%7)<<44 | nudge.KeyHash(n%50)*0x5000000 } // some texts share a hash
	for range 40_000 {
		n := r.IntN(400)
		text, hash := fmt.Sprint("visitor-", n), hashOf(n)
		switch known := want[text]; {
		case known == nil:
			want[text] = new(int)
			p.put(hash, text, want[text])
		case r.IntN(2) == 0:
			p.remove(hash, text)
			delete(want, text)
		}
		other := r.IntN(400)
		otherText := fmt.Sprint("visitor-", other)
		if got := p.get(hashOf(other), otherText); got != want[otherText] {
			t.Fatalf("%s: got %p, want %p", otherText, got, want[otherText])
		}
		p.near(hashOf(other))
	}
	seen := 0
	for key, known := range p.all() {
		if want[key.text] != known || key.hash != hashOf(atoi(key.text)) {
			t.Fatalf("%v: %p, want %p", key, known, want[key.text])
		}
		seen++
	}
	if seen != len(want) || p.len() != seen {
		t.Fatalf("%d seen, of %d; %d wanted", seen, p.len(), len(want))
	}
	for range p.all() {
		break
	}
}

func atoi(text string) (n int) {
	_, _ = fmt.Sscanf(text, "visitor-%d", &n)
	return n
}
