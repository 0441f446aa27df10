package engine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"nudge"
	"nudge/internal/oracle"
)

// The scripts under testdata. Their commands:
//
//	rules            a rule a line, "ID: ENTRIES"; per is user and then is alert("x") where the entries do not say
//	events [drain]   an event a line, "TS TYPE NAME=VALUE …", given to those rules and an empty engine: what fires, a line
//	                 "RULE KEY AT CAUSE [suppressed] [to=VISITOR, of a popup] [data]" each; of a cause that is a firing only "fired".
//	                 A line "TS erase visitor=ID" or "TS erase user=ID" erases a person
//
// Every list of events also runs in one batch, on more shards, with a restart before each record, with checkpoints that are taken
// while records come, and with names spelled out in the records, and must fire the same each time.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var set []oracle.Rule
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "rules":
				set = scriptRules(d.Input)
				return ""
			case "events":
				return scriptFirings(t, set, scriptLines(d.Input), d.HasArg("drain"))
			}
			return "there is no command " + d.Cmd
		})
	})
}

func scriptRules(input string) (set []oracle.Rule) {
	for line := range strings.Lines(input) {
		id, entries, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.Contains(entries, "per:") {
			entries += ", per: user"
		}
		if !strings.Contains(entries, "then:") {
			entries += `, then: alert("x")`
		}
		set = append(set, oracle.Rule{ID: id, Text: "{" + entries + "}"})
	}
	return set
}

func scriptLines(input string) (lines []string) {
	for line := range strings.Lines(input) {
		words := strings.Fields(line)
		if words[1] == "erase" {
			kind, id, _ := strings.Cut(words[2], "=")
			lines = append(lines, fmt.Sprintf(`{"erase":%q,"key":%q,"ts":%s}`, kind, id, words[0]))
			continue
		}
		parts := []string{`"ts":` + words[0], `"type":` + strconv.Quote(words[1])}
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

// scriptFirings is what fires, in every way of running the lines.
func scriptFirings(t *testing.T, set []oracle.Rule, lines []string, drain bool) string {
	t.Helper()
	s := newStream(t, set, lines, oracle.Options{})
	firings := s.firings(t, run{shards: 1, batch: 1, drain: drain})
	var everywhere []int
	for i := 1; i < len(lines); i++ {
		everywhere = append(everywhere, i)
	}
	for _, v := range []run{
		{shards: 1, batch: len(lines), drain: drain},
		{shards: 8, batch: len(lines), drain: drain},
		{shards: 2, batch: 1, drain: drain, slow: true},
		{shards: 3, batch: 1, drain: drain, restarts: everywhere},
	} {
		if got, want := text(s.firings(t, v)), text(firings); got != want {
			t.Fatalf("%v differs from one shard and single records\n%s", v, difference(got, want))
		}
	}
	if got, want := text(s.spelledOut().firings(t, run{shards: 2, batch: 7, drain: drain})), text(firings); got != want {
		t.Fatalf("with names spelled out in the records\n%s", difference(got, want))
	}
	var out strings.Builder
	for i := range firings {
		out.WriteString(briefly(&firings[i]) + "\n")
	}
	return out.String()
}

// briefly is a firing as the scripts write it.
func briefly(f *nudge.Firing) string {
	cause, _, _ := strings.Cut(f.Cause, ":")
	if cause != "fired" {
		cause = f.Cause
	}
	words := []string{f.Rule, f.Key, strconv.FormatInt(int64(f.At), 10), cause}
	if f.Suppressed != "" {
		words = append(words, f.Suppressed)
	}
	for _, a := range f.Actions {
		if a.Kind == nudge.ActionPopup {
			words = append(words, "to="+f.Visitor)
		}
		if data := string(a.Data); data != "{}" && data != "" {
			words = append(words, data)
		}
	}
	return strings.Join(words, " ")
}
