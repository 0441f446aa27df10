package oracle

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// script is one hand-computed case. cites is the sentence of the language's definition that it checks.
type script struct {
	cites  string
	rules  string // "id: text" paragraphs, see parseRules
	events string // one per line: "TS TYPE NAME=VALUE …"; TS may be "-"; "at" and "email" are names like any other
	opts   Options
	want   string // one per line: "RULE KEY AT CAUSE [shadow] [suppressed] [data]"; a fired's cause is "fired:RULE"
	err    string // part of the error, "" for none
}

// rulesOf reads paragraphs "id: entries"; "then" is alert("x") and per is visitor where the entries do not say.
func rulesOf(text string) (rules []Rule) {
	for _, line := range nonEmpty(text) {
		id, body, _ := strings.Cut(line, ": ")
		lets, entries := "", body
		if i := strings.LastIndex(body, ";"); i >= 0 {
			lets, entries = body[:i+1], body[i+1:]
		}
		if !strings.Contains(entries, "then:") {
			entries += `, then: alert("x")`
		}
		if !strings.Contains(entries, "per:") {
			entries += `, per: visitor`
		}
		rules = append(rules, Rule{ID: id, Text: lets + "{" + entries + "}"})
	}
	return rules
}

func linesOf(text string) (lines []string) {
	for _, line := range nonEmpty(text) {
		if strings.HasPrefix(line, "{") {
			lines = append(lines, line)
			continue
		}
		words := strings.Fields(line)
		parts := []string{`"type":` + strconv.Quote(words[1])}
		if words[0] != "-" {
			parts = append(parts, `"ts":`+words[0])
		}
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			if !json.Valid([]byte(value)) {
				value = strconv.Quote(value)
			}
			parts = append(parts, strconv.Quote(name)+":"+value)
		}
		lines = append(lines, "{"+strings.Join(parts, ",")+"}")
	}
	return lines
}

func nonEmpty(text string) (lines []string) {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// brief is an output line in the form of script.want.
func brief(t *testing.T, line string, ruleOf map[string]string) string {
	t.Helper()
	var f struct {
		Rule, Key, Cause, ID, Mode, Suppressed string
		At                                     int64
		Actions                                []map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	ruleOf["fired:"+f.ID] = "fired:" + f.Rule
	if by, ok := ruleOf[f.Cause]; ok {
		f.Cause = by
	}
	out := fmt.Sprintf("%s %s %d %s", f.Rule, f.Key, f.At, f.Cause)
	for _, s := range []string{f.Mode, f.Suppressed} {
		if s != "" {
			out += " " + s
		}
	}
	for _, a := range f.Actions {
		if data := string(a["data"]); data != "{}" {
			out += " " + data
		}
	}
	return out
}

func runScripts(t *testing.T, scripts []script) {
	for i, s := range scripts {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			out, err := Run(rulesOf(s.rules), linesOf(s.events), s.opts)
			if s.err == "" && err != nil || s.err != "" && (err == nil || !strings.Contains(err.Error(), s.err)) {
				t.Fatalf("%s\nerror %v, want %q", s.cites, err, s.err)
			}
			var got []string
			ruleOf := map[string]string{}
			for _, line := range out {
				got = append(got, brief(t, line, ruleOf))
			}
			if diff := cmp.Diff(nonEmpty(s.want), got); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", s.cites, diff)
			}
		})
	}
}
