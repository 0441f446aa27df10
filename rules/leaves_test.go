package rules

import (
	"fmt"
	"strings"
	"testing"

	"nudge"
)

// partsOf lists the leaves of a condition with their places and what they read.
func partsOf(t *testing.T, text string) (*Rule, string) {
	t.Helper()
	plan, ds := Compile([]Source{{"r.expr", text}}, Options{Names: nudge.NewNames(), Parts: true})
	if plan == nil {
		t.Fatal(ds.Text())
	}
	r := &plan.Rules[0]
	var out strings.Builder
	for _, l := range r.Parts.Leaves {
		fmt.Fprintf(&out, "%d:%d %s", l.Line, l.Col, l.Text)
		for _, u := range l.Uses {
			fmt.Fprintf(&out, " [%s]", plan.UseText(r.When.Uses[u]))
		}
		out.WriteByte('\n')
	}
	return r, out.String()
}

func TestParts(t *testing.T) {
	for _, c := range []struct{ when, want string }{
		{`on(page_view)`, "1:23 on(page_view) [on(type == \"page_view\")]\n"},
		{
			"first(page_view, \"30m\")\n and (count(page_view, \"7d\") >= 3 or not  happened(click,   \"1d\"))",
			"1:23 first(page_view, \"30m\") [first(type == \"page_view\") over 30m]\n2:7 count(page_view, \"7d\") >= 3 [count(type == \"page_view\") over 7d]\n" +
				"2:43 happened(click, \"1d\") [count(type == \"click\") over 1d]\n",
		},
		{
			`3 <= (count(page_view, "1d") + (2)) * 2 and (((count(click, "ever")) > 1))`,
			"1:23 3 <= (count(page_view, \"1d\") + (2)) * 2 [count(type == \"page_view\") over 1d]\n1:69 (count(click, \"ever\")) > 1 [count(type == \"click\") over ever]\n",
		},
		{
			`dwell(page_view and path == ")", "20s", until(page_leave or page_view)) && count(click, "1d") > 2`,
			"1:23 dwell(page_view and path == \")\", \"20s\", until(page_leave or page_view)) " +
				"[dwell((type == \"page_view\") and (path == \")\"), \"20s\", until((type == \"page_leave\") or (type == \"page_view\")))]\n" +
				"1:98 count(click, \"1d\") > 2 [count(type == \"click\") over 1d]\n",
		},
		{
			`(count(page_view, "1d") + 1) * 2 > count(click, "1d")`,
			"1:23 (count(page_view, \"1d\") + 1) * 2 > count(click, \"1d\") [count(type == \"page_view\") over 1d] [count(type == \"click\") over 1d]\n",
		},
	} {
		_, got := partsOf(t, `{per: visitor,  when: `+c.when+`, then: popup("x")}`)
		if got != c.want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.when, got, c.want)
		}
	}
}

// The leaves, joined, are the condition.
func TestPartsAreTheCondition(t *testing.T) {
	r, _ := partsOf(t, `{per: visitor, when: (count(page_view, "1d") >= 2 or happened(click, "1d")) and not (count(form_view, "1d") < 1 and happened(form_submit, "7d")), then: popup("x")}`)
	readings := make([]Reading, len(r.When.Uses))
	truths := make([]bool, len(r.Parts.Leaves))
	seen := map[bool]int{}
	for n := range 81 {
		for i, rest := 0, n; i < len(readings); i, rest = i+1, rest/3 {
			readings[i].N = float64(rest % 3)
		}
		for i := range truths {
			truths[i] = r.Parts.Leaves[i].Eval(readings)
		}
		want := r.When.Eval(readings)
		if got := r.Parts.Join(truths); got != want {
			t.Fatalf("%v: the parts say %v, the condition %v", readings, got, want)
		}
		seen[want]++
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("only one side was seen: %v", seen)
	}
}

// Nothing of a plan depends on whether its parts are made.
func TestPartsAddNothing(t *testing.T) {
	sources, err := ReadFolder("../examples/rules")
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := Compile(sources, Options{Names: nudge.NewNames()})
	apart, _ := Compile(sources, Options{Names: nudge.NewNames(), Parts: true})
	for i := range plain.Rules {
		if plain.Rules[i].Parts != nil || apart.Rules[i].Parts == nil {
			t.Errorf("%s: parts are there without being asked for, or not there", plain.Rules[i].ID)
		}
		if a, b := fmt.Sprintf("%+v", plain.Rules[i].When.Uses), fmt.Sprintf("%+v", apart.Rules[i].When.Uses); a != b {
			t.Errorf("%s: uses %s, with parts %s", plain.Rules[i].ID, a, b)
		}
	}
	if len(plain.Ops) != len(apart.Ops) || len(plain.Tests) != len(apart.Tests) {
		t.Errorf("%d operators and %d tests, with parts %d and %d", len(plain.Ops), len(plain.Tests), len(apart.Ops), len(apart.Tests))
	}
}
