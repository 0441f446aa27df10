package sim

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// ruleSet is the rules that somebody wants to run: those that are there from the first deployment on, and those that come and go.
type ruleSet struct {
	base []oracle.Rule
	late []oracle.Rule          // wanted now
	made map[string]oracle.Rule // by id: every late one that there ever was
}

// fixed are rules with short windows on every level, so that timers run and firings travel while the processes live.
var fixed = []oracle.Rule{
	{ID: "help", Text: `{per: visitor, when: dwell(form_view, "2s", until(form_submit)), then: popup("help", {form: form})}`},
	{ID: "hello", Text: `{per: visitor, when: count(page_view, "10s") >= 2, then: [popup("hello", {p: path}), popup("again", {n: n})]}`},
	{ID: "people", Text: `{per: company, when: distinct(page_view, visitor, "10s") >= 2, then: alert("people", {who: values(page_view, visitor, "1m")})}`},
	{ID: "chain", Text: `{per: user, when: count(fired and rule == "help", "1m") >= 2, then: alert("chain", {}), cooldown: "5s"}`},
	{ID: "up", Text: `{per: company, when: on(fired and rule == "chain"), then: alert("up", {})}`},
}

// counted are rules by which each event that has an id of its own can be found in the feed: the first fires when it is applied, the second if it
// is applied again. Counting takes late events, too.
var counted = []oracle.Rule{
	{ID: once, Text: `{per: id, when: count(has(u), "ever") >= 1, then: alert("once", {u: u})}`},
	{ID: twice, Text: `{per: id, when: count(has(u), "ever") >= 2, then: alert("twice", {u: u})}`},
}

const (
	once  = "once"
	twice = "twice"
)

func (w *world) makeRules(generated []oracle.Rule) {
	w.rules = ruleSet{base: generated, made: map[string]oracle.Rule{}}
	w.rules.base = append(w.rules.base, counted...)
	if w.erases {
		w.rules.base = append(w.rules.base, oracle.PersonRules(w.seed)...)
	}
	if w.fixed {
		w.rules.base = append(w.rules.base, fixed...)
	}
}

// change adds a late rule or takes one away.
func (s *ruleSet) change(r *rand.Rand) {
	if len(s.late) > 0 && r.IntN(3) == 0 {
		i := r.IntN(len(s.late))
		s.late = slices.Delete(slices.Clone(s.late), i, i+1)
		return
	}
	rule := lateRule(len(s.made)+1, r)
	s.made[rule.ID] = rule
	s.late = append(s.late, rule)
}

// lateRule makes a rule whose operators nobody had before: each of its tests names its number. So it is known from the log alone that it warms where
// there were events before its deployment.
func lateRule(n int, r *rand.Rand) oracle.Rule {
	test := func(of string) string { return fmt.Sprintf("%s and (n ?? 0) != %d", of, 1000+n) }
	view, form, done := test("page_view"), test("form_view"), test("form_submit")
	window := pick(r, `"1s"`, `"2500ms"`, `"10s"`, `"1m"`)
	when := pick(r,
		fmt.Sprintf("count(%s, %s) >= 2", view, window),
		fmt.Sprintf("count(%s, %s) == 3", view, window),
		fmt.Sprintf("distinct(%s, path, %s) >= 2", view, window),
		fmt.Sprintf("first(%s, %s)", view, window),
		fmt.Sprintf("sum(%s, n, %s) > 2", view, window),
		fmt.Sprintf("absent(%s, %s, after(%s))", done, window, form),
		fmt.Sprintf("dwell(%s, %s, until(%s))", form, window, view),
		fmt.Sprintf("sequence(%s, %s, %s)", view, form, window),
		fmt.Sprintf("score({(%s): 2, (%s): 1}, half_life(%s)) >= 3", view, form, window),
		fmt.Sprintf("last(%s, path) == \"/a\"", view),
		fmt.Sprintf("on(%s) and count(%s, \"ever\") >= 3", form, view),
	)
	per := pick(r, "visitor", "visitor", "user", "company")
	return oracle.Rule{ID: fmt.Sprint("late-", n), Text: fmt.Sprintf(`{per: %s, when: %s, then: alert("late", {p: path, c: count(%s, %s)})}`, per, when, view, window)}
}

// sources are the files of the rules that are wanted now.
func (s *ruleSet) sources() (files []rules.Source) {
	for _, r := range slices.Concat(s.base, s.late) {
		files = append(files, rules.Source{File: r.ID + ".expr", Text: r.Text})
	}
	return files
}

func ruleID(file string) string { return strings.TrimSuffix(file, ".expr") }

// never is a place that no line and no timer reaches.
var never = oracle.Place{Line: math.MaxUint64, At: math.MaxInt64}

// placed are all rules that ever ran, each with the places between which it could rise: from its deployment, or where it had to warm from its
// live record, to the deployment without it.
func (w *world) placed() (set []oracle.Rule) {
	rules := map[string]*oracle.Rule{}
	var running, cold []string
	var deployed nudge.Offset
	events := 0
	for i, f := range w.ledger.facts {
		here := oracle.Place{Line: nudge.Offset(i + 1), At: f.at}
		switch f.kind {
		case nudge.RecordEvent:
			events++
		case nudge.RecordDeploy:
			deployed = here.Line
			for _, id := range without(f.rules, running) {
				r := w.ruleOf(id)
				if events > 0 {
					r.From = never
					cold = append(cold, id)
				}
				rules[id] = &r
			}
			for _, id := range without(running, f.rules) {
				rules[id].Until = here
				cold = without(cold, []string{id})
			}
			running = f.rules
		case nudge.RecordLive:
			if f.goLive != deployed {
				continue // another deployment came before it
			}
			for _, id := range cold {
				rules[id].From = here
			}
			cold = nil
		}
	}
	for _, r := range slices.Concat(w.rules.base, w.rules.everLate()) {
		if placed := rules[r.ID]; placed != nil {
			set = append(set, *placed)
		}
	}
	return set
}

func (w *world) ruleOf(id string) oracle.Rule {
	for _, r := range w.rules.base {
		if r.ID == id {
			return r
		}
	}
	return w.rules.made[id]
}

// everLate are the late rules that there ever were, in the order of their ids.
func (s *ruleSet) everLate() (all []oracle.Rule) {
	for _, r := range s.made {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b oracle.Rule) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// without are the elements of a that are not in b.
func without(a, b []string) (left []string) {
	for _, id := range a {
		if !slices.Contains(b, id) {
			left = append(left, id)
		}
	}
	return left
}

// deploymentOf is the offset of the deployment whose rules a live record releases.
func deploymentOf(rec nudge.Record) (nudge.Offset, error) {
	var live struct {
		Deploy nudge.Offset `json:"deploy"`
	}
	err := json.Unmarshal([]byte(rec.Field(nudge.NameSettings).Text), &live)
	return live.Deploy, err
}
