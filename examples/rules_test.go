package examples

import (
	"io/fs"
	"strings"
	"testing"

	"nudge"
	"nudge/rules"
)

func TestRulesCompile(t *testing.T) {
	entries, err := fs.ReadDir(Rules, ".")
	if err != nil {
		t.Fatal(err)
	}
	var sources []rules.Source
	for _, e := range entries {
		text, err := fs.ReadFile(Rules, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "// ") {
			t.Errorf("%s does not begin with what it is for", e.Name())
		}
		sources = append(sources, rules.Source{File: e.Name(), Text: string(text)})
	}
	plan, diags := rules.Compile(sources, rules.Options{Names: nudge.NewNames()})
	for _, d := range diags {
		t.Errorf("%+v", d)
	}
	if plan != nil && len(plan.Rules) != 6 {
		t.Errorf("%d rules, want 6", len(plan.Rules))
	}
}
