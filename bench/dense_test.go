package bench

import "testing"

// TestDenseRules: an event of a section meets one rule in 200, some of each shape, and no two of a shape ask the same.
func TestDenseRules(t *testing.T) {
	const n = 10 * denseLeast
	type place struct{ section, shape int }
	rules, found := map[denseRule]bool{}, map[place]int{}
	for i := range n {
		r := denseRuleOf(i)
		rules[r] = true
		found[place{r.section, r.shape}]++
	}
	if len(rules) != n {
		t.Errorf("%d of %d rules are different", len(rules), n)
	}
	if len(found) != denseLeast {
		t.Errorf("rules of %d shapes and sections, want %d", len(found), denseLeast)
	}
	for p, count := range found {
		if want := n / denseLeast; count != want {
			t.Errorf("section %d has %d rules of shape %d, want %d", p.section, count, p.shape, want)
		}
	}
	for _, name := range []string{"dense-1599", "dense-20001", "dense-", "dense-x"} {
		if _, ok := denseOf(name); ok {
			t.Errorf("there is a workload %q", name)
		}
	}
}
