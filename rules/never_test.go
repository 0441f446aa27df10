package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"nudge"
)

// checkedTerm is an event test as the checker takes it, whatever it says.
func checkedTerm(t testing.TB, text string) *term {
	t.Helper()
	tree, err := parseText(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r := newReporter(Source{File: "rule.expr", Text: text})
	r.deployed = true
	c := &checker{reporter: r, words: newVocabulary()}
	out := c.test(tree)
	if out == nil {
		t.Fatalf("%s\n%s", text, r.diags.Text())
	}
	return out
}

// What is found to contradict itself is never true of any event: no false alarm, under SQL's three values.
func TestContradictionsAreNeverTrue(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, 0))
	found, never := 0, 0
	for range 1500 {
		text := randomTest(r, 3)
		names := nudge.NewNames()
		plan := compileRule(t, "{per: visitor, when: on(popup_shown), unless: happened("+text+`, "1d"), then: popup("x")}`, names)
		test := int32(len(plan.Tests) - 1)
		why := contradiction(checkedTerm(t, text))
		if why != "" {
			found++
		}
		matched := false
		var row Row
		for range 40 {
			line := randomLine(r)
			plan.Read(scriptRecord(t, names, line), scriptAt, &row)
			if slices.Contains(plan.Match(&row, nil), test) {
				if matched = true; why != "" {
					t.Fatalf("%s\nis true of %s\nthough %s", text, line, why)
				}
			}
		}
		if !matched {
			never++
		}
	}
	if found < 50 || found > never {
		t.Errorf("%d tests were never true, %d were found", never, found)
	}
}

func TestContradictions(t *testing.T) {
	for _, c := range []struct{ test, why string }{
		{`page_view and click`, "`page_view` and `click` exclude each other"},
		{`event("Product Viewed") and type == "click"`, "`event(\"Product Viewed\")` and `click` exclude each other"},
		{`type startsWith "form_" and click`, "`type startsWith \"form_\"` and `click` exclude each other"},
		{`path == "/a" and path == "/b"`, "`path == \"/a\"` and `path == \"/b\"` exclude each other"},
		{`lower(path) == "/a" and lower(path) == "/b"`, "`lower(path) == \"/a\"` and `lower(path) == \"/b\"` exclude each other"},
		{`path == "/a" and not has(path)`, "`path == \"/a\"` and `not (has(path))` exclude each other"},
		{`not has(path) and not (path == "/a")`, "`not (has(path))` and `not (path == \"/a\")` exclude each other"},
		{`not has(path) and lower(path) == "/a"`, "`not (has(path))` and `lower(path) == \"/a\"` exclude each other"},
		{`amount > 5 and amount < 3`, "`amount > 5` and `amount < 3` exclude each other"},
		{`amount > 5 and amount <= 5`, "`amount > 5` and `amount <= 5` exclude each other"},
		{`amount > 5 and not (amount > 5)`, "`amount > 5` and `not (amount > 5)` exclude each other"},
		{`amount == 5 and amount == "5"`, "`amount == 5` and `amount == \"5\"` exclude each other"},
		{`amount >= 5 and amount <= 5 and amount != 5`, "the parts joined by `and` exclude each other"},
		{`path in ["/a", "/b"] and path == "/c"`, "`path in [\"/a\", \"/b\"]` and `path == \"/c\"` exclude each other"},
		{`path in ["/a", "/b"] and path != "/a" and not (path in ["/b"])`, "the parts joined by `and` exclude each other"},
		{`path in ["/a", "/b"] and path startsWith "/c"`, "`path in [\"/a\", \"/b\"]` and `path startsWith \"/c\"` exclude each other"},
		{`path startsWith "/a" and path startsWith "/b"`, "`path startsWith \"/a\"` and `path startsWith \"/b\"` exclude each other"},
		{`path startsWith "/docs/" and not (path startsWith "/docs")`, "`path startsWith \"/docs/\"` and `not (path startsWith \"/docs\")` exclude each other"},
		{`path == "/a" and path matches "^/b"`, "`path == \"/a\"` and `path matches \"^/b\"` exclude each other"},
		{`flag == true and flag == false`, "`flag == true` and `flag == false` exclude each other"},
		{`flag != true and flag != false`, "`flag != true` and `flag != false` exclude each other"},
		{`click and (page_view or form_view)`, "no side of `page_view or form_view` fits with the rest"},
		{`not (click or path == "/a") and path == "/a"`, "`not (path == \"/a\")` and `path == \"/a\"` exclude each other"},
		{`page_view and false`, "`false` never is"},
		{`lower(path) == "/A"`, "`lower(path) == \"/A\"` never is: `lower` leaves small letters only"},
		{`page_view and lower(referrer ?? "") contains "LinkedIn"`, "`lower(referrer ?? \"\") contains \"LinkedIn\"` never is: `lower` leaves small letters only"},
		{`lower(path) in ["/A", "/B"]`, "`lower(path) in [\"/A\", \"/B\"]` never is: `lower` leaves small letters only"},
		{`upper(plan) startsWith "pro"`, "`upper(plan) startsWith \"pro\"` never is: `upper` leaves capital letters only"},
		{`trim(plan) == " pro"`, "`trim(plan) == \" pro\"` never is: `trim` leaves no space around a text"},
		{`lower(path) == "/ß é 日 ǆ" and upper(path) != "x" and not (lower(path) == "/B") and lower(path) != "/C"`, ""},
		{`trim(plan) contains " " and trim(plan) startsWith "pro "`, ""},
		{`lower(path) in ["/A", "/b"]`, ""},
		{`lower(path) > "/A" and lower(path) matches "A"`, ""},

		{`page_view and not click`, ""},
		{`page_view and (click or path == "/a")`, ""},
		{`path == "/a" and lower(path) == "/b"`, ""},
		{`not has(plan) and (plan ?? "free") == "free"`, ""},
		{`not (path == "/a") and not (path == "/b")`, ""},
		{`amount >= 5 and amount <= 5`, ""},
		{`amount != 5 and amount != "5x"`, "`amount != 5` and `amount != \"5x\"` exclude each other"},
		{`path startsWith "/a" and path startsWith "/a/b"`, ""},
		{`path contains "a" and path contains "b"`, ""},
		{`path > "/a" and path < "/b"`, ""},
		{`flag == true and flag != false`, ""},
		{`type in ["click", "page_view"] and click`, ""},
	} {
		if why := contradiction(checkedTerm(t, c.test)); why != c.why {
			t.Errorf("%s\n%s, want\n%s", c.test, why, c.why)
		}
	}
}

// What lower and upper leave they leave as it is, letter for letter; that is what a contradiction with them rests on.
func TestLettersAreLeftAsTheyAre(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		low, up := strings.ToLower(string(r)), strings.ToUpper(string(r))
		if strings.ToLower(low) != low || strings.ToUpper(up) != up {
			t.Errorf("%U: %q, %q", r, low, up)
		}
	}
}

// A test that is too large to look through is taken as it is, and one that is large costs little.
func TestContradictionsAreBounded(t *testing.T) {
	text := "page_view"
	for i := range 30 {
		text += fmt.Sprintf(" and (path == \"/%d\" or (form == \"%d\" or (host == \"%d\" and (title == \"a\" or title == \"b\"))))", i, i, i)
	}
	budget := maxClaims
	contradictionOf([]claim{{checkedTerm(t, text), true}}, &budget)
	if budget < -2*maxClaims {
		t.Errorf("%d claims were looked at", maxClaims-budget)
	}
}

// Counts that contradict each other; k is compiled by the checker as it stands.
func TestCountsThatContradict(t *testing.T) {
	for _, c := range []struct {
		when string
		want string
	}{
		{`count(click, "7d") >= 3 and count(click, "7d") < 2`, "`count(…, \"7d\")` is at least 3, but `count(…, \"7d\")` is at most 1"},
		{`count(click, "7d") < 3 and count(click, "1d") >= 3`, "`count(…, \"1d\")` is at least 3, but `count(…, \"7d\")` is at most 2"},
		{`happened(click, "1d") and not happened(click, "1d")`, "`happened(…, \"1d\")`, but not `happened(…, \"1d\")`"},
		{`happened(click, "1d") and (not happened(click, "7d") and on(page_view))`, "`happened(…, \"1d\")`, but not `happened(…, \"7d\")`"},
		{`count(click, "1d") == 0 and count(click, "1d") > 0`, "`count(…, \"1d\")` is at least 1, but `count(…, \"1d\")` is at most 0"},
		{`distinct(click, path, "7d") >= 3 and count(click, "7d") < 3`, "`distinct(…, \"7d\")` is at least 3, but `count(…, \"7d\")` is at most 2"},
		{`days(click, "7d") >= 3 and not (count(click, "ever") >= 3)`, "`days(…, \"7d\")` is at least 3, but `count(…, \"ever\")` is at most 2"},

		{`count(click, "7d") >= 3 and count(click, "1d") < 3`, ""},
		{`count(click, "7d") >= 3 and count(page_view, "7d") < 3`, ""},
		{`count(click, "7d") >= 3 or count(click, "7d") < 2`, ""},
		{`count(click, "7d") >= 3 and distinct(click, path, "7d") < 2`, ""},
		{`distinct(click, path, "7d") >= 3 and distinct(click, host, "7d") < 2`, ""},
		{`distinct(click, path, "7d") >= 3 and days(click, "7d") < 2`, ""},
		{`count(click, "7d") != 3 and count(click, "7d") == 3`, ""},
	} {
		_, ds := Compile([]Source{{"rule.expr", "{per: visitor, then: popup(\"x\"), when: " + c.when + "}"}}, Options{Names: nudge.NewNames()})
		got := ""
		for _, d := range ds {
			if d.Code == "W423" {
				got += d.Message
			}
		}
		if want := c.want; want != "" && got != "this can never be true: "+want || want == "" && got != "" {
			t.Errorf("%s\n%q, want\n%q", c.when, got, want)
		}
	}
}

// Pulses that never come together, and some that may.
func TestPulsesApart(t *testing.T) {
	time := "the one comes with an event, the other by time alone"
	for _, c := range []struct{ when, want string }{
		{`on(page_view) and on(click)`, "`on` and `on` are never at one instant: `page_view` and `click` exclude each other"},
		{
			`happened(click, "1d") and (first(click, "1d") and count(click, "7d") > 2) and on(path == "/a" and type != "click")`,
			"`first` and `on` are never at one instant: `click` and `not (click)` exclude each other",
		},
		{`sequence(page_view, click, "1h") and on(page_view)`, "`sequence` and `on` are never at one instant: `click` and `page_view` exclude each other"},
		{`on(click) and dwell(page_view, "1m", until(click))`, "`on` and `dwell` are never at one instant: " + time},
		{`absent(click, "1h", after(page_view)) and sequence(page_view, click, "1h")`, "`absent` and `sequence` are never at one instant: " + time},

		{`on(page_view) and on(path == "/a")`, ""},
		{`on(page_view) or on(click)`, ""},
		{`on(page_view) and (on(click) or on(path == "/a"))`, ""},
		{`sequence(page_view, click, "1h") and first(click, "1d")`, ""},
		{`absent(click, "1h", after(page_view)) and dwell(page_view, "1m", until(click))`, ""},
		{`on(page_view) and happened(click, "1h")`, ""},
	} {
		_, ds := Compile([]Source{{"rule.expr", "{per: visitor, then: popup(\"x\"), when: " + c.when + "}"}}, Options{Names: nudge.NewNames()})
		got := ""
		for _, d := range ds {
			got += d.Message
		}
		if want := c.want; want != "" && got != "this can never be true: "+want || want == "" && got != "" {
			t.Errorf("%s\n%s, want\n%s", c.when, got, want)
		}
	}
}
