package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nudge"
)

// entriesWithMistakes are entries of a rule, each with one mistake of its own, and the code of that.
var entriesWithMistakes = []struct{ text, code string }{
	{`per: "visitor"`, "E603"},
	{`when: on(page_veiw) and count(click, "7d") >= 3`, "E208"},
	{`then: popop("hello", {page: path})`, "E616"},
	{`unless: happend(click, "1d")`, "E414"},
	{`cooldown: "7 days"`, "E507"},
	{`mode: "shaddow"`, "E609"},
	{`tags: "q3"`, "E611"},
}

// tears are values that tear an entry, with the code that tells it.
var tears = []struct{ value, code string }{
	{`on(click and (path == "/a")`, "E113"},
	{`[popup("x"), alert("y")`, "E113"},
	{`popup("x", {page: path, b: 1)`, "E113"},
	{`on(click))`, "E114"},
	{`on(click]) and 5`, "E114"},
	{`on(form == "demo)`, "E118"},
	{`on(form == 'demo) and on(path == "/a")`, "E118"},
	{"on(path matches `^/a)", "E118"},
	{`on(form == “demo”)`, "E123"},
	{`on(form == ”demo)`, "E123"},
	{`count(click, "7d") ≥ 3`, "E124"},
	{`on(click) § on(click`, "E124"},
	{`count(click, 7d) >= 3`, "E121"},
	{`on(path matches "\d")`, "E119"},
	{`on(click /* each time )`, "E120"},
	{`on(click and)`, "E126"},
	{`on(form = "demo")`, "E136"},
}

// Whichever entry is torn, and however, the mistakes of all others are told, and nothing is told that only follows from the tear.
func TestATornEntryHidesNoOther(t *testing.T) {
	for _, lineEnd := range []string{"\n", "\r\n"} {
		for at := range entriesWithMistakes {
			for _, tear := range tears {
				lines, want := []string{}, []string{}
				for i, e := range entriesWithMistakes {
					text, code := e.text, e.code
					if i == at {
						name, _, _ := strings.Cut(text, ":")
						text, code = name+": "+tear.value, tear.code
					}
					lines, want = append(lines, "  "+text+","), append(want, code)
				}
				text := "{\n" + strings.Join(lines, "\n") + "\n}\n"
				expectCodes(t, strings.ReplaceAll(text, "\n", lineEnd), want)
			}
		}
	}
}

// A torn let hides neither other lets nor entries, and its uses are no mistakes.
func TestATornLetHidesNothing(t *testing.T) {
	for _, tear := range tears {
		if tear.value == `on(click))` || tear.code == "E136" {
			continue // a semicolon follows: the brackets around the let's test are what matters here
		}
		text := "let a = clik;\nlet b = " + tear.value + ";\nlet c = page_veiw and b;\n{\n  per: visitor,\n  when: on(a) and on(b) and on(c),\n  then: popop(\"x\"),\n}\n"
		expectCodes(t, text, []string{"E208", tear.code, "E208", "E616"})
	}
}

func expectCodes(t *testing.T, text string, want []string) {
	t.Helper()
	_, ds := Compile([]Source{{File: "rule.expr", Text: text}}, Options{Names: nudge.NewNames()})
	var got []string
	for _, d := range ds {
		got = append(got, d.Code)
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s\n%s", diff, text, ds.Text())
	}
}

// A file with more that cannot be read than is listed ends as any other does.
func TestManyTears(t *testing.T) {
	for _, s := range []string{"§ ", "\"\n", "`", "/*", "“", "1a ", "\"\\d\" "} {
		text := "{ per: visitor, when: on(click),\n" + strings.Repeat(s, 2*MaxRemarks) + "\n then: popup(\"x\") }"
		_, ds := Compile([]Source{{File: "rule.expr", Text: text}}, Options{Names: nudge.NewNames()})
		if n := len(ds); n == 0 || n > MaxRemarks {
			t.Errorf("%s: %d remarks", fmt.Sprintf("%q", s), n)
		}
	}
}
