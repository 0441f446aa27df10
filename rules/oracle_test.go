package rules

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"nudge"
)

// A slow, obvious reading of event tests, made beside their text and not from it: what the compiled tests must say.
type (
	event     map[string]nudge.Value // with the type under "type"
	written   struct{ text string }
	truthTest struct {
		written
		says func(event) Truth
	}
	valueOfEvent struct {
		written
		gives func(event) nudge.Value
	}
)

func three(known, holds bool) Truth {
	if !known {
		return Unknown
	}
	return truthOf(holds)
}

func comparedAs(a, b nudge.Value, op string) Truth {
	switch {
	case a.Kind != b.Kind || a.Kind == nudge.JSON || !a.Present():
		return Unknown
	case a.Kind == nudge.Bool && op != "==" && op != "!=":
		return Unknown
	case a.Kind == nudge.Text:
		return truthOf(map[string]bool{
			"==": a.Text == b.Text, "!=": a.Text != b.Text, "<": a.Text < b.Text, "<=": a.Text <= b.Text, ">": a.Text > b.Text, ">=": a.Text >= b.Text,
		}[op])
	}
	return truthOf(holds(a.Num, op, b.Num))
}

// randomValue is a value; wanted is what type its context allows: Text, Number, or Missing for any.
func randomValue(r *rand.Rand, wanted nudge.ValueKind, depth int) valueOfEvent {
	field := pick(r, "a", "b", "path", "card.brand")
	if wanted == nudge.Number {
		field = pick(r, "a", "b", "n")
	}
	of := func(text string, gives func(event) nudge.Value) valueOfEvent {
		return valueOfEvent{written{text}, gives}
	}
	read := of(field, func(e event) nudge.Value { return e[field] })
	if depth == 0 {
		return read
	}
	switch k := r.IntN(7); {
	case k == 0 && wanted != nudge.Number:
		s := pick(r, "/a", "B", "", "ä")
		return of(strconv.Quote(s), func(event) nudge.Value { return nudge.TextValue(s) })
	case k == 1 && wanted != nudge.Text:
		f := float64(r.IntN(5)) - 1.5
		return of(fmt.Sprint(f), func(event) nudge.Value { return nudge.NumberValue(f) })
	case k == 2 && wanted != nudge.Text:
		a, b, op := randomValue(r, nudge.Number, depth-1), randomValue(r, nudge.Number, depth-1), pick(r, "-", "*", "/")
		return of("("+a.text+" "+op+" "+b.text+")", func(e event) nudge.Value {
			x, y := a.gives(e), b.gives(e)
			if x.Kind != nudge.Number || y.Kind != nudge.Number || op == "/" && y.Num == 0 {
				return nudge.Value{}
			}
			return nudge.NumberValue(map[string]float64{"-": x.Num - y.Num, "*": x.Num * y.Num, "/": x.Num / y.Num}[op])
		})
	case k == 3 && wanted != nudge.Number:
		a, f := randomValue(r, nudge.Text, depth-1), pick(r, "lower", "upper", "trim")
		return of(f+"("+a.text+")", func(e event) nudge.Value {
			x := a.gives(e)
			if x.Kind != nudge.Text {
				return nudge.Value{}
			}
			return nudge.TextValue(map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper, "trim": strings.TrimSpace}[f](x.Text))
		})
	case k == 4 && wanted != nudge.Text:
		a := randomValue(r, nudge.Text, depth-1)
		return of("len("+a.text+")", func(e event) nudge.Value {
			x := a.gives(e)
			if x.Kind != nudge.Text {
				return nudge.Value{}
			}
			return nudge.NumberValue(float64(utf8.RuneCountInString(x.Text)))
		})
	case k == 5 && wanted != nudge.Number:
		s := pick(r, "/a", "x")
		return of("("+field+" ?? "+strconv.Quote(s)+")", func(e event) nudge.Value {
			if e[field].Present() {
				return e[field]
			}
			return nudge.TextValue(s)
		})
	}
	return read
}

func randomTruth(r *rand.Rand, depth int) truthTest {
	of := func(text string, says func(event) Truth) truthTest { return truthTest{written{text}, says} }
	if depth > 0 && r.IntN(5) > 0 {
		a, b := randomTruth(r, depth-1), randomTruth(r, depth-1)
		switch r.IntN(3) {
		case 0:
			return of("not ("+a.text+")", func(e event) Truth { return [...]Truth{False: True, True: False, Unknown: Unknown}[a.says(e)] })
		case 1:
			return of("("+a.text+" and "+b.text+")", func(e event) Truth {
				x, y := a.says(e), b.says(e)
				return three(x == False || y == False || x == True && y == True, x == True && y == True)
			})
		}
		return of("("+a.text+" or "+b.text+")", func(e event) Truth {
			x, y := a.says(e), b.says(e)
			return three(x == True || y == True || x == False && y == False, x == True || y == True)
		})
	}
	switch r.IntN(6) {
	case 0:
		typ := pick(r, "page_view", "click", "fired")
		return of(pick(r, typ, fmt.Sprintf("type == %q", typ), fmt.Sprintf("event(%q)", typ)), func(e event) Truth { return truthOf(e["type"].Text == typ) })
	case 1:
		f := pick(r, "a", "b", "n", "path", "card.brand")
		return of("has("+f+")", func(e event) Truth { return truthOf(e[f].Present()) })
	case 2:
		a, b, op := randomValue(r, nudge.Text, 2), randomValue(r, nudge.Text, 2), pick(r, "startsWith", "endsWith", "contains")
		return of("("+a.text+") "+op+" ("+b.text+")", func(e event) Truth {
			x, y := a.gives(e), b.gives(e)
			ok := map[string]func(s, t string) bool{"startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix, "contains": strings.Contains}[op]
			return three(x.Kind == nudge.Text && y.Kind == nudge.Text, ok(x.Text, y.Text))
		})
	case 3:
		a := randomValue(r, nudge.Text, 2)
		return of("("+a.text+`) in ["/a", "B", "x"]`, func(e event) Truth {
			x := a.gives(e)
			return three(x.Kind == nudge.Text, x.Text == "/a" || x.Text == "B" || x.Text == "x")
		})
	}
	kind := pick(r, nudge.Text, nudge.Number)
	a, b, op := randomValue(r, kind, 2), randomValue(r, kind, 2), pick(r, "==", "!=", "<", "<=", ">", ">=")
	return of(a.text+" "+op+" "+b.text, func(e event) Truth { return comparedAs(a.gives(e), b.gives(e), op) })
}

// Compiled tests say what the slow reading says, on fields that are there, missing, null and of every type.
func TestCompiledTestsEqualTheOracle(t *testing.T) {
	const seed = 3
	r := rand.New(rand.NewPCG(seed, 0))
	seen := map[Truth]int{}
	for round := range 1500 {
		test := randomTruth(r, r.IntN(4))
		names := nudge.NewNames()
		plan := compileRule(t, "{per: visitor, when: on(popup_shown), unless: happened("+test.text+`, "1d"), then: popup("x")}`, names)
		last := plan.Tests[len(plan.Tests)-1]
		match := wholeTest(plan, len(plan.Tests)-1)
		var row Row
		for range 30 {
			typ := pick(r, "page_view", "click", "fired")
			e, line := event{"type": nudge.TextValue(typ)}, typ
			for _, f := range [...]string{"a", "b", "n", "path", "card.brand"} {
				if r.IntN(4) == 0 {
					continue
				}
				e[f] = pick(r, nudge.TextValue("/a"), nudge.TextValue(" B"), nudge.TextValue("ä"), nudge.TextValue(""), nudge.NumberValue(0),
					nudge.NumberValue(-1.5), nudge.NumberValue(2), nudge.BoolValue(true), nudge.Value{Kind: nudge.Null}, nudge.Value{Kind: nudge.JSON, Text: "[1]"})
				line += " " + f + "=" + string(e[f].AppendJSON(nil))
			}
			plan.Read(scriptRecord(t, names, line), scriptAt, &row)
			got, want := match(&row), test.says(e)
			if typ == "fired" && !last.Fired { // it never matches, whatever it says
				got, want = truthOf(got == True), False
			}
			if got != want {
				t.Fatalf("seed %d, round %d: %s\n%s: %v, want %v\ncanonical: %s", seed, round, test.text, line, got, want, last.Text)
			}
			seen[got]++
		}
	}
	for _, v := range [...]Truth{False, True, Unknown} {
		if seen[v] < 1000 {
			t.Errorf("only %d answers were %v", seen[v], v)
		}
	}
}
