package oracle

import (
	"fmt"
	"strconv"
	"strings"
)

// Features are parts of the language that generated rules may use beyond the windows and waits that they always use.
type Features uint

// The features, to be joined by |.
const (
	FeatureNumbers  Features = 1 << iota // sum avg min max
	FeatureLast                          // last
	FeatureSince                         // since
	FeatureScore                         // score
	FeatureSequence                      // sequence
	FeatureLimit                         // limit: cap(…)
	FeatureActions                       // webhook tag untag emit
	FeatureMerge                         // streams in which anonymous visitors turn out to be users; they want Options.Merge
	allFeatures     Features = 1<<iota - 1
)

// FeatureForms are conditions, tests, values and keys of unusual form. It is none of AllFeatures.
const FeatureForms = allFeatures + 1

// AllFeatures are the whole language.
const AllFeatures = allFeatures

func (g *generator) has(f Features) bool { return g.features&f != 0 }

// oneOf calls one of the makers whose feature is on; "" where there is none, and then it draws nothing.
func (g *generator) oneOf(makers map[Features]func() string) string {
	var on []func() string
	for f := Features(1); f <= AllFeatures; f <<= 1 {
		if m := makers[f]; m != nil && g.has(f) {
			on = append(on, m)
		}
	}
	if len(on) == 0 {
		return ""
	}
	return pick(g, on...)()
}

// newLevel is a level of a feature, "" where there is none.
func (g *generator) newLevel(per string) string {
	if !g.has(FeatureNumbers|FeatureLast|FeatureSince|FeatureScore) || g.one(3) {
		return ""
	}
	return g.oneOf(map[Features]func() string{
		FeatureNumbers: func() string { return g.numbers(per) },
		FeatureLast:    func() string { return g.last(per) },
		FeatureSince:   func() string { return g.compared(fmt.Sprintf("since(%s)", g.test(per)), g.seconds()) },
		FeatureScore:   func() string { return g.compared(g.score(per), g.mark()) },
	})
}

// compared holds a number against a constant, on either side of it.
func (g *generator) compared(number, constant string) string {
	if g.one(5) {
		return constant + pick(g, " <= ", " < ", " > ", " >= ", " == ") + number
	}
	return number + pick(g, " >= ", " >= ", " > ", " < ", " <= ", " == ", " != ") + constant
}

func (g *generator) numbers(per string) string {
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf("%s %s %s", g.fold(per), pick(g, ">", ">=", "<", "==", "!="), g.fold(per))
	case 1:
		return g.compared(fmt.Sprintf("%s %s %s", g.fold(per), pick(g, "+", "-", "/"), g.fold(per)), pick(g, "1", "2", "0.5", "0.3", "0"))
	case 2:
		return g.compared(fmt.Sprintf("%s / count(%s, %s)", g.fold(per), g.test(per), g.window()), pick(g, "1", "2", "0.5"))
	}
	return g.compared(g.fold(per), pick(g, "0", "0.3", "1", "2", "2.5", "3", "5", "-1", "0.000001", "1000000000000", "5000000000000"))
}

// fold is a sum, average, least or most.
func (g *generator) fold(per string) string {
	return fmt.Sprintf("%s(%s, %s, %s)", pick(g, "sum", "sum", "avg", "min", "max"), g.test(per), pick(g, "amount", "amount", "n", "amount * 2", "n - 1"),
		g.windowOrEver())
}

func (g *generator) last(per string) string {
	e := g.test(per)
	compare := func(v, constant string) string {
		return fmt.Sprintf("last(%s, %s) %s %s", e, v, pick(g, "==", "==", "!=", "<", ">="), constant)
	}
	switch g.IntN(6) {
	case 0:
		return compare("n", pick(g, "2", "1", "2.5"))
	case 1:
		return compare("lower(plan)", `"pro"`)
	case 2:
		return fmt.Sprintf("last(%s, vip) %s true", e, pick(g, "==", "!="))
	case 3:
		return fmt.Sprintf("last(%s, %s) %s last(%s, %s)", e, pick(g, "path", "plan", "form"), pick(g, "==", "!="), g.test(per), pick(g, "path", "plan", "form"))
	case 4:
		return "not (" + compare("path", pick(g, `"/a"`, `"/b"`)) + ")"
	}
	return compare(pick(g, "path", "form", "plan"), pick(g, `"/a"`, `"demo"`, `"pro"`, `"/p/1"`))
}

// seconds are one of the seed's windows, or beside its edge.
func (g *generator) seconds() string {
	ms := float64(g.edge()) + pick(g, 0, 0, 0, -1, 1, 0.5, -0.5)
	return strconv.FormatFloat(ms/1000, 'f', -1, 64)
}

func (g *generator) score(per string) string {
	pairs := []string{pick(g, "page_view: 2", "page_view: 3", "page_view: -1", "shop: 2", "form_view: 1")}
	first, _, _ := strings.Cut(pairs[0], ":")
	counted := map[string]bool{first: true} // the same test twice is an error
	for range g.IntN(3) {
		if e := g.test(per); !counted[e] {
			counted[e] = true
			pairs = append(pairs, fmt.Sprintf("(%s): %s", e, pick(g, "1", "5", "0.5", "-2", "4", "100")))
		}
	}
	return fmt.Sprintf("score({%s}, half_life(%s))", strings.Join(pairs, ", "), g.window())
}

// mark is what a score of few points comes to after whole half-lives.
func (g *generator) mark() string {
	return pick(g, "1", "1", "1.5", "2", "2.5", "3", "4", "0.5", "0.25", "0", "-1", "0.000001", "6", "50")
}

// moment is a pulse and what can be asked beside it only; "" where no feature asks.
func (g *generator) moment(per string) string {
	if !g.has(FeatureSince|FeatureScore) || !g.one(8) {
		return ""
	}
	number := func() string {
		return g.oneOf(map[Features]func() string{
			FeatureSince: func() string { return fmt.Sprintf("since(%s)", g.test(per)) },
			FeatureScore: func() string { return g.score(per) },
		})
	}
	if g.one(2) {
		return fmt.Sprintf("on(%s) and %s %s %s", g.test(per), number(), pick(g, ">", "<", ">=", "=="), number())
	}
	return fmt.Sprintf("on(%s) and %s %s %s > %s", g.test(per), number(), pick(g, "+", "-", "*", "/"), number(), pick(g, "0", "1", "2.5"))
}

func (g *generator) sequence(per string) string {
	steps := []string{g.common(per)}
	for range 1 + g.IntN(3) {
		if g.one(3) {
			steps = append(steps, "no("+g.common(per)+")")
		}
		steps = append(steps, g.common(per))
	}
	return fmt.Sprintf("sequence(%s, %s)", strings.Join(steps, ", "), g.window())
}

// common is a test that often matches: one of so few that one event is several things to a rule.
func (g *generator) common(per string) string {
	if g.one(4) {
		return g.test(per)
	}
	return pick(g, "page_view", "form_view", "form_submit", "page_view or form_view", `page_view and path == "/a"`, `path in ["/a", "/p/1"]`)
}

// limit is a cap. All rules of one scope share its pool, which has the same size for all of them.
func (g *generator) limit(per string) string {
	if g.pools == nil {
		g.pools = map[string]string{}
	}
	if g.pools[per] == "" {
		g.pools[per] = fmt.Sprintf("limit: cap(%q, %d, %s)", "pool "+strconv.Itoa(len(g.pools)), 1+g.IntN(3), g.window())
	}
	return g.pools[per]
}

// newData are entries of an action's data, "" where no feature has any; each begins with a comma.
func (g *generator) newData() string {
	return g.oneOf(map[Features]func() string{
		FeatureNumbers: func() string {
			return fmt.Sprintf(`, s: sum(page_view, amount, %s), g: avg(page_view, amount, %s), lo: min(page_view, n, %s), hi: max(page_view, n, "ever")`,
				g.windowOrEver(), g.windowOrEver(), g.window())
		},
		FeatureLast:  func() string { return ", l: last(page_view, " + pick(g, "path", "plan", "n", "vip") + ")" },
		FeatureSince: func() string { return ", ago: since(form_view)" },
		FeatureScore: func() string { return ", pts: score({page_view: 1, form_view: 2.5}, half_life(" + g.window() + "))" },
	})
}

// newAction is an action of the feature.
func (g *generator) newAction(data string) string {
	return pick(g, `webhook("crm"`+data+`)`, `tag("hot")`, `tag("warm", `+pick(g, `"7d"`, `"1w2d3h"`, `"90m"`, `"1500ms"`)+`)`, `untag("hot")`, `emit("hot_lead"`+data+`)`)
}

// pastWhen is a condition that what an anonymous visitor did can make true, "" where the feature is off. Its tests match often.
func (g *generator) pastWhen(per string) string {
	if !g.has(FeatureMerge) || per != "user" || g.one(3) {
		return ""
	}
	e := g.common(per)
	switch g.IntN(9) {
	case 0, 1:
		return fmt.Sprintf("count(%s, %s) %s", e, g.windowOrEver(), pick(g, ">= 2", ">= 3", "== 2", ">= 4", "< 2"))
	case 2:
		return fmt.Sprintf("distinct(%s, %s, %s) %s", e, pick(g, "path", "visitor", "n"), g.windowOrEver(), pick(g, ">= 2", ">= 3", "== 2"))
	case 3, 4:
		return fmt.Sprintf("absent(%s, %s, after(%s))", g.common(per), g.window(), e)
	case 5, 6:
		return fmt.Sprintf("dwell(%s, %s, until(%s))", e, g.window(), g.common(per))
	case 7:
		return fmt.Sprintf("first(%s, %s)", e, g.windowOrEver())
	}
	if g.has(FeatureSequence) {
		return g.sequence(per)
	}
	return fmt.Sprintf("on(%s) and not happened(%s, %s)", e, g.common(per), g.windowOrEver())
}

// whoMerges adds identities to line i so that new visitors keep coming, stay anonymous for some events, and then become one of few users.
func (g *generator) whoMerges(e *object, i int) {
	if !g.one(12) {
		e.add("visitor", strconv.Quote("v"+strconv.Itoa(i/20+g.IntN(3))))
	} else {
		e.add("user", pick(g, `"u1"`, `"u2"`, "7"))
		return
	}
	switch g.IntN(24) {
	case 0, 1:
		e.add("user", pick(g, `"u1"`, `"u2"`, `"u1"`, "7"))
	case 2:
		e.add("email", pick(g, `"Ana@acme.example"`, `"bob@beta.example"`, `"eve@gmail.com"`))
	case 3, 4:
		e.add("company", pick(g, `"acme.example"`, `"beta"`))
	}
}
