package oracle

import (
	"reflect"
	"strings"
	"testing"
)

// What must turn up in firings, and in the rules that fire.
var (
	lineMarks = []string{`"cause":"timer"`, `"cause":"fired:`, `"cause":"line:`, `"suppressed":"unless"`, `"suppressed":"cooldown"`, `"mode":"shadow"`}
	marks     = []string{
		"count(", "distinct(", "days(", "happened(", "on(", "first(", "absent(", "dwell(", "let shop",
		"per: visitor", "per: user,", "per: company", "per: form", "per: lower", "per: user ??", "after(fired", "unless: happened(fired", " / ", "\"ever\"",
	}
)

// TestGenerate checks that the generator's rules and streams are accepted, the same each time, and that most of them fire enough to tell a
// wrong engine from a right one.
func TestGenerate(t *testing.T) {
	const seeds, size = 200, 80
	good := 0
	seen := map[string]int{}
	for seed := range uint64(seeds) {
		rules, lines := Generate(seed, size)
		again, linesAgain := Generate(seed, size)
		if !reflect.DeepEqual(rules, again) || !reflect.DeepEqual(lines, linesAgain) || len(lines) != size {
			t.Fatalf("seed %d does not repeat", seed)
		}
		out, err := Run(rules, lines, RandomOptions(seed))
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, rules)
		}
		if len(out) >= 10 && len(out) <= 200 {
			good++
		}
		fired := map[string]bool{}
		for _, line := range out {
			for _, mark := range lineMarks {
				if strings.Contains(line, mark) {
					seen[mark]++
				}
			}
			id, _, _ := strings.Cut(strings.TrimPrefix(line, `{"rule":"`), `"`)
			fired[id] = true
		}
		for _, r := range rules {
			for _, mark := range marks {
				if fired[r.ID] && strings.Contains(r.Text, mark) {
					seen[mark]++
				}
			}
		}
	}
	if good*10 < seeds*6 {
		t.Errorf("%d of %d seeds give 10 to 200 firings, want 6 in 10", good, seeds)
	}
	for _, mark := range append(marks, lineMarks...) {
		if seen[mark] < 8 {
			t.Errorf("%s is in what fires %d times in %d seeds, want 8", mark, seen[mark], seeds)
		}
	}
}

// TestShrink leaves of a whole seed only what one timer firing needs.
func TestShrink(t *testing.T) {
	rules, lines := Generate(3, 60)
	fails := func(rules []Rule, lines []string) bool {
		out, _ := Run(rules, lines, Options{Drain: true})
		return strings.Contains(strings.Join(out, ""), `"cause":"timer"`)
	}
	if !fails(rules, lines) {
		t.Fatal("this seed has no timer firing")
	}
	rules, lines = Shrink(rules, lines, fails)
	if len(rules) != 1 || len(lines) > 4 || !fails(rules, lines) {
		t.Errorf("not a small case:\n%s", Format(rules, lines))
	}
}
