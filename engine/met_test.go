package engine

import (
	"fmt"
	"strings"
	"testing"
)

// TestMetSetsAreBounded: whoever sends events chooses which tests they match, and so can make up one set after another.
func TestMetSetsAreBounded(t *testing.T) {
	const tests = 16
	var points []string
	for i := range tests {
		points = append(points, fmt.Sprintf(`(page_view and f%d == true): 1`, i))
	}
	e := newSingle(t, Options{Shards: 1}, `{per: visitor, when: score({`+strings.Join(points, ", ")+`}, half_life("7d")) >= 1e9, then: alert("a", {})}`)
	s := e.engine.shards[0]
	most := 0
	for set := range int32(3 * recentSets) {
		var matched []int32
		for i := range int32(tests) {
			if set>>i&1 != 0 {
				matched = append(matched, i)
			}
		}
		s.met(hashTests(matched), matched)
		most = max(most, len(s.sets.touches))
	}
	if s.sets.recent.taken > recentSets || s.sets.older.taken > recentSets || most > recentSets {
		t.Errorf("%d and %d sets are remembered, with %d operators in their roles, want %d at most of each", s.sets.recent.taken, s.sets.older.taken, most, recentSets)
	}
	if most < recentSets/2 {
		t.Errorf("%d operators in their roles: the tests prove nothing", most)
	}
}
