package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nudge"
)

// pick is one of a few choices.
func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// randomTest writes a test out of few words, so that tests and rows meet often.
func randomTest(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(4) == 0 {
		switch r.IntN(12) {
		case 0, 1, 2:
			return pick(r, "page_view", "form_view", "click", "fired", `event("Buy")`, `type != "click"`, `type in ["click", "page_view"]`)
		case 3, 4:
			return fmt.Sprintf("%s == %q", pick(r, "path", "form", "rule"), pick(r, "/a", "/b", "/a/c", ""))
		case 5:
			return fmt.Sprintf("%s startsWith %q", pick(r, "path", "form", "type"), pick(r, "/", "/a", "/a/", "", "f"))
		case 6:
			return fmt.Sprintf("%s %s %d", pick(r, "amount", "n"), pick(r, "==", "!=", "<", "<=", ">", ">="), r.IntN(3))
		case 7:
			return fmt.Sprintf("%s in [%s]", pick(r, "path", "form"), pick(r, `"/a"`, `"/a", "/b"`, `"x", "/a/c"`))
		case 8:
			return fmt.Sprintf("amount in [%d, %d]", r.IntN(3), r.IntN(3))
		case 9:
			return pick(r, "has(form)", "has(amount)", "flag == true", "flag != false", "true", "false", `path matches "^/a"`)
		case 10:
			return fmt.Sprintf("(form ?? %q) == %q", pick(r, "/a", "/b"), pick(r, "/a", "/b"))
		}
		return pick(r, "path == form", "amount < n", `path endsWith "c"`, `lower(form) contains "a"`, "amount + n > 2", "len(path) < 3")
	}
	a, b := randomTest(r, depth-1), randomTest(r, depth-1)
	switch r.IntN(5) {
	case 0:
		return "not (" + a + ")"
	case 1, 2:
		return "(" + a + ") or (" + b + ")"
	}
	return "(" + a + ") and (" + b + ")"
}

// randomLine is an event for scriptRecord.
func randomLine(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString(pick(r, "page_view", "form_view", "click", "fired", "Buy", "other"))
	for _, f := range [...]string{"path", "form", "rule", "amount", "n", "flag"} {
		if r.IntN(3) > 0 {
			fmt.Fprintf(&b, " %s=%s", f, pick(r, `"/a"`, `"/b"`, `"/a/c"`, `""`, "0", "1", "2", "true", "false", "null", `["x"]`))
		}
	}
	return b.String()
}

// wholeTest is a test as a row meets it that no index has found.
func wholeTest(p *Plan, i int) testFunc {
	t := p.line.terms[i]
	f := p.line.testFunc(t)
	if t.isFired() {
		return f
	}
	return exceptFired(f)
}

// The index finds exactly the tests that a scan of all of them finds.
func TestMatchEqualsScan(t *testing.T) {
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 60 {
		var b strings.Builder
		b.WriteString("{per: visitor, when: on(page_view), then: alert(\"x\", {")
		for i := range 1 + r.IntN(40) {
			fmt.Fprintf(&b, "k%d: happened(%s, \"1d\"),\n", i, randomTest(r, r.IntN(4)))
		}
		b.WriteString("})}")
		names := nudge.NewNames()
		plan := compileRule(t, b.String(), names)
		var row Row
		var got []int32
		for range 200 {
			line := randomLine(r)
			plan.Read(scriptRecord(t, names, line), scriptAt, &row)
			got = plan.Match(&row, got[:0])
			var want []int32
			for i := range plan.Tests {
				if wholeTest(plan, i)(&row) == True {
					want = append(want, int32(i))
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("round %d: %s\nindex %v\nscan  %v\n%s", round, line, got, want, planText(plan))
			}
		}
	}
}

// What Match is given is kept; what it finds comes behind it.
func TestMatchAppends(t *testing.T) {
	names := nudge.NewNames()
	plan := compileRule(t, `{per: visitor, when: on(page_view), unless: happened(page_view and path == "/a", "1d"), then: popup("x")}`, names)
	var row Row
	plan.Read(scriptRecord(t, names, `page_view path="/a"`), scriptAt, &row)
	if got := plan.Match(&row, []int32{9, 1}); !slices.Equal(got, []int32{9, 1, 0, 1}) {
		t.Fatal(got)
	}
}

// A test's canonical text is the language itself: it compiles, to the same text.
func TestCanonicalTextIsStable(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 0))
	for range 500 {
		text := randomTest(r, 4)
		again := canonicalText(t, text)
		if once := canonicalText(t, again); once != again {
			t.Fatalf("%s\n%s\n%s", text, again, once)
		}
	}
}

func canonicalText(t testing.TB, test string) string {
	p := compileRule(t, `{per: visitor, when: on(page_view), unless: happened(`+test+`, "1d"), then: popup("x")}`, nudge.NewNames())
	return p.Ops[1].Text[len("count(") : len(p.Ops[1].Text)-1]
}

// The text forms that must mean the same, and those that must not.
func TestCanonicalText(t *testing.T) {
	same := [][]string{
		{`page_view and path == "/a"`, `(page_view) && ("/a" == path)`, `type == "page_view" and (path) == '/a'`, "event(\"page_view\") and path==`/a`"},
		{`amount > 5`, `5 < amount`, `amount > 5.0`, `+5 < amount`, `amount > 0x5`},
		{`click or form == "a" or has(n)`, `click or (form == "a" or has(n))`, `(click || form == "a") || has(n)`},
		{`type != "click"`, `not click`, `!click`, `not (type == "click")`},
		{`not has(n)`, `not not not has(n)`},
		{`type in ["click", "page_view"]`, `click or page_view`},
		{`path in ["a", "b"]`, `path in ["a", "b", "a"]`},
		{`card.brand == "x"`, `field("card.brand") == "x"`, `card["brand"] == "x"`},
		{`path not startsWith "/a"`, `not (path startsWith "/a")`},
		{`1 < n and n < 5`, `1 < n < 5`},
		{`-5 < n`, `n > -5`},
		{`page_view and form == "a" and n > 1`, `n > 1 and (form == "a" and page_view)`, `form == "a" and n > 1 and page_view and n > 1`},
		{`form == "a" or n > 1`, `n > 1 or form == "a"`},
		{`path in ["a", "b", "c"]`, `path in ["c", "a", "b"]`, `path == "b" or path == "c" or path == "a"`, `path == "c" or path in ["b", "a"]`},
		{`n == 7`, `n in [7]`, `n in [7, 7]`, `n == 7 or n == 7`},
		{`n in [-1, 5, 10]`, `n in [10, 5, -1]`},
		{`not (n < 5)`, `n >= 5`, `5 <= n`},
		{`form != "b"`, `not (form == "b")`},
	}
	seen := map[string]string{}
	for _, group := range same {
		want := canonicalText(t, group[0])
		for _, text := range group {
			if got := canonicalText(t, text); got != want {
				t.Errorf("%s\n got %s\nwant %s", text, got, want)
			}
		}
		if other, ok := seen[want]; ok {
			t.Errorf("%s and %s are the same", group[0], other)
		}
		seen[want] = group[0]
	}
	for _, pair := range [][2]string{
		{`a == "x" and b == "y" or c == "z"`, `a == "x" and (b == "y" or c == "z")`},
		{`a - (b - c) > 1`, `a - b - c > 1`},
		{`not (a == 1 and b == 2)`, `not (a == 1) and b == 2`},
		{`lower(a + b) == "x"`, `lower(a) + b == "x"`},
		{`field("a b") == 1`, `field("a_b") == 1`},
		{`a == "1"`, `a == 1`},
		{`(a ?? b) == c`, `(a ?? c) == b`},
		{`a == 1 or b == 2`, `a == 2 or b == 1`},
		{`a == 1 or a == "1"`, `a == 1`},
	} {
		if canonicalText(t, pair[0]) == canonicalText(t, pair[1]) {
			t.Errorf("%s\n%s", pair[0], pair[1])
		}
	}
}
