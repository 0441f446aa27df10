package rules

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nudge"
)

// editor edits a folder at random.
type editor struct {
	*rand.Rand
	files map[string]string
}

func (e *editor) edit() {
	for range 1 + e.IntN(3) {
		file := fmt.Sprintf("rule-%d.expr", e.IntN(12))
		switch {
		case e.IntN(40) == 0:
			e.files[catalogFile] = pick(e.Rand, `{Buy: {amount: "number"}}`, `{Buy: {amount: "number", n: "number"}}`)
		case e.IntN(40) == 0:
			delete(e.files, catalogFile)
		case e.IntN(3) == 0:
			delete(e.files, file)
		default:
			e.files[file] = e.rule()
		}
	}
}

// rule writes a rule of which some part is often in another rule, too.
func (e *editor) rule() string {
	test := pick(e.Rand, "click", `page_view and path == "/a"`, `page_view and path startsWith "/a"`, "page_view and amount > 1", "page_view and amount > 0 and amount < 2",
		`page_view and path endsWith "c"`, `form_view and not (form contains "a")`, "click and not has(form)", randomTest(e.Rand, e.IntN(3)))
	other := pick(e.Rand, "page_view", "form_view", randomTest(e.Rand, 1))
	when := pick(e.Rand,
		fmt.Sprintf(`count(%s, "%dd") >= %d`, test, 1+e.IntN(9), 1+e.IntN(20)),
		fmt.Sprintf(`distinct(%s, path, "%dd") < %d and happened(%s, "1h")`, test, 1+e.IntN(9), 1+e.IntN(20), other),
		fmt.Sprintf(`dwell(%s, "20s", until(%s))`, test, other),
		fmt.Sprintf(`absent(%s, "1h", after(%s)) and not happened(%s, "2h")`, other, test, test),
		fmt.Sprintf(`first(%s, "1d")`, test),
		fmt.Sprintf(`sequence(%s, no(%s), click, "1h")`, test, other),
		fmt.Sprintf(`score({(%s): 2, (%s): 3}, half_life("1d")) > 5`, test, other),
		fmt.Sprintf(`sum(%s, amount, "%dd") > 5`, test, 1+e.IntN(9)),
		fmt.Sprintf(`on(fired and rule == "rule-%d")`, e.IntN(12)),
		"happened(page_vew, \"1d\")")
	return fmt.Sprintf("{per: %s, when: %s, then: alert(\"x\", {f: %s}), priority: %d%s}", pick(e.Rand, "visitor", "user", "company", "form", "lower(form)"),
		when, pick(e.Rand, "path", "form", "amount", "1"), e.IntN(3), pick(e.Rand, "", "", `, cooldown: "1d"`, `, limit: cap("p", 2, "1d")`, `, limit: cap("p", 3, "1d")`))
}

func (e *editor) sources() (out []Source) {
	for _, f := range slices.Sorted(maps.Keys(e.files)) {
		out = append(out, Source{f, e.files[f]})
	}
	return out
}

// meaning is what a plan says, wherever it lists it.
func meaning(p *Plan, names *nudge.Names) string {
	var b strings.Builder
	for i := range p.Rules {
		r := &p.Rules[i]
		fmt.Fprintf(&b, "%s per %s priority %v cooldown %v limit %v\n", r.ID, p.Scopes[r.Scope].Per, r.Priority, r.Cooldown, r.Limit)
		uses := slices.Clone(r.When.Uses)
		for _, a := range r.Actions {
			uses = append(uses, a.Uses...)
		}
		for _, u := range uses {
			op := &p.Ops[u.Op]
			fmt.Fprintf(&b, "  %s in %v, wake %d mark %v fold %v: window %v keep %d tests", op.Text, u.Window, u.Wake, u.Mark, u.Fold, op.Window, op.Keep)
			for _, t := range op.tests() {
				fmt.Fprintf(&b, " [%s %v]", p.Tests[t].Text, p.Tests[t].Fired)
			}
			for _, s := range op.Slots {
				fmt.Fprintf(&b, " %s", names.Text(p.Fields[s]))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func matches(p *Plan, rec nudge.Record, row *Row) string {
	p.Read(rec, scriptAt, row)
	var texts []string
	for _, t := range p.Match(row, nil) {
		texts = append(texts, p.Tests[t].Text)
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n")
}

// A plan made from the one before means the same as one made afresh, finds the same tests, and leaves the one before as it was. The
// remarks are the same, too.
func TestLineEqualsFresh(t *testing.T) {
	for seed := range uint64(12) {
		e := &editor{rand.New(rand.NewPCG(seed, 0)), map[string]string{}}
		names := nudge.NewNames()
		var plan *Plan
		var row Row
		taken, lines := 0, map[*planner]bool{}
		for step := range 150 {
			good := maps.Clone(e.files)
			e.edit()
			rec := scriptRecord(t, names, randomLine(e.Rand))
			before, matched := "", ""
			if plan != nil {
				before, matched = meaning(plan, names), matches(plan, rec, &row)
			}
			next, remarks := Compile(e.sources(), Options{Names: names, Previous: plan})
			fresh, want := Compile(e.sources(), Options{Names: names})
			if got := remarks.Text(); got != want.Text() {
				t.Fatalf("seed %d, step %d: remarks\n%s\nafresh\n%s", seed, step, got, want.Text())
			}
			if plan != nil && (meaning(plan, names) != before || matches(plan, rec, &row) != matched) {
				t.Fatalf("seed %d, step %d: the plan before has changed", seed, step)
			}
			if (next == nil) != (fresh == nil) {
				t.Fatalf("seed %d, step %d: one of two plans", seed, step)
			}
			if next == nil {
				e.files = good
				continue
			}
			if got, want := meaning(next, names), meaning(fresh, names); got != want {
				t.Fatalf("seed %d, step %d:\n%s\nafresh\n%s", seed, step, got, want)
			}
			for range 10 {
				rec := scriptRecord(t, names, randomLine(e.Rand))
				if got, want := matches(next, rec, &row), matches(fresh, rec, new(Row)); got != want {
					t.Fatalf("seed %d, step %d: matches\n%s\nafresh\n%s", seed, step, got, want)
				}
			}
			if plan != nil && plan.SameLine(next) {
				taken++
			}
			lines[next.line] = true
			plan = next
		}
		if taken < 20 || len(lines) < 2 {
			t.Errorf("seed %d: %d plans made from the one before, %d lines: the test proves little", seed, taken, len(lines))
		}
	}
}

// Two plans can be made from one; the second begins a line of its own.
func TestOnlyTheNewestPlanIsFollowed(t *testing.T) {
	names := nudge.NewNames()
	compile := func(n int, previous *Plan) *Plan {
		plan, ds := Compile(manyRules(n), Options{Names: names, Previous: previous})
		if plan == nil {
			t.Fatal(ds.Text())
		}
		return plan
	}
	first := compile(10, nil)
	second, other := compile(12, first), compile(11, first)
	if !second.SameLine(first) || other.SameLine(first) || len(second.Rules) != 12 || len(other.Rules) != 11 {
		t.Errorf("%v %v, %d and %d rules", second.SameLine(first), other.SameLine(first), len(second.Rules), len(other.Rules))
	}
	for i := range second.Rules {
		if i < 11 && second.Rules[i].ID != other.Rules[i].ID {
			t.Errorf("rule %d: %s and %s", i, second.Rules[i].ID, other.Rules[i].ID)
		}
	}
}
