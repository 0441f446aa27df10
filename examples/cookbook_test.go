package examples

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"nudge"
	"nudge/internal/fixture"
	"nudge/rules"
)

const cookbook = "cookbook"

// cookbookPage lists the rules of the cookbook.
const cookbookPage = "../docs/COOKBOOK.md"

func readCookbook(t *testing.T) []rules.Source {
	t.Helper()
	sources, err := rules.ReadFolder(cookbook)
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// The cookbook compiles as a whole and without a remark, and every rule says first what it is for, and who looks after it.
func TestCookbookCompiles(t *testing.T) {
	sources := readCookbook(t)
	plan, remarks := rules.Compile(sources, rules.Options{Names: nudge.NewNames()})
	if plan == nil || remarks != nil {
		t.Fatal(remarks.Text())
	}
	if len(plan.Rules) < 40 {
		t.Errorf("only %d rules were found", len(plan.Rules))
	}
	for _, s := range sources {
		if !strings.HasPrefix(s.Text, "// ") {
			t.Errorf("%s does not begin with what it is for", s.File)
		}
	}
	for _, r := range plan.Rules {
		if r.Title == "" || r.Owner == "" || len(r.Tags) == 0 {
			t.Errorf("%s lacks its title, owner or tags", r.ID)
		}
	}
}

// Every rule of the cookbook has a test of its own, the tests pass, and no part of a condition is left that none of them has proved.
func TestCookbookTests(t *testing.T) {
	texts, err := fixture.ReadFolder(cookbook)
	if err != nil {
		t.Fatal(err)
	}
	report := runCookbook(t, readCookbook(t), texts)
	var out strings.Builder
	if err := report.Text(&out, false); err != nil {
		t.Fatal(err)
	}
	if !report.OK || len(report.Untested) > 0 || len(report.Gaps) > 0 {
		t.Errorf("%srules without tests: %v", out.String(), report.Untested)
	}
}

func runCookbook(t *testing.T, sources []rules.Source, texts []fixture.Text) *fixture.Report {
	t.Helper()
	report, err := fixture.RunFolder(sources, texts, fixture.Options{
		Names: nudge.NewNames(), Zone: time.UTC, Lateness: nudge.Millis(time.Hour.Milliseconds()), Shards: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

var (
	listed = regexp.MustCompile(`(?m)^\| \[([a-z0-9-]+)\]\(\.\./examples/cookbook/([a-z0-9-]+)\.expr\) \| [^|]+ \| ([^|]+) \|$`)
	code   = regexp.MustCompile("`([^`]+)`")
)

// The page lists every rule of the cookbook once, and no other, and what it says a rule shows stands in the rule.
func TestCookbookPage(t *testing.T) {
	page, err := os.ReadFile(cookbookPage)
	if err != nil {
		t.Fatal(err)
	}
	shows := map[string]string{}
	for _, m := range listed.FindAllStringSubmatch(string(page), -1) {
		if m[1] != m[2] {
			t.Errorf("%s leads to %s", m[1], m[2])
		}
		if shows[m[1]] != "" {
			t.Errorf("%s is listed twice", m[1])
		}
		shows[m[1]] = m[3]
	}
	for _, s := range readCookbook(t) {
		id, _ := strings.CutSuffix(s.File, ".expr")
		if (shows[id] == "") != (id == "catalog") {
			t.Errorf("is %s listed? It shows %q", id, shows[id])
		}
		text := strings.Join(strings.Fields(s.Text), " ")
		for _, m := range code.FindAllStringSubmatch(shows[id], -1) {
			if !strings.Contains(text, m[1]) {
				t.Errorf("%s does not show %s", id, m[1])
			}
		}
		delete(shows, id)
	}
	for id := range shows {
		t.Errorf("there is no rule %s", id)
	}
}
