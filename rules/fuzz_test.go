package rules

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nudge"
)

// scriptTexts are the files of all scripts under testdata, as seeds.
func scriptTexts(t testing.TB) []string {
	paths, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the fuzzer's own folder
		}
		for _, block := range strings.Split(string(b), "----") {
			_, input, _ := strings.Cut(strings.TrimSpace(block), "\n")
			for _, s := range scriptSources(input) {
				out = append(out, s.Text)
			}
		}
	}
	return out
}

// Whatever text is given, Compile returns; its remarks stand inside the file; a plan it gives can be used; and the same text gives the same.
func FuzzCompile(f *testing.F) {
	for _, s := range scriptTexts(f) {
		f.Add(s)
	}
	for _, s := range []string{"{per:visitor,when:on(click),then:alert('x')}", strings.Repeat("(", 70), strings.Repeat("!", 70), "let a=click;{per:path??host,when:on(a)}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sources := []Source{{File: "rule.expr", Text: text}}
		plan, ds := Compile(sources, Options{Names: nudge.NewNames(), Parts: true})
		lines := strings.Split(text, "\n")
		for _, d := range ds {
			if d.Line > len(lines) || d.Line > 0 && (d.Col < 1 || d.Col > len([]rune(lines[d.Line-1]))+1) {
				t.Fatalf("place out of the file: %+v", d)
			}
			if d.Message == "" || d.File != "rule.expr" || d.Code == "" || d.Line > 0 && d.EndCol <= d.Col {
				t.Fatalf("%+v", d)
			}
			if d.Source != "" && strings.Count(caretLine(d.Source, d.Col, d.EndCol), "^") != 1 {
				t.Fatalf("no mark below %+v", d)
			}
		}
		if (plan == nil) != ds.HasErrors() {
			t.Fatalf("plan %v with %s", plan, ds.Text())
		}
		for _, form := range [][]byte{ds.JSON(), ds.SARIF("a b", "")} {
			if !json.Valid(form) {
				t.Fatalf("not JSON: %s", form)
			}
		}
		if n := strings.Count(ds.GitHub("."), "\n"); n != len(ds) {
			t.Fatalf("%d lines for %d remarks", n, len(ds))
		}
		if plan == nil {
			return
		}
		again, _ := Compile(sources, Options{Names: nudge.NewNames()})
		if diff := cmp.Diff(planText(plan), planText(again)); diff != "" {
			t.Fatalf("two plans of one text:\n%s", diff)
		}
		exercise(t, plan)
	})
}

// exercise runs everything of a plan once.
func exercise(t *testing.T, p *Plan) {
	var row Row
	for _, line := range []string{`page_view path="/a" form="x"`, `fired rule="a"`, `click amount=1 flag=true`, `x`} {
		p.Read(scriptRecord(t, p.names, line), scriptAt, &row)
		got := p.Match(&row, nil)
		var want []int32
		for i := range p.Tests {
			if wholeTest(p, i)(&row) == True {
				want = append(want, int32(i))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: index %v, scan %v", line, got, want)
		}
		for _, s := range p.Scopes {
			if s.Key != nil {
				s.Key(&row)
			}
		}
		for _, op := range p.Ops {
			if op.Value != nil {
				op.Value(&row)
			}
		}
		for _, r := range p.Rules {
			holdTogether(t, &r.When, r.Parts)
			if r.Unless != nil {
				holdTogether(t, r.Unless, r.UnlessParts)
			}
			for _, a := range r.Actions {
				a.Render(nil, &row, make([]Reading, len(a.Uses)))
			}
		}
	}
}

// holdTogether holds the parts of a condition to the whole of it.
func holdTogether(t *testing.T, c *Cond, parts *Parts) {
	readings := make([]Reading, len(c.Uses))
	whole := c.Eval(readings)
	if parts == nil {
		return
	}
	truths := make([]bool, len(parts.Leaves))
	for i := range parts.Leaves {
		truths[i] = parts.Leaves[i].Eval(readings)
	}
	if parts.Join(truths) != whole {
		t.Fatalf("the condition is %v, its parts together are not: %v of %+v", whole, truths, parts.Leaves)
	}
}

func FuzzDecodeSources(f *testing.F) {
	f.Add("nudge-rules 1\n")
	f.Add(EncodeSources([]Source{{"b.expr", "{}\n"}, {"a.expr", ""}}))
	f.Add("nudge-rules 1\nfile a.expr 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		sources, err := DecodeSources(text)
		if err != nil {
			return
		}
		if again := EncodeSources(sources); again != text {
			t.Fatalf("%q decodes, but encodes as %q", text, again)
		}
	})
}

// Whatever a line is, the mark below it is one, and what is meant lies within the line.
func FuzzCaret(f *testing.F) {
	f.Add("\twhen: count(\"演示\", ", 8)
	f.Add("a\u0301(", 1)
	f.Fuzz(func(t *testing.T, line string, col int) {
		n := len([]rune(line))
		if strings.ContainsAny(line, "\n") || col < 1 || col > n+1 {
			return
		}
		end := extent(line, col)
		if end <= col || end > n+2 {
			t.Fatalf("%q: from %d to %d", line, col, end)
		}
		if strings.Count(caretLine(line, col, end), "^") != 1 {
			t.Fatalf("%q: %q", line, caretLine(line, col, end))
		}
	})
}
