package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"nudge/internal/oracle"
	"nudge/rules"
)

// keptCase is a random stream and rules that use the very numbers of count and distinct.
type keptCase struct {
	set   []oracle.Rule
	lines []string
	most  int // so many of what is counted are in a window of a key at most
}

const keptRules = `equal: per: visitor, when: count(page_view, "20s") == count(form_view, "20s") + 1
		twice: per: visitor, when: 2 * distinct(page_view, path, "20s") > count(form_view, "30s"), then: alert("x", {n: count(page_view, "20s"), d: distinct(page_view, path, "20s")})
		user: per: user, when: count(page_view, "20s") - count(form_view, "20s") >= 2, then: alert("x", {n: count(page_view, "20s")})`

func newKeptCase(seed uint64) *keptCase {
	r := rand.New(rand.NewPCG(seed, 21))
	c := &keptCase{set: scriptRules(keptRules)}
	type seen struct {
		typ  string
		ts   int
		path int
	}
	events := map[string][]seen{} // by visitor, and all under "user"
	at := 100_000
	for i := range 60 {
		at += r.IntN(4000)
		visitor, typ, ts, path := fmt.Sprint("v", r.IntN(2)), []string{"page_view", "form_view"}[r.IntN(2)], at, r.IntN(30)
		if r.IntN(5) == 0 {
			ts -= r.IntN(15_000)
		}
		line := fmt.Sprintf(`{"type":%q,"visitor":%q,"at":%d,"ts":%d,"path":"/%d"`, typ, visitor, at, ts, path)
		if i > 20 {
			line += `,"user":"u"`
		}
		c.lines = append(c.lines, line+"}")
		for _, key := range []string{visitor, "user"} {
			events[key] = append(events[key], seen{typ, ts, path})
			n := map[string]int{}
			for _, e := range events[key] {
				window := 20_000
				if e.typ == "form_view" {
					window = 30_000
				}
				if e.ts > at-window {
					n[e.typ]++
				}
			}
			c.most = max(c.most, n["page_view"], n["form_view"])
		}
	}
	return c
}

// printed is what the engine prints where numbers are exact up to kept.
func (c *keptCase) printed(t *testing.T, kept int) string {
	t.Helper()
	s := newStream(t, c.set, c.lines, oracle.Options{Drain: true})
	var sources []rules.Source
	for _, x := range c.set {
		sources = append(sources, rules.Source{File: x.ID + ".expr", Text: x.Text})
	}
	plan, diags := rules.Compile(sources, rules.Options{Names: s.names, MaxKept: kept})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	s.plan = plan
	return s.printed(t, oracle.Options{Drain: true})
}

// TestKeptIsExact: a number that is used as it is is exact as long as no more than so many are in the window, that number itself included;
// the oracle keeps everything. With one less the answers may differ.
func TestKeptIsExact(t *testing.T) {
	t.Parallel()
	differ, fired := 0, 0
	for seed := range uint64(100) {
		c := newKeptCase(seed)
		want := oracled(t, c.set, c.lines, oracle.Options{Drain: true})
		if got := c.printed(t, c.most); got != want {
			t.Fatalf("seed %d, exact up to %d: %s", seed, c.most, difference(got, want))
		}
		if c.printed(t, c.most-1) != want {
			differ++
		}
		fired += strings.Count(want, "\n")
	}
	t.Logf("%d firings in 100 streams; with one less %d streams differ", fired, differ)
	if differ < 5 || fired < 100 {
		t.Errorf("%d firings, %d streams differ with one less: the limit is not met", fired, differ)
	}
}

// TestKeptAsTheOracleSays: where a number is not known any more comparisons of it are false, whatever form the condition has, and shown is how far it is known; it is
// known again when enough has left the window. The oracle counts everything and says from where on that is so.
func TestKeptAsTheOracleSays(t *testing.T) {
	t.Parallel()
	differ, fired := 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		set, lines := oracle.GenerateWith(seed, streamLength, oracle.AllFeatures|oracle.FeatureForms)
		o := oracle.RandomOptions(seed)
		all := oracled(t, set, lines, o)
		o.MaxKept = 1 + int(seed%3)
		want := oracled(t, set, lines, o)
		if got := newStream(t, set, lines, o).printed(t, o); got != want {
			t.Fatalf("exact up to %d: %s\n%s", o.MaxKept, difference(got, want), repeat(t, seed, set, lines))
		}
		if want != all {
			differ++
		}
		fired += strings.Count(want, "\n")
	}
	t.Logf("%d firings in %d streams; where all is kept %d streams differ", fired, *seeds, differ)
	if differ*4 < *seeds || fired < *seeds {
		t.Errorf("%d firings, %d of %d streams differ where all is kept: the limit is not met", fired, differ, *seeds)
	}
}
