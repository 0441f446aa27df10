package rules

import (
	"slices"
	"strings"
	"testing"

	"nudge"
)

// No rules at all are a plan: the engine starts with it.
func TestEmptyPlan(t *testing.T) {
	plan, ds := Compile(nil, Options{Names: nudge.NewNames()})
	if plan == nil || ds != nil {
		t.Fatal(ds.Text())
	}
	for i, want := range [...]string{ScopeVisitor: "visitor", ScopeUser: "user", ScopeCompany: "company"} {
		if s := plan.Scopes[i]; s.Per != want || s.Kind.String() != want || s.Key != nil {
			t.Errorf("scope %d: %+v", i, s)
		}
	}
	var row Row
	names := nudge.NewNames()
	plan.Read(scriptRecord(t, names, `page_view path="/a"`), scriptAt, &row)
	if got := plan.Match(&row, nil); len(got) != 0 || plan.Slot(nudge.NamePath) != -1 || len(plan.Rules)+len(plan.Ops)+len(plan.Tests) != 0 {
		t.Errorf("%v %+v", got, plan)
	}
}

// A plan is a function of the files, not of their order, and not of what names the process has met before.
func TestPlanIsAFunctionOfTheFiles(t *testing.T) {
	sources := manyRules(50)
	want, _ := Compile(sources, Options{Names: nudge.NewNames()})
	slices.Reverse(sources)
	names := nudge.NewNames()
	for _, s := range []string{"form", "zzz", "page_view", "amount"} {
		if _, err := names.Intern(s); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := Compile(sources, Options{Names: names})
	if a, b := planText(want), planText(got); a != b || EncodeSources(want.Sources) != EncodeSources(got.Sources) {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestReadFillsTheRow(t *testing.T) {
	names := nudge.NewNames()
	plan := compileRule(t, `{per: visitor, when: on(page_view and has(path) and has(id) and has(form)), then: popup("x", {t: type, ts: ts, at: at})}`, names)
	var row Row
	value := func(id nudge.NameID) nudge.Value { return row.Vals[plan.Slot(id)] }

	plan.Read(scriptRecord(t, names, `page_view id="m1" path="/a" path="/b" title="not read" ts=5`), scriptAt, &row)
	if row.Type == nudge.NameNone || names.Text(row.Type) != "page_view" || row.Ts != 5 || row.At != scriptAt {
		t.Errorf("%+v", row)
	}
	if value(nudge.NamePath).Text != "/a" || value(nudge.NameID_).Text != "m1" || value(nudge.NameType).Text != "page_view" ||
		value(nudge.NameTs).Num != 5 || value(nudge.NameAt).Num != scriptAt {
		t.Errorf("%+v", row.Vals)
	}
	if plan.Slot(nudge.NameTitle) != -1 || plan.Slot(nudge.NameID(nudge.MaxNames-1)) != -1 || len(row.Vals) != len(plan.Fields) {
		t.Errorf("%d values, %d fields", len(row.Vals), len(plan.Fields))
	}

	// The next record leaves nothing of the one before, and no event is later than its log time.
	plan.Read(scriptRecord(t, names, `click ts=99999999`), scriptAt, &row)
	if row.Ts != scriptAt || value(nudge.NamePath).Kind != nudge.Missing || value(nudge.NameID_).Kind != nudge.Missing || value(nudge.NameTs).Num != scriptAt {
		t.Errorf("%+v", row)
	}
}

// ReadFrom goes on where Who stopped, goes back for fields that stand before, and leaves visitor, user and company to its caller.
func TestReadFrom(t *testing.T) {
	for reads, want := range map[string]string{
		`path == "/a" and has(user)`:                   "/a",
		`path == "/a" and has(user) and has(email)`:    "/a e@a.example",
		`path == "/a" and has(company) and type == id`: "/a m1 page_view",
	} {
		names := nudge.NewNames()
		plan := compileRule(t, `{per: visitor, when: on(page_view and `+reads+`), then: popup("x", {})}`, names)
		rec := scriptRecord(t, names, `page_view id="m1" visitor="v" user="u" email="e@a.example" company="c" path="/a" path="/b"`)
		var who nudge.Who
		from := rec.Who(&who)
		var row Row
		plan.ReadFrom(rec, from, scriptAt, &row)
		var texts []string
		for _, v := range row.Vals {
			if v.Kind != nudge.Missing {
				texts = append(texts, v.Text)
			}
		}
		slices.Sort(texts)
		if got := strings.Join(texts, " "); got != want {
			t.Errorf("%s: the row holds %s, want %s", reads, got, want)
		}
		for _, id := range identityNames {
			slot := plan.Slot(id)
			if slot >= 0 && !slices.Contains(row.filled, int32(slot)) {
				t.Errorf("%s: a value of field %d is not looked for", reads, id)
			}
		}
		for range 2 {
			plan.Read(rec, scriptAt, &row)
			if slot := plan.Slot(nudge.NameUser); slot >= 0 && row.Vals[slot].Text != "u" {
				t.Errorf("%s: the user is %v", reads, row.Vals[slot])
			}
		}
	}
}

func TestOtherKeys(t *testing.T) {
	names := nudge.NewNames()
	for per, want := range map[string]string{
		`form`: "Demo", `lower(form) + "/" + host`: "demo/a.example", `n`: "7", `half`: "", `missing`: "", `flag`: "", `missing ?? form`: "Demo",
		`len(form)`: "4", `form + missing`: "", `n + 1`: "8", `big`: "", `list`: "", `empty`: "",
	} {
		plan := compileRule(t, `{per: `+per+`, when: on(click), then: popup("x")}`, names)
		var row Row
		plan.Read(scriptRecord(t, names, `click form="Demo" host="a.example" n=7 half=0.5 flag=true big=1e300 list=[1] empty=""`), scriptAt, &row)
		s := plan.Scopes[3]
		if got := s.Key(&row); got != want || s.Kind != nudge.KindOther {
			t.Errorf("per %s: %q, want %q", per, got, want)
		}
	}
}

// The data of an alert outlives the record that it was taken from.
func TestRenderCopies(t *testing.T) {
	names := nudge.NewNames()
	plan := compileRule(t, `{per: visitor, when: on(click), then: alert(title, {t: title})}`, names)
	rec := scriptRecord(t, names, `click title="before"`)
	var row Row
	plan.Read(rec, scriptAt, &row)
	_, data := plan.Rules[0].Actions[0].Render(nil, &row, nil)
	for i := range rec {
		rec[i] = 'X'
	}
	if string(data) != `{"t":"before"}` {
		t.Errorf("%s", data)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	names := nudge.NewNames()
	sources := append(manyRules(300), Source{
		"other.expr",
		`{per: visitor, when: on(page_view and lower(path) contains "page" and (amount ?? 1) * 2 > 3 and path matches "^/p" and path in ["/page/7"]), then: popup("x", {t: type})}`,
	})
	plan, ds := Compile(sources, Options{Names: names})
	if plan == nil {
		t.Fatal(ds.Text())
	}
	rec := scriptRecord(t, names, `page_view path="/page/7" amount=7 title="x"`)
	var row Row
	var dst []int32
	run := func() {
		plan.Read(rec, scriptAt, &row)
		dst = plan.Match(&row, dst[:0])
	}
	run()
	if len(dst) != 2 {
		t.Fatal(dst)
	}
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
	cond := plan.Rules[0].When
	readings := make([]Reading, len(cond.Uses))
	if n := testing.AllocsPerRun(100, func() { cond.Eval(readings) }); n != 0 {
		t.Errorf("%v allocations of a condition", n)
	}
}

// Texts made to be slow, or to overflow the parser's stack, are answered with a bounded list of remarks.
func TestHostileTexts(t *testing.T) {
	fill := func(part string) string { return strings.Repeat(part, MaxFileBytes/len(part)) }
	for _, text := range []string{
		fill("("), fill("!"), fill("-"), fill("{a:"), fill("|"), fill("|\n"), fill("x-y "), fill("let a=1;"), fill("a,"), fill("{}"), fill("a or "), fill("a ?? "),
		fill("not "), fill("[[]"), fill("a.b."), fill("a**"), fill("\n"), fill("'"), fill("`"), fill("/*"), fill("a<"), fill(`"\`), fill("#"), fill("?."),
		"{" + fill("a:1,")[:MaxFileBytes-1], "{per:visitor,when:on(" + fill("click and ")[:MaxFileBytes-30], "{per:visitor,then:alert('x',{" + fill("a:b=1,")[:MaxFileBytes-40] + "})}",
	} {
		_, ds := Compile([]Source{{"rule.expr", text}}, Options{Names: nudge.NewNames()})
		if !ds.HasErrors() || len(ds) > 2*MaxRemarks {
			t.Errorf("%.20q: %d remarks", text, len(ds))
		}
	}
}
