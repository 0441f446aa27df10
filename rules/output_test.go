package rules

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"nudge"
)

// The mark stands below what is meant, whatever stands before it and in it.
func TestCaretLine(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`when: >on(click), x`, `      ^~~~~~~~~`},
		{`when: >count(path == ")", "7d") >= 3`, `      ^~~~~~~~~~~~~~~~~~~~~~~~`},
		{`when: >count(click,`, `      ^~~~~`},
		{`on(>card.brand == "visa")`, `   ^~~~~~~~~~`},
		{`on(>product-id == 5)`, `   ^~~~~~~~~~`},
		{`on(a >- b)`, `     ^`},
		{`on(form >== "demo")`, `        ^~`},
		{`on(form == >"de\"mo" )`, `           ^~~~~~~~`},
		{`on(form == >'it is' )`, `           ^~~~~~~`},
		{`on(form == >"demo)`, `           ^~~~~~`},
		{`matches >` + "`^/\\d`)", `        ^~~~~~`},
		{`n > >1.5e3 `, `    ^~~~~`},
		{`>{per: visitor}`, `^`},
		{"\twhen:\t>on(x)", "\t     \t^~~~~"},
		{`form == "演示" and >click`, "         　　      ^~~~~"},
		{`form == >"演示" and click`, "        ^~~~~~"},
		{`>演示 == 1`, "^~~~"},
		{`e == "é" and >x`, "             ^"}, // a letter and a mark above it
		{`{per: visitor>`, `             ^`},
	} {
		before, after, _ := strings.Cut(c.line, ">")
		if strings.Count(c.line, ">") > 1 && strings.HasPrefix(c.line, "n ") { // the first is a sign of the rule
			i := strings.LastIndex(c.line, ">")
			before, after = c.line[:i], c.line[i+1:]
		}
		line, col := before+after, len([]rune(before))+1
		if got := caretLine(line, col, extent(line, col)); got != c.want {
			t.Errorf("%s\n%s, want\n%s", line, got, c.want)
		}
	}
}

// The output of --format sarif has what the schema of SARIF 2.1.0 asks for, and indices that fit.
func TestSARIFShape(t *testing.T) {
	sources := scriptSources("-- a.expr --\n{per: visitor, when: on(clickk), then: popup(\"x\")}\n-- b c.expr --\n{}\n-- d.expr --\n{per: visitor, when: on(click) and count(click, \"1d\") >= 0, then: alert(\"x\")}")
	_, ds := Compile(sources, Options{Names: nudge.NewNames()})
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID                   string
						ShortDescription     struct{ Text string }
						HelpURI              string
						DefaultConfiguration struct{ Level string }
					}
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn, EndColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(ds.SARIF("my rules", "https://docs.example/errors.md"), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name == "" || len(log.Runs[0].Results) != len(ds) {
		t.Fatalf("%+v", log)
	}
	rules := log.Runs[0].Tool.Driver.Rules
	for i, r := range log.Runs[0].Results {
		rule := rules[r.RuleIndex]
		place := r.Locations[0].PhysicalLocation
		switch u, err := url.Parse(place.ArtifactLocation.URI); {
		case r.RuleID != ds[i].Code || rule.ID != r.RuleID || r.Level != rule.DefaultConfiguration.Level || r.Message.Text == "":
			t.Errorf("%+v of %+v", r, rule)
		case err != nil || u.Path != "my rules/"+ds[i].File:
			t.Errorf("%q: %v", place.ArtifactLocation.URI, err)
		case place.Region.StartLine < 1 || place.Region.StartColumn < 1 || place.Region.EndColumn <= place.Region.StartColumn:
			t.Errorf("%+v", place.Region)
		case rule.HelpURI != "https://docs.example/errors.md#"+strings.ToLower(rule.ID) || rule.ShortDescription.Text == "":
			t.Errorf("%+v", rule)
		}
	}
	levels := []string{}
	for _, r := range log.Runs[0].Results {
		levels = append(levels, r.Level)
	}
	if !slices.Contains(levels, "warning") || !slices.Contains(levels, "error") {
		t.Error(levels)
	}
	if empty := string(Diagnostics(nil).SARIF("", "")); !strings.Contains(empty, `"results": []`) || !strings.Contains(empty, `"rules": []`) {
		t.Error(empty)
	}
}

// What a file holds does nothing to the terminal that shows a remark about it, and the mark stands below what it means.
func TestRemarksAreVisible(t *testing.T) {
	text := "{\tper: visitor,\r when: on(title == \"\x1b[31m\x7f\u202ea\" and page_veiw), then: popup(\"x\")}"
	_, ds := Compile([]Source{{"rule.expr", text}}, Options{Names: nudge.NewNames()})
	want := "    {\tper: visitor,␍ when: on(title == \"␛[31m␦␦a\" and page_veiw), then: popup(\"x\")}\n" +
		"     \t" + strings.Repeat(" ", 48) + "^~~~~~~~~\n"
	if got := ds.Text(); !strings.Contains(got, want) {
		t.Errorf("%q, want in it\n%q", got, want)
	}
	named := Diagnostics{{File: "a\x1b.expr", Line: 1, Col: 1, Code: "E1", Message: "`a\nb\x07`", Suggestion: "\u009bx"}}
	if got := named.Text(); got != "a␛.expr:1:1: E1: `a␊b␇`\n    fix: ␦x\n" {
		t.Errorf("%q", got)
	}
}
