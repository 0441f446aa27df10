package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nudge"
)

// idOfValue is the id of a value where nothing is remembered.
func idOfValue(v nudge.Value) valueID {
	var none *longIDs
	return none.of(v)
}

// TestLongIDs: whatever was remembered before, an id is that of the text, of texts too that have their length and both ends in common.
func TestLongIDs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	texts := []string{}
	for n := shortText - 1; n <= longIDText+2; n++ {
		texts = append(texts, strings.Repeat("x", n), strings.Repeat("\x00", n))
		for i := range n {
			texts = append(texts, strings.Repeat("x", i)+"y"+strings.Repeat("x", n-i-1))
		}
	}
	for range 2000 {
		b := make([]byte, r.IntN(2*longIDText))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		texts = append(texts, string(b))
	}
	most := strings.Repeat("x", longIDText)
	for i, found := 0, 0; found < 10; i++ { // too long by a few bytes, and in the place of what it begins with
		if text := most + strconv.Itoa(i); placeOfLong(text) == placeOfLong(most) {
			texts, found = append(texts, text), found+1
		}
	}
	slices.Reverse(texts) // these are met most
	var m longIDs
	again := 0
	for range 20 * len(texts) {
		text := texts[r.IntN(len(texts))]
		if r.IntN(2) == 0 {
			text = texts[r.IntN(100)]
		} else if r.IntN(20) == 0 {
			text = most
		}
		v := nudge.TextValue(text)
		if len(text) > shortText && m.holds(text) {
			again++
		}
		if got, want := m.of(v), idOfValue(v); got != want {
			t.Fatalf("%q has id %v, want %v", text, got, want)
		}
		if r.IntN(8) == 0 {
			v.Kind = nudge.JSON
			if got, want := m.of(v), idOfValue(v); got != want {
				t.Fatalf("%q as a nested value has id %v, want %v", text, got, want)
			}
		}
	}
	if again < len(texts) {
		t.Errorf("%d ids were known: too few to say anything", again)
	}
}

// TestLongIDsOfOneSite: texts that differ anywhere have places of their own, most of them.
func TestLongIDsOfOneSite(t *testing.T) {
	const texts = 100
	for _, format := range []string{"/section/page-%02d.html", "%02d-user-of-example.com", "https://acme.example/%02d"} {
		places := map[uint64]bool{}
		for i := range texts {
			places[placeOfLong(fmt.Sprintf(format, i))] = true
		}
		if len(places) < 9*texts/10 {
			t.Errorf("%d texts like %q have %d places", texts, format, len(places))
		}
	}
}

// TestErasureForgetsLongIDs: an erased person's id is remembered no more.
func TestErasureForgetsLongIDs(t *testing.T) {
	s := newSingle(t, Options{Shards: 1}, `{per: company, when: distinct(page_view, user, "7d") >= 3, then: alert("three", {})}`)
	const user = "somebody@acme.example"
	s.take(1000, `{"type":"page_view","visitor":"v","user":"`+user+`","company":"acme.example"}`)
	if !s.engine.shards[0].longIDs.holds(user) {
		t.Fatal("the user's id is not remembered")
	}
	if eraseNow(t, s.engine, "user", user); s.engine.shards[0].longIDs.holds(user) {
		t.Error("the user's id is still remembered")
	}
}

// holds says whether a text stands in any of the places.
func (m *longIDs) holds(text string) bool {
	if m.slots != nil {
		for i := range m.slots {
			if k := &m.slots[i]; string(k.text[:k.size]) == text {
				return true
			}
		}
	}
	return false
}
