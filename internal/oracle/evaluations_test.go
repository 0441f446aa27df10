package oracle

import "testing"

// TestEvaluations: a condition is evaluated before and, where that is false, after each instant of its key; unless where the rule rises.
func TestEvaluations(t *testing.T) {
	set := []Rule{{ID: "r", Text: `{per: visitor, when: count(page_view, "1h") >= 2, then: alert("x"), unless: happened(click, "1h")}`}}
	lines := []string{
		`{"type":"page_view","visitor":"v","ts":1000}`, // false, false
		`{"type":"page_view","visitor":"v","ts":2000}`, // false, true, unless; and once for its fired event: true
		`{"type":"page_view","visitor":"v","ts":3000}`, // true
		`{"type":"page_view","ts":4000,"user":"u"}`,    // no key of the rule
	}
	n := 10
	if _, err := Run(set, lines, Options{Evaluations: &n}); err != nil {
		t.Fatal(err)
	}
	if n != 10+7 {
		t.Errorf("%d conditions were evaluated, want 7", n-10)
	}
}
