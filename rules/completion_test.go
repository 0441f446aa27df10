package rules

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Every word of the language is explained, and no other.
func TestEveryWordIsExplained(t *testing.T) {
	inside := append(slices.Collect(maps.Keys(operatorWords)), "cap")
	units := []string{}
	for _, u := range durationUnits {
		units = append(units, u.name)
	}
	for _, c := range []struct {
		what      string
		explained []string
		language  []string
	}{
		{"operators", slices.Collect(maps.Keys(operatorWord)), slices.Collect(maps.Keys(operators))},
		{"words inside operators", slices.Collect(maps.Keys(insideWord)), inside},
		{"functions", slices.Collect(maps.Keys(functionWord)), testFunctions},
		{"actions", slices.Collect(maps.Keys(actionWord)), actionWords},
		{"entries", slices.Collect(maps.Keys(entryWord)), ruleEntries},
		{"units", slices.Collect(maps.Keys(unitWord)), units},
	} {
		if got, want := slices.Sorted(slices.Values(c.explained)), slices.Sorted(slices.Values(c.language)); !slices.Equal(got, want) {
			t.Errorf("%s: %v are explained, the language has %v", c.what, got, want)
		}
	}
	for _, table := range []map[string]word{operatorWord, insideWord, functionWord, actionWord, entryWord} {
		for name, w := range table {
			if !strings.HasPrefix(w.form, name) || w.doc == "" || strings.Contains(w.doc, "\n") {
				t.Errorf("%s: %+v", name, w)
			}
		}
	}
}

func TestComplete(t *testing.T) {
	c := Complete(scriptSources("-- catalog.expr --\n{purchase: {amount: \"number\", size: \"text\"}, order: {size: \"number\"}}\n" +
		"-- a.expr --\nlet big = purchase and amount > 5;\n{per: user, when: on(big), then: alert(\"x\")}\n-- b.expr --\nlet x = ;\n{per: user, whn\n"))
	if !slices.Contains(c.Events, "purchase") || !slices.Contains(c.Events, "page_view") || !slices.Equal(c.Rules, []string{"a", "b"}) {
		t.Errorf("%v %v", c.Events, c.Rules)
	}
	for _, f := range []FieldWord{{"amount", "number"}, {"size", "any"}, {"path", "text"}} {
		if !slices.Contains(c.Fields, f) {
			t.Errorf("%v is not among %v", f, c.Fields)
		}
	}
	if !slices.Equal(c.Lets["a.expr"], []string{"big"}) {
		t.Errorf("%v", c.Lets)
	}
	is := map[string]string{}
	for _, op := range c.Operators {
		is[op.Name] = op.Is
	}
	for name, want := range map[string]string{"count": "number", "on": "pulse", "happened": "level", "values": "list"} {
		if is[name] != want {
			t.Errorf("%s is a %s, want %s", name, is[name], want)
		}
	}
	if first := c.Entries[0]; first.Name != "per" || first.Doc == "" {
		t.Errorf("%+v", first)
	}
}
