package rules

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"nudge"
)

// The scripts under testdata. Their commands:
//
//	check            the remarks about the files of the input (one file, or several behind lines -- NAME --)
//	json, github,
//	sarif            the same in these forms
//	plan             what they compile to
//	truth            the first line is an event test; then for each line, an event, what the test says
//	eval             the first line is a condition; then for each line, the readings of its uses, what the condition says
//	render           the first line is an action, the second an event, then readings: what goes out
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") {
			return
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "check":
				_, ds := Compile(scriptSources(d.Input), Options{Names: nudge.NewNames()})
				if ds == nil {
					return "ok\n"
				}
				return ds.Text()
			case "json":
				_, ds := Compile(scriptSources(d.Input), Options{Names: nudge.NewNames()})
				return string(ds.JSON())
			case "github":
				_, ds := Compile(scriptSources(d.Input), Options{Names: nudge.NewNames()})
				return ds.GitHub("site/rules/")
			case "sarif":
				_, ds := Compile(scriptSources(d.Input), Options{Names: nudge.NewNames()})
				return string(ds.SARIF("site/rules/", "https://docs.example/errors.md"))
			case "plan":
				plan, ds := Compile(scriptSources(d.Input), Options{Names: nudge.NewNames()})
				if plan == nil {
					return ds.Text()
				}
				return planText(plan)
			case "truth":
				return scriptTruth(t, d.Input)
			case "eval":
				return scriptEval(t, d.Input)
			case "render":
				return scriptRender(t, d.Input)
			}
			d.Fatalf(t, "unknown command")
			return ""
		})
	})
}

// scriptSources splits an input into files at lines of the form "-- NAME --".
func scriptSources(input string) []Source {
	var out []Source
	for line := range strings.Lines(input) {
		name, isHeader := strings.CutPrefix(strings.TrimSpace(line), "-- ")
		if name, ends := strings.CutSuffix(name, " --"); isHeader && ends {
			out = append(out, Source{File: name})
			continue
		}
		if out == nil {
			return []Source{{File: "rule.expr", Text: input}}
		}
		out[len(out)-1].Text += line
	}
	return out
}

// compileRule compiles one rule that must be right, though its tests may contradict themselves.
func compileRule(t testing.TB, text string, names *nudge.Names) *Plan {
	t.Helper()
	plan, ds := Compile([]Source{{File: "rule.expr", Text: text}}, Options{Names: names, Deployed: true})
	if plan == nil {
		t.Fatalf("%s\n%s", text, ds.Text())
	}
	return plan
}

// scriptRecord builds the record of a line: a type, then field=JSON.
func scriptRecord(t testing.TB, names *nudge.Names, line string) nudge.Record {
	t.Helper()
	var b nudge.RecordBuilder
	typ, rest, _ := strings.Cut(line, " ")
	intern := func(s string) nudge.NameID {
		id, err := names.Intern(s)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	b.Begin(nudge.RecordEvent, intern(typ))
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		name, value, _ := strings.Cut(rest, "=")
		dec := json.NewDecoder(strings.NewReader(value))
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		rest = value[dec.InputOffset():]
		switch v := v.(type) {
		case nil:
			b.Null(intern(name))
		case string:
			b.Text(intern(name), v)
		case float64:
			if name == "ts" {
				b.Ts(nudge.Millis(v))
			} else {
				b.Number(intern(name), v)
			}
		case bool:
			b.Bool(intern(name), v)
		default:
			raw, _ := json.Marshal(v)
			b.JSON(intern(name), string(raw))
		}
	}
	b.End(0)
	rec, _, err := nudge.NextRecord(b.Buf)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

const scriptAt = 1_000_000 // log time of the scripts' events

func scriptTruth(t *testing.T, input string) string {
	first, lines, _ := strings.Cut(input, "\n")
	names := nudge.NewNames()
	plan := compileRule(t, "{per: visitor, when: on(page_view), unless: happened("+first+`, "1d"), then: alert("x")}`, names)
	i := len(plan.Tests) - 1
	var out strings.Builder
	for line := range strings.Lines(lines) {
		var row Row
		plan.Read(scriptRecord(t, names, strings.TrimSpace(line)), scriptAt, &row)
		fmt.Fprintf(&out, "%-7s %s", [...]string{"false", "true", "unknown"}[wholeTest(plan, i)(&row)], line)
	}
	return out.String()
}

// scriptReadings reads "3" (a number), "3+" (more than are kept), "nothing", "pulse", "no", "[1,2]" (values), "=x" and "=#5" (the last value: text, number).
func scriptReadings(t *testing.T, line string) []Reading {
	var rs []Reading
	for _, w := range strings.Fields(line) {
		var r Reading
		switch {
		case w == "pulse":
			r.Pulse = true
		case w == "no":
		case w == "nothing":
			r.None = true
		case strings.HasPrefix(w, "=#"):
			f, err := strconv.ParseFloat(w[2:], 64)
			if err != nil {
				t.Fatal(err)
			}
			r.Value = nudge.NumberValue(f)
		case w[0] == '=':
			r.Value = nudge.TextValue(w[1:])
		case w[0] == '[':
			for _, s := range strings.Split(strings.Trim(w, "[]"), ",") {
				r.Values = append(r.Values, nudge.TextValue(s))
			}
		default:
			n, more := strings.CutSuffix(w, "+")
			f, err := strconv.ParseFloat(n, 64)
			if err != nil {
				t.Fatal(err)
			}
			r.N, r.More = f, more
		}
		rs = append(rs, r)
	}
	return rs
}

func scriptEval(t *testing.T, input string) string {
	first, lines, _ := strings.Cut(input, "\n")
	plan := compileRule(t, "{per: visitor, when: "+first+`, then: alert("x")}`, nudge.NewNames())
	c := plan.Rules[0].When
	var out strings.Builder
	fmt.Fprintf(&out, "uses: %s\n", usesText(plan, c.Uses))
	for line := range strings.Lines(lines) {
		rs := scriptReadings(t, line)
		if len(rs) != len(c.Uses) {
			t.Fatalf("%q: %d readings for %d uses", line, len(rs), len(c.Uses))
		}
		fmt.Fprintf(&out, "%-5v %s", c.Eval(rs), line)
	}
	return out.String()
}

func scriptRender(t *testing.T, input string) string {
	lines := strings.Split(strings.TrimSpace(input), "\n")
	names := nudge.NewNames()
	plan := compileRule(t, "{per: user, when: on(page_view), then: "+lines[0]+"}", names)
	var row Row
	plan.Read(scriptRecord(t, names, lines[1]), scriptAt, &row)
	a := plan.Rules[0].Actions[0]
	var rs []Reading
	if len(lines) > 2 {
		rs = scriptReadings(t, lines[2])
	}
	if len(rs) != len(a.Uses) {
		t.Fatalf("%d readings for uses %s", len(rs), usesText(plan, a.Uses))
	}
	text, data := a.Render(nil, &row, rs)
	if !json.Valid(data) {
		t.Fatalf("data is not JSON: %s", data)
	}
	return fmt.Sprintf("%s %q %s\n", a.Kind, text, data)
}

func usesText(p *Plan, uses []Use) string {
	var parts []string
	for _, u := range uses {
		s := p.Ops[u.Op].Text
		if k := p.Ops[u.Op].Kind; k == OpNumbers || k == OpTally {
			s += [...]string{FoldSum: " sum", FoldAvg: " avg", FoldMin: " min", FoldMax: " max"}[u.Fold]
		}
		if u.Window != 0 {
			s += " " + durationText(u.Window)
		}
		switch u.Wake {
		case WakeNever:
		case WakeEvery:
			s += " wakes at every expiry"
		case WakeAtMark:
			s += fmt.Sprintf(" wakes at %v", u.Mark)
		default:
			s += fmt.Sprintf(" wakes at the %d. newest", u.Wake)
		}
		parts = append(parts, s)
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, "; ")
}

func planText(p *Plan) string {
	var b strings.Builder
	for i, s := range p.Scopes {
		if i > ScopeCompany {
			fmt.Fprintf(&b, "scope %d: per %s, reads %s\n", i, s.Per, fieldNames(p, s.Reads))
		}
	}
	for i, t := range p.Tests {
		fmt.Fprintf(&b, "test %d: %s", i, t.Text)
		if t.Fired {
			b.WriteString(" (fired)")
		}
		b.WriteByte('\n')
	}
	for i, op := range p.Ops {
		fmt.Fprintf(&b, "op %d: per %s, %s, tests %d %d", i, p.Scopes[op.Scope].Per, op.Text, op.Test, op.End)
		if op.Window != 0 {
			fmt.Fprintf(&b, ", window %s", durationText(op.Window))
		}
		if op.Keep != 0 {
			fmt.Fprintf(&b, ", keeps %d", op.Keep)
		}
		for _, x := range op.Points {
			fmt.Fprintf(&b, ", test %d: %v", x.Test, x.Points)
		}
		for _, x := range op.Steps {
			fmt.Fprintf(&b, ", step %d no %d", x.Test, x.No)
		}
		if op.Slots != nil {
			fmt.Fprintf(&b, ", fields %s", fieldNames(p, op.Slots))
		}
		b.WriteByte('\n')
	}
	cost := p.Cost()
	for i, r := range p.Rules {
		fmt.Fprintf(&b, "rule %s: per %s, priority %v, mode %d, cooldown %q, %d bytes, %d shared\n",
			r.ID, p.Scopes[r.Scope].Per, r.Priority, r.Mode, durationText(r.Cooldown), cost[i].Bytes, cost[i].Shared)
		if r.Limit != nil {
			fmt.Fprintf(&b, "  limit: %q %d in %s\n", r.Limit.Pool, r.Limit.N, durationText(r.Limit.Window))
		}
		fmt.Fprintf(&b, "  when: %s\n", usesText(p, r.When.Uses))
		if r.Unless != nil {
			fmt.Fprintf(&b, "  unless: %s\n", usesText(p, r.Unless.Uses))
		}
		for _, a := range r.Actions {
			fmt.Fprintf(&b, "  %s: %s\n", a.Kind, usesText(p, a.Uses))
		}
	}
	return b.String()
}

func fieldNames(p *Plan, slots []int) string {
	var names []string
	for _, s := range slots {
		names = append(names, p.names.Text(p.Fields[s]))
	}
	return "[" + strings.Join(names, " ") + "]"
}

// compileCond is the condition of a rule.
func compileCond(t testing.TB, condition string) Cond {
	t.Helper()
	return compileRule(t, "{per: visitor, when: "+condition+`, then: popup("x")}`, nudge.NewNames()).Rules[0].When
}
