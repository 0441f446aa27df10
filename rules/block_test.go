package rules

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
)

// textRules are n rules of each kind that is filed by a text; every third has something left to try.
func textRules(n int) (sources []Source) {
	for i := range n {
		for j, test := range [...]string{`path == "/p/%04d"`, `path startsWith "/s/%04d/"`, `path endsWith ".e%04d"`, `path in ["/p/%04d", ""]`} {
			test = fmt.Sprintf(test, i)
			if i%3 == 0 {
				test += ` and not (title == "x")`
			}
			sources = append(sources, Source{fmt.Sprintf("rule-%04d-%d.expr", i, j), fmt.Sprintf(`{per: visitor, when: on(page_view and %s), then: popup("x")}`, test)})
		}
	}
	return sources
}

// A block of rows matches what its rows match one by one, with tables that are near and with tables that are not, before an edit and after it.
func TestMatchBlock(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	for _, n := range [...]int{10, 512} {
		names := nudge.NewNames()
		plan, ds := Compile(textRules(n), Options{Names: names})
		if plan == nil {
			t.Fatal(ds.Text())
		}
		for edit := range 4 {
			sources := textRules(n)
			if edit > 0 {
				sources = slices.Delete(sources, 5*edit, 5*edit+3)
				if plan, ds = Compile(sources, Options{Names: names, Previous: plan}); plan == nil {
					t.Fatal(ds.Text())
				}
			}
			testBlocks(t, r, plan, n, names)
		}
	}
}

func testBlocks(t *testing.T, r *rand.Rand, plan *Plan, n int, names *nudge.Names) {
	var m Matches
	found := 0
	for range 20 {
		rows := make([]Row, 40)
		var list []int32
		for i := range rows {
			line := fmt.Sprintf(`page_view path=%q title=%q`, randomPath(r, n), pick(r, "x", "y"))
			plan.Read(scriptRecord(t, names, line), scriptAt, &rows[i])
			if r.IntN(4) > 0 {
				list = append(list, int32(i))
			}
		}
		plan.MatchBlock(rows, list, &m)
		for j, i := range list {
			want, got := plan.Match(&rows[i], nil), slices.Clone(m.Of(j))
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Fatalf("n=%d row %d: %v in a block, %v alone", n, i, got, want)
			}
			found += len(want)
		}
	}
	if found < 300 {
		t.Errorf("%d matches: the test shows too little", found)
	}
}

func randomPath(r *rand.Rand, n int) string {
	i := r.IntN(n + n/8) // some are nobody's
	switch r.IntN(5) {
	case 0:
		return fmt.Sprintf("/p/%04d", i)
	case 1:
		return fmt.Sprintf("/s/%04d/x", i)
	case 2:
		return fmt.Sprintf("/s/%04d/x.e%04d", i, r.IntN(n))
	case 3:
		return ""
	}
	return fmt.Sprintf("/q.e%04d", i)
}

// The numbers at the ends of a span, and those just beside them, match as the comparisons say.
func TestSpanEnds(t *testing.T) {
	names := nudge.NewNames()
	for _, c := range [...]float64{0, 1, -2.5, 1e12, 3} {
		for _, test := range [...]string{"amount < %[1]v", "amount <= %[1]v", "amount > %[1]v", "amount >= %[1]v", "amount >= %[1]v and amount < %[2]v", "amount > %[1]v and amount <= %[2]v"} {
			plan := compileRule(t, fmt.Sprintf(`{per: visitor, when: on(page_view and `+test+`), then: popup("x")}`, c, c+1), names)
			if plan.lefts[0] != nil {
				t.Errorf("%s: the index leaves something to try", plan.Tests[0].Text)
			}
			whole := wholeTest(plan, 0)
			var row Row
			for _, v := range [...]float64{c, math.Nextafter(c, math.Inf(1)), math.Nextafter(c, math.Inf(-1)), c + 1, math.Nextafter(c+1, 0), math.Inf(1), math.Inf(-1), math.NaN(), -c} {
				plan.Read(scriptRecord(t, names, `page_view amount=1`), scriptAt, &row)
				row.Vals[plan.Slot(mustIntern(t, names, "amount"))] = nudge.NumberValue(v)
				if got, want := len(plan.Match(&row, nil)) == 1, whole(&row) == True; got != want {
					t.Errorf("%s of %v: index %v, test %v", plan.Tests[0].Text, v, got, want)
				}
			}
		}
	}
}

func mustIntern(t *testing.T, names *nudge.Names, text string) nudge.NameID {
	id, err := names.Intern(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
