package engine

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// operatorsCatalog names the events of the operators' cases.
const operatorsCatalog = `{a: {n: "number", s: "text"}, b: {n: "number", s: "text"}, c: {n: "number"}, x: {}}`

// operatorCase is some rules, events and what they fire, computed by hand.
type operatorCase struct {
	name   string
	rules  string // "id: entries" each line; per is visitor and then is alert("x") where it does not say
	events string // "TS TYPE NAME=VALUE …" each line; the visitor is v where it does not say
	want   string // "RULE AT CAUSE [suppressed or shadow] [data]" each line
	drain  bool
}

var operatorCases = []operatorCase{
	{
		name:   "a sum is compared at each event, and rises again after it has fallen in silence",
		rules:  `r: when: sum(a, n, "10ms") >= 5, then: alert("x", {n: sum(a, n, "10ms"), avg: avg(a, n, "10ms"), min: min(a, n, "10ms"), max: max(a, n, "10ms")})`,
		events: "1 a n=2\n2 a n=0.1\n3 a n=2.9\n4 a n=1\n30 a n=5",
		want:   "r 3 line:3 {\"n\":5,\"avg\":1.6666666666666667,\"min\":0.1,\"max\":2.9}\nr 30 line:5 {\"n\":5,\"avg\":5,\"min\":5,\"max\":5}",
	},
	{
		name:   "what leaves the window can make a comparison true",
		rules:  `low: when: sum(a, n, "10ms") < 3 and sum(a, n, "20ms") > 0` + "\n" + `least: when: min(a, n, "10ms") >= 2`,
		events: "1 a n=1\n3 a n=2\n4 a n=3",
		// low is true from 1 on, false at 3 and 4, where the sum is 3 and 6, and true at 14, where nothing is left.
		want:  "low 1 line:1\nleast 11 timer\nlow 14 timer",
		drain: true,
	},
	{
		name:   "a negative number that leaves makes the sum larger",
		rules:  `r: when: sum(a, n, "10ms") >= 3`,
		events: "1 a n=-1\n2 a n=3",
		want:   "r 11 timer",
		drain:  true,
	},
	{
		name:   "of nothing there is no average, and the sum is 0",
		rules:  `avg: when: on(x) and avg(a, n, "10ms") < 100` + "\n" + `not: when: on(x) and not (avg(a, n, "10ms") < 100)` + "\n" + `sum: when: on(x) and sum(a, n, "10ms") == 0`,
		events: "1 x\n2 a n=text\n3 x\n4 a n=7\n5 x\n14 x",
		want:   "not 1 line:1\nsum 1 line:1\nnot 3 line:3\nsum 3 line:3\navg 5 line:5\nnot 14 line:6\nsum 14 line:6",
	},
	{
		name: "pauses of several lengths before one event",
		rules: `long: when: first(a, "100ms")` + "\n" + `short: when: first(a, "10ms")` + "\n" +
			`two: when: first(a, "10ms") and count(a, "ever") < 4 or first(a, "5ms")`,
		events: "1 a\n8 a\n10 a\n20 a\n200 a",
		// The pauses are none, 7, 2, 10 and 180.
		want: "long 1 line:1\nshort 1 line:1\ntwo 1 line:1\ntwo 8 line:2\nshort 20 line:4\ntwo 20 line:4\nlong 200 line:5\nshort 200 line:5\ntwo 200 line:5",
	},
	{
		name:   "ever",
		rules:  `r: when: sum(a, n, "ever") >= 5, then: alert("x", {n: sum(a, n, "ever"), avg: avg(a, n, "ever"), min: min(a, n, "ever"), max: max(a, n, "ever")})`,
		events: "1 a n=1000000000000\n2 a n=-999999999999\n3 a n=1e13\n4 a n=3\n100000 a n=1",
		// Numbers beyond 10¹² count as missing. True from 1 on, false at 2, where the sum is 1, and true at 100000.
		want: "r 1 line:1 {\"n\":1000000000000,\"avg\":1000000000000,\"min\":1000000000000,\"max\":1000000000000}\n" +
			"r 100000 line:5 {\"n\":5,\"avg\":1.25,\"min\":-999999999999,\"max\":1000000000000}",
	},
	{
		name:   "last is that of the newest event, and nothing where it lacks the value",
		rules:  `r: when: last(a, s) == "yes", then: alert("x", {s: last(a, s)})` + "\n" + `same: when: last(a, s) == last(b, s)`,
		events: "1 a s=no\n5 a s=yes\n3 a s=no\n6 a\n7 a s=yes\n7 a s=no\n8 b s=no",
		want:   "r 5 line:2 {\"s\":\"yes\"}\nr 7 line:5 {\"s\":\"yes\"}\nsame 8 line:7",
	},
	{
		name:   "since reaches its number, and passes it",
		rules:  `at: when: since(a) >= 0.01` + "\n" + `past: when: since(a) > 0.01` + "\n" + `is: when: since(a) == 0.01` + "\n" + `not: when: on(x) and not (since(b) >= 0)`,
		events: "1 a\n4 a\n3 a\n5 x",
		want:   "not 5 line:4\nat 14 timer\nis 14 timer\npast 15 timer",
		drain:  true,
	},
	{
		name:   "a score falls to its mark by time alone",
		rules:  `up: when: score({a: 8, (a and n > 1): 4, b: -20}, half_life("10ms")) >= 12` + "\n" + `down: when: score({a: 8, (a and n > 1): 4, b: -20}, half_life("10ms")) <= 3`,
		events: "1 a n=1\n1 a n=2\n50 x\n60 b\n60 a n=2",
		// 20 at 1 (both are 20 together), 3 at 1 + 10·log2(20/3) = 28.4; -20 at 60.
		want:  "up 1 line:2\ndown 29 timer",
		drain: true,
	},
	{
		name:   "a negative score rises to its mark",
		rules:  `r: when: score({b: -16}, half_life("10ms")) > -4`,
		events: "1 b",
		// -4 at 21; rounded to 10⁻⁶ it is more from 22 on.
		want:  "r 22 timer",
		drain: true,
	},
	{
		name:   "a late event is worth what is left of it",
		rules:  `r: when: score({a: 8}, half_life("10ms")) >= 10`,
		events: "20 b\n20 a\n10 a\n10 a",
		want:   "r 20 line:3",
	},
	{
		name:   "a sequence",
		rules:  `r: when: sequence(a, no(x), b, c, "10ms")`,
		events: "1 a\n2 b\n3 c\n4 a\n5 x\n6 b\n7 c\n8 a\n9 b\n18 c\n20 a\n21 b\n22 x\n23 c",
		want:   "r 3 line:3\nr 23 line:14",
	},
	{
		name:   "the cap of a pool holds all its rules back, across kinds of suppression",
		rules:  `a: when: on(a), limit: cap("p", 2, "10ms")` + "\n" + `b: when: on(a) and count(a, "ever") >= 1, limit: cap("p", 2, "10ms"), priority: 1, cooldown: "5ms"` + "\n" + `s: when: on(a), limit: cap("p", 2, "10ms"), mode: "shadow"`,
		events: "1 a\n2 a\n11 a",
		// At 1 b and a fill the pool, and the shadow rule is held back; at 11 the window (1, 11] is empty.
		want: "b 1 line:1\na 1 line:1\ns 1 line:1 limit shadow\nb 2 line:2 cooldown\na 2 line:2 limit\ns 2 line:2 limit shadow\n" +
			"b 11 line:3\na 11 line:3\ns 11 line:3 limit shadow",
	},
	{
		name:   "a shadow rule does not fill the pool, and neither does a suppressed firing",
		rules:  `a: when: on(a), limit: cap("p", 1, "10ms"), mode: "shadow", priority: 2` + "\n" + `b: when: on(a), unless: happened(x, "ever"), limit: cap("p", 1, "10ms"), priority: 1` + "\n" + `c: when: on(a), limit: cap("p", 1, "10ms")`,
		events: "1 x\n2 a\n3 a",
		want:   "a 2 line:2 shadow\nb 2 line:2 unless\nc 2 line:2\na 3 line:3 limit shadow\nb 3 line:3 unless\nc 3 line:3 limit",
	},
}

// TestOperators runs each case for shards, batches, restarts and checkpoints in steps.
func TestOperators(t *testing.T) {
	for n, c := range operatorCases {
		t.Run(c.name, func(t *testing.T) {
			s := newStream(t, c.set(), c.lines(), oracle.Options{})
			r := rand.New(rand.NewPCG(uint64(n), 9))
			for _, v := range []run{
				{shards: 1, batch: 1},
				{shards: 3, batch: 4096},
				{shards: 2, batch: 2, slow: true},
				{shards: 1, batch: 1, restarts: randomRestarts(r, 9, len(s.records)+1)},
			} {
				v.drain = c.drain
				var got []string
				for _, f := range s.firings(t, v) {
					line := fmt.Sprintf("%s %d %s", f.Rule, f.At, f.Cause)
					if f.Suppressed != "" {
						line += " " + f.Suppressed
					}
					if f.Shadow {
						line += " shadow"
					}
					if data := string(f.Actions[0].Data); data != "{}" {
						line += " " + data
					}
					got = append(got, line)
				}
				want := strings.ReplaceAll(c.want, "\\\"", `"`)
				if strings.Join(got, "\n") != want {
					t.Fatalf("%v:\n%s\nwant\n%s", v, strings.Join(got, "\n"), want)
				}
			}
		})
	}
}

func (c *operatorCase) set() []oracle.Rule {
	set := []oracle.Rule{{ID: "catalog", Text: operatorsCatalog}}
	for _, line := range strings.Split(c.rules, "\n") {
		id, entries, _ := strings.Cut(line, ": ")
		if !strings.Contains(entries, "then:") {
			entries += `, then: alert("x")`
		}
		set = append(set, oracle.Rule{ID: id, Text: "{per: visitor, " + entries + "}"})
	}
	return set
}

func (c *operatorCase) lines() (lines []string) {
	at := 0
	for _, line := range strings.Split(c.events, "\n") {
		words := strings.Fields(line)
		ts, _ := strconv.Atoi(words[0])
		at = max(at, ts)
		parts := []string{fmt.Sprintf(`"ts":%d,"at":%d,"type":%q`, ts, at, words[1]), `"visitor":"v"`}
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			if _, err := strconv.ParseFloat(value, 64); err != nil {
				value = strconv.Quote(value)
			}
			parts = append(parts, fmt.Sprintf("%q:%s", name, value))
		}
		lines = append(lines, "{"+strings.Join(parts, ",")+"}")
	}
	return lines
}

// TestOperatorsAllocateNothing takes events through all new operators and a full pool, late ones and long texts too. Only a firing costs
// memory, and none comes after the first.
func TestOperatorsAllocateNothing(t *testing.T) {
	c := operatorCase{
		rules: `r: when: sum(a, n, "1h") > 0 and avg(a, n, "ever") > 0 and last(a, s) != "no" and since(a) >= 0 and score({a: 1, (b or a): 2}, half_life("1h")) > 0` + "\n" +
			`s: when: sequence(a, no(x), b, c, "1h")` + "\n" + `l: when: on(a) and count(a, "ever") > 1, limit: cap("p", 1, "365d"), unless: min(a, n, "1h") < 5`,
	}
	for i := range 64 {
		ts := i + 1 - 30*(i%2)
		c.events += fmt.Sprintf("%d a n=%d s=%s\n%d b\n", max(ts, 1), i, strings.Repeat("long", 1+i%7), i+1)
	}
	c.events = strings.TrimSpace(c.events)
	s := newStream(t, c.set(), c.lines(), oracle.Options{})
	o := s.options
	o.Shards = 1
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	e.options.DropSuppressed = true
	var b Batch
	off, at := nudge.Offset(0), nudge.Millis(0)
	pass := func() {
		b.Reset()
		for _, rec := range s.records {
			off, at = off+1, at+1
			b.Add(off, max(at, rec.at), rec.rec)
		}
		e.Apply(&b)
	}
	for range 20 { // until the rings are full
		pass()
	}
	const perBatch = 4 // Apply's own
	if n := testing.AllocsPerRun(10, pass); n > perBatch {
		t.Errorf("%v allocations in a batch of %d events, want %d", n, len(s.records), perBatch)
	}
}

// TestNumbersOverflow drops numbers at the limit of what is kept, and counts them.
func TestNumbersOverflow(t *testing.T) {
	c := operatorCase{rules: `r: when: sum(a, n, "1h") == 3` + "\n" + `more: when: sum(a, n, "1h") >= 1`}
	for i := range 5 {
		c.events += fmt.Sprintf("%d a n=1\n", i+1)
	}
	c.events += "3600003 x"
	s := newStream(t, c.set(), c.lines(), oracle.Options{})
	var sources []rules.Source
	for _, x := range c.set() {
		sources = append(sources, rules.Source{File: x.ID + ".expr", Text: x.Text})
	}
	plan, diags := rules.Compile(sources, rules.Options{Names: s.names, MaxKept: 4})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	e, err := New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(plan)
	var b Batch
	var got []string
	for i, rec := range s.records {
		b.Reset()
		b.Add(rec.off, rec.at, rec.rec)
		for _, f := range e.Apply(&b) {
			got = append(got, fmt.Sprintf("%s %d", f.Rule, f.At))
		}
		if want := uint64(max(0, min(i+1, 5)-4)); e.stats().overflows != want {
			t.Fatalf("%d overflows after %d events, want %d", e.stats().overflows, i+1, want)
		}
	}
	// From 5 on, when the first number was dropped, nothing can be decided until the window has left it behind, at 3600001.
	if want := "more 1 r 3 more 3600001 r 3600002"; strings.Join(got, " ") != want {
		t.Fatalf("fired %q, want %q", strings.Join(got, " "), want)
	}
}
