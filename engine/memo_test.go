package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nudge"
	"nudge/rules"
)

// TestMemoIsMatching: what is remembered of a row is what matching it would find, whatever its fields hold. The tests read fields of every kind, ones that
// only look at whether there is a value, the visitor's id and the event's time.
func TestMemoIsMatching(t *testing.T) {
	names := nudge.NewNames()
	plan, diags := rules.Compile(ruleFiles(
		"a", `{per: visitor, when: count(page_view and path startsWith "/p" and n >= 1, "7d") >= 2, then: alert("a", {})}`,
		"b", `{per: visitor, when: count(has(flag) and not (flag == true), "7d") >= 2, then: alert("b", {})}`,
		"c", `{per: visitor, when: count(page_view and (path ?? "none") == "none", "7d") >= 2, then: alert("c", {})}`,
		"d", `{per: visitor, when: on(click and visitor endsWith "7"), then: alert("d", {})}`,
		"e", `{per: company, when: on(form_view and ts >= 5000), then: alert("e", {})}`,
	), rules.Options{Names: names})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	e, err := New(Options{Names: names, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(plan)
	s, r := e.shards[0], rand.New(rand.NewPCG(1, 1))
	values := map[string][]nudge.Value{
		"path": {{}, {Kind: nudge.Null}, nudge.TextValue(""), nudge.TextValue("1"), nudge.TextValue("/pricing"), nudge.TextValue("none"), nudge.TextValue(strings.Repeat("/p", 100)), nudge.NumberValue(1)},
		"n":    {{}, nudge.NumberValue(1), nudge.TextValue("1"), nudge.NumberValue(0), nudge.NumberValue(math.Copysign(0, -1))},
		"flag": {{}, nudge.BoolValue(true), nudge.BoolValue(false)},
	}
	fields := map[string]nudge.NameID{}
	for _, name := range []string{"path", "n", "flag"} {
		fields[name], _ = names.Find(name)
	}
	types := map[string]nudge.NameID{}
	for _, name := range []string{"page_view", "click", "form_view"} {
		types[name], _ = names.Find(name)
	}
	known := map[string]int{}
	var row rules.Row
	for at := range nudge.Millis(60_000) {
		var b nudge.RecordBuilder
		name := []string{"page_view", "click", "form_view"}[r.IntN(3)]
		b.Begin(nudge.RecordEvent, types[name])
		for _, field := range []string{"path", "n", "flag"} {
			if v := values[field][r.IntN(len(values[field]))]; v.Kind != nudge.Missing {
				b.Value(fields[field], v)
			}
		}
		b.End(0)
		plan.Read(nudge.Record(b.Buf), at, &row)
		s.program.fillIdentity(&row, "visitor-"+string(rune('0'+r.IntN(10))), "", "")
		tests := plan.Match(&row, nil)
		want := s.met(hashTests(tests), tests)
		got, hash := s.memo.find(s.program, &row)
		if got == nil {
			s.memo.note(s.program, &row, hash, want)
			continue
		}
		if known[name]++; got != want {
			t.Fatalf("a %s with %v: recalled is %v, the tests are %v", name, row.Vals, got.tests, tests)
		}
	}
	if known["page_view"] < 1000 || known["click"] < 1000 {
		t.Errorf("recalled were %v rows: too few to say anything", known)
	}
	if form := s.memo.types[types["form_view"]]; known["form_view"] > 0 || form.pause == 0 {
		t.Errorf("of form views, none of which is like another, %d were recalled; it pauses for %d", known["form_view"], form.pause)
	}
}

// TestErasureForgetsTheMemo: values of an erased person's events are recalled no more.
func TestErasureForgetsTheMemo(t *testing.T) {
	s := newSingle(t, Options{Shards: 1}, `{per: visitor, when: on(page_view and visitor endsWith "7"), then: alert("seven", {})}`)
	s.take(1000, `{"type":"page_view","visitor":"secret-7"}`)
	holds := func() bool {
		sets := s.engine.shards[0].memo.sets
		if sets == nil {
			return false
		}
		for i := range sets {
			for j := range sets[i] {
				if slices.ContainsFunc(sets[i][j].values, func(v nudge.Value) bool { return v.Text == "secret-7" }) {
					return true
				}
			}
		}
		return false
	}
	if !holds() {
		t.Fatal("the visitor's row is not recalled")
	}
	if eraseNow(t, s.engine, "visitor", "secret-7"); holds() {
		t.Error("the visitor's id is still recalled")
	}
}
