package oracle

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"nudge"
)

// generator makes a small set of rules and a stream that is mean to it. Everything is drawn from few values, so that keys, values, instants
// and windows collide all the time. Its rules pass `nudge check`.
type generator struct {
	*rand.Rand
	features Features
	windows  []string // the lengths of time of this seed; the stream moves in steps of them
	rules    []genRule
	pools    map[string]string // by per: the limit entry of its rules
}

// genRule is what later rules must know of an earlier one.
type genRule struct {
	id, per string
}

// Generate makes 2 to 6 rules and a stream of size lines. The same seed and size give the same, always.
func Generate(seed uint64, size int) (rules []Rule, lines []string) {
	return GenerateWith(seed, size, 0)
}

// GenerateWith is Generate with rules that use more of the language.
func GenerateWith(seed uint64, size int, features Features) (rules []Rule, lines []string) {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(size))), features: features}
	all := []string{"50ms", "1s", "2500ms", "10s", "20s", "1m30s", "5m", "1h", "1d", "2d"}
	for range 3 {
		g.windows = append(g.windows, pick(g, all...))
	}
	pers := []string{"visitor"} // ascending, so that fired has somewhere to go
	for range 1 + g.IntN(5) {
		pers = append(pers, pick(g, "visitor", "visitor", "user", "user", "company", "company", "form", "lower(plan)", "user ?? visitor"))
		if g.has(FeatureForms) && g.one(4) {
			pers[len(pers)-1] = pick(g, "n", "path", "email", "lower(plan) + form", "card.brand", "id", "upper(path) + \"x\"", "email ?? user", "card.brand ?? plan")
		}
	}
	if g.has(FeatureMerge) {
		pers = append(pers, "user", "user", "user")
	}
	for _, kind := range []func(string) bool{isPer("visitor"), isPer("user"), isPer("company"), isOther} {
		for _, per := range pers {
			if kind(per) {
				rules = append(rules, g.rule(per))
			}
		}
	}
	return rules, g.stream(size)
}

// RandomOptions are settings for the same seed that put edges where a small stream meets them.
func RandomOptions(seed uint64) Options {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	return Options{
		Lateness:    pick[nudge.Millis](g, 0, 0, 50, 1000, 10_000, 86_400_000),
		DedupEvents: pick(g, 0, 0, 1, 2, 7),
		Suppressed:  g.one(2),
		Drain:       g.one(2),
		Location:    pick(g, time.UTC, zone("Asia/Kolkata"), zone("Etc/GMT+8")),
	}
}

// zone is a time zone by its name, as an engine reads it back.
func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		panic(err) // it is among the ones that are compiled in
	}
	return z
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// one is true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func isPer(name string) func(string) bool { return func(per string) bool { return per == name } }

func isOther(per string) bool { return per != "visitor" && per != "user" && per != "company" }

func (g *generator) rule(per string) Rule {
	id := pick(g, "a", "b", "0", "m-") + strconv.Itoa(len(g.rules)+1)
	when := g.when(per)
	entries := []string{"per: " + per, "when: " + when, "then: " + g.then(per)}
	if g.one(4) {
		entries = append(entries, "unless: "+g.unless(per))
	}
	if g.one(3) {
		entries = append(entries, "cooldown: "+g.window())
	}
	if g.one(3) {
		entries = append(entries, "priority: "+pick(g, "1", "2", "-1", "0.5"))
	}
	if g.has(FeatureLimit) && !g.one(3) {
		entries = append(entries, g.limit(per))
	}
	if g.one(10) || g.has(FeatureLimit) && g.one(5) {
		entries = append(entries, `mode: `+pick(g, `"shadow"`, `"shadow"`, `"paused"`, `"live"`))
	}
	g.rules = append(g.rules, genRule{id: id, per: per})
	lets := ""
	if strings.Contains(strings.Join(entries, " "), "shop") {
		lets = `let shop = page_view and path startsWith "/p"; `
	}
	return Rule{ID: id, Text: lets + "{" + strings.Join(entries, ", ") + "}"}
}

// when is a condition: a level, pulses, or both under and.
func (g *generator) when(per string) string {
	if w := g.formWhen(per); w != "" {
		return w
	}
	if w := g.pastWhen(per); w != "" {
		return w
	}
	if e := g.firedTest(per); e != "" && g.one(3) {
		return pick(g, "on("+e+")", fmt.Sprintf("count(%s, %s) %s", e, g.windowOrEver(), g.threshold()), "on("+e+") and "+g.level(per))
	}
	if m := g.moment(per); m != "" {
		return m
	}
	switch g.IntN(10) {
	case 0, 1, 2, 3:
		return g.level(per)
	case 4:
		return g.level(per) + pick(g, " and ", " or ") + g.level(per)
	case 5:
		return g.pulse(per) + " or " + g.pulse(per)
	case 6, 7:
		return g.pulse(per) + " and " + pick(g, "", "not ") + "(" + g.level(per) + ")"
	}
	return g.pulse(per)
}

func (g *generator) level(per string) string {
	if l := g.newLevel(per); l != "" {
		return l
	}
	e := g.test(per)
	switch g.IntN(9) {
	case 0, 1:
		return fmt.Sprintf("count(%s, %s) %s", e, g.windowOrEver(), g.threshold())
	case 2, 3:
		return fmt.Sprintf("distinct(%s, %s, %s) %s", e, g.field(), g.windowOrEver(), g.threshold())
	case 4:
		return fmt.Sprintf("days(%s, %s) %s", e, pick(g, `"2d"`, `"3d"`, `"ever"`), pick(g, ">= 2", "== 1", "> 1", "!= 1"))
	case 5:
		return fmt.Sprintf("%shappened(%s, %s)", pick(g, "", "not "), e, g.windowOrEver())
	case 6:
		return fmt.Sprintf("%d %s count(%s, %s)", 1+g.IntN(3), pick(g, "<=", "<", "==", ">"), e, g.window())
	case 7:
		return fmt.Sprintf("count(%s, %s) %s count(%s, %s) * %d", e, g.window(), pick(g, ">", ">=", "<", "==", "!="), g.test(per), g.window(), 1+g.IntN(2))
	}
	return fmt.Sprintf("count(%s, %s) %s distinct(%s, %s, %s) %s", e, g.window(), pick(g, "+", "-", "/", "/"), g.test(per), g.field(), g.window(), g.threshold())
}

func (g *generator) threshold() string {
	return pick(g, ">= 2", ">= 2", ">= 3", "> 1", "> 2", "== 1", "== 2", "!= 1", "< 2", "<= 1", "== 0", ">= 1.5", "< 1.5")
}

func (g *generator) pulse(per string) string {
	if g.has(FeatureSequence) && !g.one(3) {
		return g.sequence(per)
	}
	e := g.test(per)
	switch g.IntN(6) {
	case 0:
		return "on(" + e + ")"
	case 1:
		return fmt.Sprintf("first(%s, %s)", e, g.windowOrEver())
	case 2, 3:
		if follow := g.firedTest(per); follow != "" && g.one(2) {
			e = follow
		}
		return fmt.Sprintf("absent(%s, %s, after(%s))", g.test(per), g.window(), e)
	}
	return fmt.Sprintf("dwell(%s, %s, until(%s))", e, g.window(), g.test(per))
}

// firedTest asks for what an earlier rule of the same key, or below, fired; "" where there is none.
func (g *generator) firedTest(per string) string {
	var seen []string
	for _, r := range g.rules {
		below := per == "user" && r.per == "visitor" || per == "company" && (r.per == "visitor" || r.per == "user")
		if r.per == per || below {
			seen = append(seen, r.id)
		}
	}
	switch {
	case len(seen) == 0:
		return ""
	case g.one(2):
		return fmt.Sprintf("fired and rule in [%q, %q]", pick(g, seen...), pick(g, seen...))
	}
	return fmt.Sprintf("fired and rule == %q", pick(g, seen...))
}

// test is an event test.
func (g *generator) test(per string) string {
	if g.one(5) {
		if e := g.firedTest(per); e != "" {
			return e
		}
	}
	if g.has(FeatureForms) && g.one(3) {
		return g.oddTest()
	}
	return pick(g,
		"page_view", "page_view", "page_view", "form_view", "form_view", "form_submit", "page_leave", "shop", `event("signup")`,
		"page_view or form_view", "form_submit or page_leave", `page_view and path == "/a"`, `page_view and path != "/a"`,
		`page_view and not (path == "/a")`, `path in ["/a", "/p/1"]`, `form_view and form == "demo"`, "page_view and n >= 2",
		"has(form)", "page_view and (n ?? 5) > 1", "vip == true", `lower(plan) == "pro"`, "path matches `^/[ab]$`",
		`page_view and path contains "p" or form_submit`, "len(path) > 2", `user == "u1"`, `page_view and n * 2 - 1 == 3`,
		`not (form == "demo" or page_leave)`, `company == "acme.example" and not page_leave`)
}

func (g *generator) field() string {
	if g.has(FeatureForms) && g.one(4) {
		return g.oddValue()
	}
	return pick(g, "path", "path", "path", "user", "visitor", "visitor", "n", "form", "plan", "company", "vip", "type", "lower(plan)")
}

func (g *generator) window() string { return strconv.Quote(pick(g, g.windows...)) }

func (g *generator) windowOrEver() string {
	if g.one(8) {
		return `"ever"`
	}
	return g.window()
}

func (g *generator) unless(per string) string {
	if g.one(3) && len(g.rules) > 0 {
		return fmt.Sprintf("happened(fired and rule == %q, %s)", pick(g, g.rules...).id, g.window())
	}
	return pick(g, fmt.Sprintf("happened(fired, %s)", g.window()), g.level(per))
}

func (g *generator) then(per string) string {
	data := ""
	if g.one(2) {
		data = fmt.Sprintf(`, {p: path, u: user, c: company, n: n, low: lower(plan) ?? "none", ts: ts, many: count(page_view, %s), top: values(page_view, %s, %s)%s}`,
			g.window(), g.field(), g.window(), g.newData())
	}
	alert := `alert("hot"` + data + `)`
	if g.has(FeatureActions) && !g.one(3) {
		return pick(g, g.newAction(data), "["+alert+", "+g.newAction(data)+", "+g.newAction("")+"]")
	}
	if per == "visitor" && g.one(2) {
		return pick(g, `popup("help"`+data+`)`, `[popup("help", {x: [1, "t", vip]}), `+alert+`]`)
	}
	return alert
}

// stream makes the lines. The clock moves by nothing, by a little, or from edge to edge of the rules' windows.
func (g *generator) stream(size int) (lines []string) {
	clock := int64(1_764_028_700_000) // shortly before a midnight in UTC
	var ids int
	for range size {
		clock += g.step()
		e := &object{}
		e.add("type", strconv.Quote(pick(g, "page_view", "page_view", "page_view", "form_view", "form_view", "form_submit", "page_leave", "signup")))
		g.instant(e, clock)
		if g.has(FeatureMerge) {
			g.whoMerges(e, len(lines))
		} else {
			g.who(e)
		}
		g.what(e)
		switch g.IntN(6) {
		case 0:
			e.add("id", strconv.Quote("i"+strconv.Itoa(g.IntN(6))))
		case 1, 2:
			ids++
			e.add("id", pick(g, strconv.Itoa(ids), strconv.Quote("m"+strconv.Itoa(ids))))
		}
		lines = append(lines, "{"+strings.Join(e.parts, ",")+"}")
		if g.one(25) {
			lines = append(lines, lines[g.IntN(len(lines))]) // sent twice, maybe long ago
		}
	}
	return lines[:size]
}

// object is a JSON object in the making.
type object struct{ parts []string }

func (o *object) add(name, json string) {
	o.parts = append(o.parts, strconv.Quote(name)+":"+json)
}

// step is how far the clock moves.
func (g *generator) step() int64 {
	switch g.IntN(12) {
	case 0, 1, 2:
		return 0
	case 3:
		return 1
	case 4, 5, 6:
		return g.Int64N(1000)
	case 7, 8:
		return max(0, g.edge()+int64(g.IntN(3))-1)
	case 9, 10:
		return g.edge() / int64(2+g.IntN(4))
	}
	return g.Int64N(20_000)
}

// edge is the length of one of the seed's windows.
func (g *generator) edge() int64 {
	return int64(parseDuration(pick(g, g.windows...)))
}

// instant adds ts and at.
func (g *generator) instant(e *object, clock int64) {
	ts, at := clock, clock
	switch g.IntN(10) {
	case 0: // late, at an edge
		ts -= g.edge() + int64(g.IntN(3)) - 1
	case 1:
		ts -= g.Int64N(2000)
	case 2: // at the edge of lateness
		ts -= pick[int64](g, 50, 1000, 10_000, 3_600_000, 86_400_000) + int64(g.IntN(3)) - 1
	case 3: // from the future
		ts += g.Int64N(5000)
	case 4: // a clock that goes back
		at -= g.Int64N(3000)
	}
	none := g.one(12)
	if !none {
		e.add("ts", strconv.FormatInt(ts, 10))
	}
	if none || ts > clock || g.one(2) {
		e.add("at", strconv.FormatInt(at, 10))
	}
}

// who adds visitor, user, mail and company.
func (g *generator) who(e *object) {
	anyone := false
	add := func(n int, name string, values ...string) {
		if g.IntN(10) < n {
			e.add(name, pick(g, values...))
			anyone = true
		}
	}
	add(3, "user", `"u1"`, `"u2"`, `"u1"`, "7")
	add(1, "email", `"Ana@acme.example"`, `"bob@beta.example"`, `"eve@gmail.com"`)
	add(1, "company", `"acme.example"`, `"beta"`)
	if !anyone || !g.one(8) {
		e.add("visitor", pick(g, `"v1"`, `"v1"`, `"v2"`, `"v3"`))
	}
}

// what adds properties.
func (g *generator) what(e *object) {
	add := func(n int, name string, values ...string) {
		if g.IntN(10) < n {
			e.add(name, pick(g, values...))
		}
	}
	add(8, "path", `"/a"`, `"/b"`, `"/p/1"`, `"/p/2"`, "null")
	add(5, "form", `"demo"`, `"demo"`, `"trial"`, "null")
	add(5, "n", "0", "1", "2", "3", "2.5", `"2"`, "null")
	add(4, "plan", `"pro"`, `"PRO"`, `"free"`, "7", `""`)
	add(3, "vip", "true", "false", `"true"`)
	if g.has(FeatureForms) {
		add(4, "card", `{"brand":"visa"}`, `{"brand":null}`, `{"brand":3,"x":{"y":true}}`, `"visa"`, `[1]`, `{"brand":"master"}`)
		add(2, "long", `"a text that is longer than fifteen bytes"`, `"a text that is longer than fifteen byteS"`, `"ééééééé"`, `"éééééééé"`, `["a",1]`)
	}
	if g.has(FeatureNumbers) {
		add(7, "amount", "1", "0.1", "0.2", "2", "-1.5", "3", "0.0000004", "0.0000005", "-0.0000005", "1e12", "-1e12", "1000000000000.1", "1e300", `"1"`, "true", "null")
	}
}
