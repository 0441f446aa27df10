package rules

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nudge"
)

// Each limit holds at its edge and not one beyond.
func TestLimits(t *testing.T) {
	rule := func(test string) string {
		return `{per: visitor, when: on(` + test + `), then: popup("x")}`
	}
	lets := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "let l%d = click;\n", i)
		}
		return b.String() + rule("l0")
	}
	actions := func(n int) string {
		return `{per: visitor, when: on(click), then: [` + strings.Repeat(`popup("x"),`, n) + `]}`
	}
	operators := func(n int) string {
		return `{per: visitor, when: ` + strings.Repeat(`happened(click, "1d") and `, n-1) + `happened(click, "1d"), then: popup("x")}`
	}
	steps := func(n int) string {
		return `{per: visitor, when: sequence(` + strings.Repeat("click, ", n) + `"1d"), then: popup("x")}`
	}
	points := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "(click and path == '%d'): 1,", i)
		}
		return `{per: visitor, when: score({` + b.String() + `}, half_life("1d")) > 3, then: popup("x")}`
	}
	capped := func(n int) string {
		return fmt.Sprintf(`{per: visitor, when: on(click), limit: cap("p", %d, "1d"), then: popup("x")}`, n)
	}
	const outer = 2 // the map's brace and on's bracket
	for _, c := range []struct {
		name     string
		fits     string
		too      string
		messages string
	}{
		{
			"nesting", rule(strings.Repeat("(", MaxNesting-outer) + "click" + strings.Repeat(")", MaxNesting-outer)),
			rule(strings.Repeat("(", MaxNesting-outer+1) + "click" + strings.Repeat(")", MaxNesting-outer+1)), "more than 64 brackets inside each other",
		},
		{"signs", rule(strings.Repeat("!", MaxNesting) + "click"), rule(strings.Repeat("!", MaxNesting+1) + "click"), "more than 64 signs in a row"},
		{"words", rule(strings.Repeat("not ", MaxNesting) + "click"), rule(strings.Repeat("not ", MaxNesting+1) + "click"), "more than 64 signs in a row"},
		{"nodes", rule(strings.Repeat("click or ", MaxNodes/2-10) + "click"), rule(strings.Repeat("a==1||", MaxNodes/4+1) + "click"), "more than 8000 pieces"},
		{"lets", lets(MaxLets), lets(MaxLets + 1), "at most 100 lets"},
		{"operators", operators(MaxOperators), operators(MaxOperators + 1), "at most 200 operators; this one asks 201"},
		{"steps", steps(MaxSteps), steps(MaxSteps + 1), "takes 2 to 16 steps; here it has 17"},
		{"points", points(MaxPoints), points(MaxPoints + 1), "counts 1 to 50 kinds of events; here it has 51"},
		{"cap", capped(MaxCap), capped(MaxCap + 1), "1 to 1000"},
		{"actions", actions(MaxActions), actions(MaxActions + 1), "at most 20 actions"},
		{
			"pattern", rule("path matches '" + strings.Repeat("a", MaxPatternBytes) + "'"), rule("path matches '" + strings.Repeat("a", MaxPatternBytes+1) + "'"),
			"a pattern has at most 1000 bytes",
		},
		{
			"name", rule("event('" + strings.Repeat("a", nudge.MaxNameBytes) + "')"), rule("event('" + strings.Repeat("a", nudge.MaxNameBytes+1) + "')"),
			"a name has at most 256 bytes",
		},
		{"duration", `{per: visitor, when: first(click, "3660d"), then: popup("x")}`, `{per: visitor, when: first(click, "3660d1ms"), then: popup("x")}`, "is too long"},
		{
			"threshold", `{per: visitor, when: count(click, "1d") > 9999, then: popup("x")}`, `{per: visitor, when: count(click, "1d") > 10000, then: popup("x")}`,
			"more than 10000 events would have to be kept",
		},
	} {
		if plan, ds := Compile([]Source{{"rule.expr", c.fits}}, Options{Names: nudge.NewNames()}); plan == nil {
			t.Errorf("%s at its edge: %s", c.name, ds.Text())
		}
		if _, ds := Compile([]Source{{"rule.expr", c.too}}, Options{Names: nudge.NewNames()}); !ds.HasErrors() || !strings.Contains(ds.Text(), c.messages) {
			t.Errorf("%s beyond its edge: %s", c.name, ds.Text())
		}
	}
}

// A table of names that is full is an error of the deployment, not a crash.
func TestNamesAreFull(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a table of a million names")
	}
	names := nudge.NewNames()
	for i := names.Len(); i < nudge.MaxNames; i++ {
		if _, err := names.Intern(fmt.Sprint("n", i)); err != nil {
			t.Fatal(err)
		}
	}
	plan, ds := Compile([]Source{{"rule.expr", `{per: visitor, when: on(event("new")), then: popup("x")}`}}, Options{Names: names})
	if plan != nil || !strings.Contains(ds.Text(), "different names of fields and event types") {
		t.Fatal(plan, ds.Text())
	}
}

// Numbers kept for values that are not compared with a constant follow the options.
func TestMaxKept(t *testing.T) {
	text := `{per: visitor, when: count(click, "1d") > count(page_view, "1d"), then: popup("x")}`
	for given, want := range map[int]int{0: DefaultMaxKept, 7: 7} {
		plan, ds := Compile([]Source{{"rule.expr", text}}, Options{Names: nudge.NewNames(), MaxKept: given})
		if plan.Ops[0].Keep != want+1 || plan.Ops[1].Keep != want+1 { // one more, to know whether there are more
			t.Errorf("%d: %d", given, plan.Ops[0].Keep)
		}
		if !strings.Contains(ds.Text(), fmt.Sprintf("up to %d entries", want)) {
			t.Error(ds.Text())
		}
	}
}

// days tells calendar days apart in the engine's time zone, summer time and years before 1970 included.
func TestDays(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for _, loc := range []*time.Location{nil, time.UTC, berlin, time.FixedZone("x", -5*3600)} {
		plan, _ := Compile([]Source{{"rule.expr", `{per: visitor, when: days(click, "30d") > 1, then: popup("x")}`}}, Options{Names: nudge.NewNames(), Location: loc})
		zone := time.UTC
		if loc != nil {
			zone = loc
		}
		if want := fmt.Sprintf("days(type == \"click\", %q)", zone); plan.Ops[0].Text != want {
			t.Errorf("%s, want %s", plan.Ops[0].Text, want)
		}
		start := time.Date(1969, 12, 1, 0, 0, 0, 0, time.UTC)
		day := func(at time.Time) float64 { return plan.Ops[0].Value(&Row{Ts: nudge.Millis(at.UnixMilli())}).Num }
		for at := start; at.Year() < 1973; at = at.Add(7*time.Hour + 13*time.Minute) {
			next := at.Add(7*time.Hour + 13*time.Minute)
			y, m, d := at.In(zone).Date()
			want := math.Floor(float64(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()) / 86400)
			if day(at) != want || day(next) < day(at) {
				t.Fatalf("%s in %s: day %v, want %v", at, zone, day(at), want)
			}
		}
	}
}

// The span in which a day is the same holds no time of another day, and is mostly all of it.
func TestDaySpans(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Pacific/Apia", "Africa/Casablanca"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		day, r, short := dayIn(loc), rand.New(rand.NewPCG(1, 1)), 0
		end := time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
		for range 5000 {
			ts := nudge.Millis(r.Int64N(end))
			n, from, to := day(ts)
			if ts < from || ts >= to {
				t.Fatalf("%s: %d is not in [%d, %d)", name, ts, from, to)
			}
			for _, in := range []nudge.Millis{from, ts, from + nudge.Millis(r.Int64N(int64(to-from))), to - 1} {
				y, m, d := time.UnixMilli(int64(in)).In(loc).Date()
				if want := float64(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400); n != want {
					t.Fatalf("%s: the day at %d is %v, that of %d in the same span %v", name, ts, n, in, want)
				}
			}
			if to-from < dayMillis {
				short++
			}
		}
		if short > 100 {
			t.Errorf("%s: %d spans of 5000 are shorter than a day", name, short)
		}
	}
}

// A let counts as often as it is used: exactly so many pieces are let pass.
func TestPiecesOfTests(t *testing.T) {
	const inLet, uses = 1000, 48 // a test, and the joining of tests, is a piece; so is the name of the let
	rest := MaxTestPieces - inLet - 1 - uses*(inLet+1)
	for _, over := range []int{0, 1} {
		text := "let a = " + strings.Repeat("click or ", inLet-2) + "click;\n{per: visitor, then: popup(\"x\"), when: on(" +
			strings.Repeat("a or ", uses) + strings.Repeat("click or ", rest+over-1) + "click)}" // the right side is checked first
		_, ds := Compile([]Source{{"rule.expr", text}}, Options{Names: nudge.NewNames()})
		if got := len(ds) == 1 && ds[0].Code == "E227"; got != (over == 1) {
			t.Errorf("%d pieces over the limit:\n%s", over, ds.Text())
		}
	}
}

// What follows powers of two of firings can sum up to any number: at the limit it is right, one more is too many, also where it comes from a rule of which an
// event is heard directly. A server takes over what was deployed before.
func TestFiringsOfOneEventAreBounded(t *testing.T) {
	edge := []string{"r17", "r16", "r11", "r10", "r8", "r6"} // 2¹⁶ + 2¹⁵ + 2¹⁰ + 2⁹ + 2⁷ + 2⁵ = MaxFollowing
	test := `fired and rule in ["` + strings.Join(edge, `", "`) + `"]`
	for _, c := range []struct {
		test     string
		deployed bool
		refused  bool
	}{
		{test: test},
		{test: test + ` or fired and rule == "r0"`, refused: true},
		{test: `click or (` + test + `)`, refused: true},
		{test: `click or (` + test + `)`, deployed: true},
	} {
		sources := append(followers(18), Source{File: "edge.expr", Text: "{per: visitor, when: on(" + c.test + "), then: alert('x')}"})
		slices.SortFunc(sources, func(a, b Source) int { return strings.Compare(a.File, b.File) })
		_, ds := Compile(sources, Options{Names: nudge.NewNames(), Deployed: c.deployed})
		refused := slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Code == "E706" && d.File == "edge.expr" })
		if refused != c.refused || refused != ds.HasErrors() {
			t.Errorf("on(%s), deployed %v: refused is %v, want %v\n%s", c.test, c.deployed, refused, c.refused, ds.Text())
		}
	}
}
