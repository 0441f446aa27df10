package rules

import (
	"fmt"
	"testing"

	"nudge"
)

// BenchmarkTest is one event test on one row.
func BenchmarkTest(b *testing.B) {
	for name, test := range map[string]string{
		"type":     `page_view`,
		"equal":    `path == "/pricing/team"`,
		"prefix":   `page_view and path startsWith "/pricing"`,
		"number":   `page_view and amount > 5`,
		"three":    `page_view and path startsWith "/pricing" and utm_source == "news"`,
		"not":      `page_view and not (path startsWith "/docs")`,
		"in":       `path in ["/a", "/b", "/c", "/pricing/team"]`,
		"coalesce": `(plan ?? "free") == "free"`,
		"matches":  "path matches `^/pricing/[a-z]+$`",
	} {
		b.Run(name, func(b *testing.B) {
			names := nudge.NewNames()
			plan := compileRule(b, "{per: visitor, when: on(click), unless: happened("+test+`, "1d"), then: popup("x")}`, names)
			var row Row
			plan.Read(scriptRecord(b, names, `page_view path="/pricing/team" amount=7 utm_source="news"`), scriptAt, &row)
			match := wholeTest(plan, len(plan.Tests)-1)
			if match(&row) != True {
				b.Fatal("no match")
			}
			b.ReportAllocs()
			for b.Loop() {
				match(&row)
			}
		})
	}
}

// manyRules is n rules on different paths, among them some that only a prefix or a scan finds.
func manyRules(n int) []Source {
	sources := make([]Source, 0, n)
	for i := range n {
		test := fmt.Sprintf(`page_view and path == "/page/%d"`, i)
		switch {
		case i%100 == 1:
			test = fmt.Sprintf(`page_view and path startsWith "/section/%d/"`, i)
		case i%1000 == 2:
			test = fmt.Sprintf(`form_submit and amount > %d`, i)
		}
		sources = append(sources, Source{fmt.Sprintf("rule-%05d.expr", i), `{per: visitor, when: count(` + test + `, "30d") >= 3, then: popup("x")}`})
	}
	return sources
}

// BenchmarkMatch is one row against all tests of a plan, found through the index and by trying each.
func BenchmarkMatch(b *testing.B) {
	for _, n := range [...]int{1, 100, 10_000} {
		names := nudge.NewNames()
		plan, ds := Compile(manyRules(n), Options{Names: names})
		if plan == nil {
			b.Fatal(ds.Text())
		}
		var row Row
		plan.Read(scriptRecord(b, names, fmt.Sprintf(`page_view path="/page/%d" title="x" amount=7`, n-1)), scriptAt, &row)
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			var dst []int32
			b.ReportAllocs()
			for b.Loop() {
				dst = plan.Match(&row, dst[:0])
			}
			if len(dst) != 1 {
				b.Fatal(dst)
			}
		})
		b.Run(fmt.Sprintf("scan/rules=%d", n), func(b *testing.B) {
			found, tests := 0, make([]testFunc, len(plan.Tests))
			for i := range tests {
				tests[i] = wholeTest(plan, i)
			}
			for b.Loop() {
				found = 0
				for _, match := range tests {
					if match(&row) == True {
						found++
					}
				}
			}
			if found != 1 {
				b.Fatal(found)
			}
		})
	}
}

// BenchmarkRead is one record decoded for a plan.
func BenchmarkRead(b *testing.B) {
	names := nudge.NewNames()
	plan := compileRule(b, `{per: visitor, when: on(page_view and path == "/a" and form == "x" and amount > 3), then: popup("x", {c: company, t: type})}`, names)
	rec := scriptRecord(b, names, `page_view id="0190b7c4" visitor="v1" user="u1" url="https://a.example/a" path="/a" host="a.example" title="A" amount=4 other="y"`)
	var row Row
	b.ReportAllocs()
	for b.Loop() {
		plan.Read(rec, scriptAt, &row)
	}
}

// BenchmarkCompile is a whole folder.
func BenchmarkCompile(b *testing.B) {
	for _, n := range [...]int{100, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			sources := manyRules(n)
			for b.Loop() {
				if plan, ds := Compile(sources, Options{Names: nudge.NewNames()}); plan == nil {
					b.Fatal(ds.Text())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/rule")
		})
	}
}
