package rules

import (
	"os"
	"strings"
	"testing"

	"nudge"
)

func readDoc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every example of the language reference compiles.
func TestLanguageExamples(t *testing.T) {
	blocks := strings.Split(readDoc(t, "../docs/LANGUAGE.md"), "\n```")
	examples := 0
	for _, b := range blocks {
		text, ok := strings.CutPrefix(b, "expr\n")
		if !ok {
			continue
		}
		examples++
		if plan, ds := Compile(scriptSources(text), Options{Names: nudge.NewNames()}); plan == nil {
			t.Errorf("%s\n%s", text, ds.Text())
		}
	}
	if examples < 10 {
		t.Errorf("only %d examples were found", examples)
	}
}

// Every operator has a part of its own, with a rule and a test of it.
func TestLanguageOperators(t *testing.T) {
	page := readDoc(t, "../docs/LANGUAGE.md")
	for name := range operators {
		_, part, ok := strings.Cut(page, "\n### "+name+"\n")
		part, _, _ = strings.Cut(part, "\n### ")
		_, test, tested := strings.Cut(part, "\n```test\n")
		rule, _, _ := strings.Cut(part, "\n```test\n")
		if _, rule, hasRule := strings.Cut(rule, "\n```expr\n"); !ok || !hasRule || !tested || !strings.Contains(rule, name+"(") || !strings.Contains(test, "expect ") {
			t.Errorf("%s has no part with a rule and a test", name)
		}
	}
}

// The example rules compile without a remark.
func TestExampleRules(t *testing.T) {
	sources, err := ReadFolder("../examples/rules")
	if err != nil {
		t.Fatal(err)
	}
	if plan, ds := Compile(sources, Options{Names: nudge.NewNames()}); plan == nil || ds != nil {
		t.Error(ds.Text())
	}
}
