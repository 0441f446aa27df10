package engine

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// TestEditsKeepState edits rules in the middle of a stream so that no operator lacks a past: other entries, the condition of another rule, smaller numbers, shorter
// windows. What fires must be what the oracle says, for which the rules as they were rise up to there, and those that they became behind it, over the
// same past.
func TestEditsKeepState(t *testing.T) {
	t.Parallel()
	ran, differ := 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		features := []oracle.Features{0, oracle.FeatureForms, oracle.AllFeatures, oracle.AllFeatures | oracle.FeatureForms}[seed%4]
		before, lines := oracle.GenerateWith(seed, streamLength, features)
		o, r := oracle.RandomOptions(seed), rand.New(rand.NewPCG(seed, 29))
		o.Drain = true
		s, after, at := newStream(t, before, lines, o), editEntries(r, before), 1+r.IntN(streamLength-1)
		plan := s.editedPlan(after)
		if plan == nil {
			continue
		}
		place := oracle.Place{Line: nudge.Offset(at), At: s.records[at-1].at}
		want := oracled(t, append(until(before, place), from(after, place)...), lines, o)
		for _, v := range []run{{shards: 1, batch: 1}, {shards: 3, batch: 7, slow: true}, {shards: 2, batch: 64}} {
			if got := s.printedOf(s.deployed(t, v, []*rules.Plan{plan}, []int{at}), o); got != want {
				t.Fatalf("%v, edited before line %d (got the engine, want the oracle)\n%s\n%s\nafter:\n%s", v, at+1, difference(got, want),
					repeat(t, seed, before, lines), oracle.Format(after, nil))
			}
		}
		ran++
		if oracled(t, before, lines, o) != want {
			differ++
		}
	}
	t.Logf("%d of %d seeds edited, %d of them fire otherwise than without", ran, *seeds, differ)
	if ran*2 < *seeds || differ*4 < *seeds {
		t.Errorf("%d of %d seeds edited, and %d of them fire otherwise than without: the edits test nothing", ran, *seeds, differ)
	}
}

func until(set []oracle.Rule, place oracle.Place) (out []oracle.Rule) {
	for _, x := range set {
		x.Until = place
		out = append(out, x)
	}
	return out
}

func from(set []oracle.Rule, place oracle.Place) (out []oracle.Rule) {
	for _, x := range set {
		x.From = place
		out = append(out, x)
	}
	return out
}

// printedOf is what a replay prints of firings.
func (s *stream) printedOf(all []nudge.Firing, o oracle.Options) string {
	var b []byte
	for _, f := range all {
		if f.Suppressed == "" || o.Suppressed {
			b = append(f.AppendJSON(b), '\n')
		}
	}
	return string(b)
}

// editedPlan is the plan of edited rules, nil where they do not compile, or ask for more than those of the stream.
func (s *stream) editedPlan(set []oracle.Rule) *rules.Plan {
	var sources []rules.Source
	for _, x := range set {
		sources = append(sources, rules.Source{File: x.ID + ".expr", Text: x.Text})
	}
	plan, _ := rules.Compile(sources, rules.Options{Names: s.names, Location: s.options.Location})
	if plan == nil {
		return nil
	}
	had := sizesOf(s.plan)
	for text, is := range sizesOf(plan) {
		if was, known := had[text]; !known || is.Keep > was.Keep || is.Window > was.Window || is.Slots > was.Slots {
			return nil
		}
	}
	return plan
}

// sizesOf are what the operators of a plan's rules keep.
func sizesOf(p *rules.Plan) map[string]size {
	sizes := map[string]size{}
	for i := range p.Rules {
		eachUse(&p.Rules[i], func(u *rules.Use) {
			op := &p.Ops[u.Op]
			sizes[p.Scopes[op.Scope].Per+" "+opName[op.Kind]+" "+op.Text] = size{op.Keep, op.Window, len(op.Slots)}
		})
	}
	return sizes
}

// editEntries edits rules, and takes some away.
func editEntries(r *rand.Rand, set []oracle.Rule) (out []oracle.Rule) {
	all := make([][]string, len(set))
	for i, x := range set {
		all[i] = entriesOf(x.Text)
	}
	for i, x := range set {
		if r.IntN(8) == 0 {
			continue
		}
		entries := slices.Clone(all[i])
		for range 1 + r.IntN(3) {
			entries = editEntry(r, entries, all)
		}
		text, lets := strings.Join(entries, ", "), ""
		if strings.Contains(text, "shop") {
			lets = `let shop = page_view and path startsWith "/p"; `
		}
		out = append(out, oracle.Rule{ID: x.ID, Text: lets + "{" + text + "}"})
	}
	return out
}

// entriesOf are the entries of a rule's map, per, when and then first.
func entriesOf(text string) (entries []string) {
	text = text[strings.Index(text, "{per:")+1 : len(text)-1]
	depth, from, quote := 0, 0, byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '`':
			quote = c
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		case c == ',' && depth == 0:
			entries, from = append(entries, strings.TrimSpace(text[from:i])), i+1
		}
	}
	return append(entries, strings.TrimSpace(text[from:]))
}

var (
	smaller = regexp.MustCompile(`((?:>=?|<=?|==|!=) )(\d)(\b)`)
	shorter = regexp.MustCompile(`((?:count|distinct|happened|sum|avg|min|max|first)\([^()]*, ")(\d+)((?:ms|s|m|h|d)"\))`)
)

// editEntry makes one edit that asks no more of any operator than the rules together do.
func editEntry(r *rand.Rand, entries []string, all [][]string) []string {
	other := all[r.IntN(len(all))]
	switch r.IntN(9) {
	case 0:
		return without(entries, "cooldown: ")
	case 1:
		return append(without(entries, "priority: "), "priority: "+strconv.Itoa(r.IntN(5)-2))
	case 2:
		return append(without(entries, "mode: "), "mode: "+[]string{`"live"`, `"shadow"`, `"paused"`}[r.IntN(3)])
	case 3:
		return without(entries, "unless: ")
	case 4:
		entries[2] = `then: alert("edited")`
	case 5:
		if other[0] == entries[0] {
			entries[1] = other[1]
		}
	case 6:
		entries[1] = fewer(smaller, entries[1], func(n int) int { return max(n-1, 0) })
	case 7:
		entries[1] = fewer(shorter, entries[1], func(n int) int { return max(n/2, 1) })
	case 8:
		entries = without(entries, "limit: ")
		if i := slices.IndexFunc(other, isEntry("limit: ")); i >= 0 && other[0] == entries[0] {
			entries = append(entries, other[i])
		}
	}
	return entries
}

func isEntry(name string) func(string) bool {
	return func(entry string) bool { return strings.HasPrefix(entry, name) }
}

func without(entries []string, name string) []string {
	return slices.DeleteFunc(entries, isEntry(name))
}

// fewer makes the numbers that a pattern finds, the second of its three groups, smaller.
func fewer(pattern *regexp.Regexp, text string, f func(int) int) string {
	return pattern.ReplaceAllStringFunc(text, func(found string) string {
		m := pattern.FindStringSubmatch(found)
		n, err := strconv.Atoi(m[2])
		if err != nil {
			panic(err) // the pattern wants digits
		}
		return m[1] + strconv.Itoa(f(n)) + m[3]
	})
}
