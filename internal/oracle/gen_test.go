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

// Of each feature: what must turn up in the rules that fire, and in firings.
var featureMarks = map[Features][]string{
	FeatureNumbers:  {"sum(", "avg(", "min(", "max(", `"s":`},
	FeatureLast:     {"last(", " last(", `"l":`},
	FeatureSince:    {"since(", `"ago":`},
	FeatureScore:    {"score(", `"pts":`},
	FeatureSequence: {"sequence(", ", no("},
	FeatureLimit:    {"cap(", `"suppressed":"limit"`},
	FeatureActions:  {`{"webhook":`, `{"tag":`, `{"untag":`, `{"emit":`, `"ttl":"9d3h"`},
	FeatureMerge:    {"per: user"},
}

// TestGenerateWith checks of each feature that the generator's rules use it, are accepted, and fire.
func TestGenerateWith(t *testing.T) {
	const seeds, size = 50, 80
	for feature := Features(1); feature <= AllFeatures; feature <<= 1 {
		seen := map[string]int{}
		for seed := range uint64(seeds) {
			rules, lines := GenerateWith(seed, size, feature)
			o := RandomOptions(seed)
			o.Merge, o.Suppressed = feature == FeatureMerge, true
			out, err := Run(rules, lines, o)
			if err != nil {
				t.Fatalf("feature %b seed %d: %v\n%v", feature, seed, err, rules)
			}
			for _, mark := range featureMarks[feature] {
				seen[mark] += strings.Count(strings.Join(out, "\n"), mark)
			}
			for _, r := range rules {
				fires := strings.Contains(strings.Join(out, "\n"), `{"rule":"`+r.ID+`"`)
				for _, mark := range featureMarks[feature] {
					if fires && strings.Contains(r.Text, mark) {
						seen[mark]++
					}
				}
			}
		}
		for _, mark := range featureMarks[feature] {
			if seen[mark] < 5 {
				t.Errorf("feature %b: %s is seen %d times in %d seeds, want 5", feature, mark, seen[mark], seeds)
			}
		}
	}
}

// What must turn up in rules that fire where forms are unusual.
var formMarks = []string{
	"not (", "!(", " <= count(", "-count(", "1.5 < ", `"ever") != `, " / (", " - 1 ", "at - ts", "card.brand", "email", "not startsWith", "path + plan", "per: upper(path)",
}

// TestGenerateForms is TestGenerateWith for conditions, tests, values and keys of unusual form.
func TestGenerateForms(t *testing.T) {
	const seeds, size = 200, 80
	seen := map[string]int{}
	for seed := range uint64(seeds) {
		rules, lines := GenerateWith(seed, size, AllFeatures|FeatureForms)
		o := RandomOptions(seed)
		o.Merge, o.MaxKept = true, int(seed%4)
		out, err := Run(rules, lines, o)
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, rules)
		}
		for _, r := range rules {
			for _, mark := range formMarks {
				if strings.Contains(r.Text, mark) && strings.Contains(strings.Join(out, "\n"), `{"rule":"`+r.ID+`"`) {
					seen[mark]++
				}
			}
		}
	}
	for _, mark := range formMarks {
		if seen[mark] < 3 {
			t.Errorf("%s is seen %d times in %d seeds, want 3", mark, seen[mark], seeds)
		}
	}
}

// TestMergeChangesAnswers is the control: with the feature's streams the merge matters.
func TestMergeChangesAnswers(t *testing.T) {
	const seeds = 40
	differ := 0
	for seed := range uint64(seeds) {
		rules, lines := GenerateWith(seed, 80, FeatureMerge)
		o := RandomOptions(seed)
		without, err := Run(rules, lines, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Merge = true
		with, err := Run(rules, lines, o)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(with, without) {
			differ++
		}
	}
	if differ*2 < seeds {
		t.Errorf("the merge changes the answers of %d of %d seeds, want half", differ, seeds)
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
