package oracle

import (
	"fmt"
	"strings"
)

// formWhen is a condition of unusual form, "" where the feature is off.
func (g *generator) formWhen(per string) string {
	if !g.has(FeatureForms) || g.one(4) {
		return ""
	}
	switch g.IntN(8) {
	case 0, 1, 2:
		return g.formLevel(per)
	case 3:
		return g.formLevel(per) + pick(g, " and ", " or ", " && ", " || ") + g.formLevel(per)
	case 4:
		return fmt.Sprintf("not (%s %s not (%s %s %s))", g.formLevel(per), pick(g, "and", "or"), g.formLevel(per), pick(g, "and", "or"), g.level(per))
	case 5:
		return fmt.Sprintf("(%s or %s) and (%s or %s)", g.pulse(per), g.pulse(per), g.formLevel(per), g.level(per))
	case 6:
		return fmt.Sprintf("%s and %s", g.overlapping(per), g.overlapping(per))
	}
	return fmt.Sprintf("%s or %s and %s", g.overlapping(per), g.overlapping(per), g.formLevel(per))
}

// overlapping is a pulse of which one event is several things.
func (g *generator) overlapping(per string) string {
	switch g.IntN(5) {
	case 0:
		return "on(" + g.common(per) + ")"
	case 1:
		return fmt.Sprintf("first(%s, %s)", g.common(per), g.windowOrEver())
	case 2:
		return fmt.Sprintf("absent(%s, %s, after(%s))", g.common(per), g.window(), g.common(per))
	case 3:
		return g.sequence(per)
	}
	return fmt.Sprintf("dwell(%s, %s, until(%s))", g.common(per), g.window(), g.common(per))
}

// counted is a number that an operator counts.
func (g *generator) counted(per string) string {
	e := pick(g, g.common(per), "page_view", g.test(per))
	switch g.IntN(5) {
	case 0:
		return fmt.Sprintf("distinct(%s, %s, %s)", e, g.field(), g.windowOrEver())
	case 1:
		return fmt.Sprintf("days(%s, %s)", e, pick(g, `"1d"`, `"2d"`, `"3d"`, `"ever"`))
	}
	return fmt.Sprintf("count(%s, %s)", e, g.windowOrEver())
}

func (g *generator) bound() string {
	return pick(g, "1", "2", "2", "3", "1.5", "0.5", "2 - 1", "2 * 1.5", "-1", "0", "4", "5", "7", "12", "-2.5", "1e3 - 998", "+2", "-(-2)", "6 / 4")
}

func (g *generator) formLevel(per string) string {
	n := g.counted(per)
	op := pick(g, ">=", ">", "<", "<=", "==", "!=")
	switch g.IntN(14) {
	case 0:
		return fmt.Sprintf("%s(%s %s %s)", pick(g, "!", "not ", "not not "), n, op, g.bound())
	case 1:
		return fmt.Sprintf("%s >= %s and %s <= %s", n, g.bound(), n, g.bound())
	case 2:
		return fmt.Sprintf("%s %s %s %s %s", g.bound(), pick(g, "<", "<="), n, pick(g, "<", "<="), g.bound())
	case 3:
		return fmt.Sprintf("%s %s %s", g.bound(), op, n)
	case 4:
		return fmt.Sprintf("%s%s %s %s", pick(g, "-", "+"), n, op, g.bound())
	case 5:
		return fmt.Sprintf("%s %s %s %s %s", n, pick(g, "*", "-", "+", "/"), pick(g, "2", "1", "0.5", "-1"), op, g.bound())
	case 6:
		return fmt.Sprintf("%s %s %s", n, op, g.counted(per))
	case 7:
		return fmt.Sprintf("%s / (%s - %s) %s %s", n, g.counted(per), g.counted(per), op, g.bound())
	case 8:
		return fmt.Sprintf(`count(%s, "ever") %s %s`, g.common(per), op, pick(g, "1e9", "9007199254740993", "1e300", "-1e300", g.bound()))
	case 9:
		e := g.common(per)
		return fmt.Sprintf("count(%s, %s) %s count(%s, %s)", e, g.windowOrEver(), op, e, g.windowOrEver())
	case 10:
		e := g.common(per)
		return fmt.Sprintf("count(%s, %s) %s distinct(%s, %s, %s) and happened(%s, %s)", e, g.windowOrEver(), op, e, g.field(), g.windowOrEver(), e, g.window())
	case 11:
		return fmt.Sprintf("not happened(%s, %s) and %s %s %s", g.common(per), g.windowOrEver(), n, op, g.bound())
	case 12:
		return fmt.Sprintf("(%s - %s) * %s %s %s", n, g.bound(), g.counted(per), op, g.bound())
	}
	if l := g.newLevel(per); l != "" {
		return pick(g, "", "not ") + "(" + l + ")"
	}
	return fmt.Sprintf("((%s %s %s) or not (%s))", n, op, g.bound(), strings.TrimSpace(g.level(per)))
}

// oddTest is an event test of what is seldom asked for.
func (g *generator) oddTest() string {
	return pick(g, "at - ts > 500", "ts == at", "at - ts >= 1000 and page_view", `id startsWith "i"`, `email endsWith "acme.example"`, "has(email)", "not has(user)",
		`type startsWith "form"`, "n in [1, 2]", "n in [1, 2] or n == 3", "1 < n and n < 3", "n > 1 and n <= 2.5 and page_view", "1 <= n < 2.5", `path not startsWith "/p"`,
		"vip in [true]", "vip != true", `path + (plan ?? "") == "/afree"`, `visitor == "v1"`, `user != "u1"`, "has(user) and has(company)", "plan == form", `path < "/b"`,
		`path >= "/b" and page_view`, `card.brand == "visa"`, `has(card.brand) and not page_leave`, "card.x.y == true", `not (card.brand == "visa")`, "has(card)", `len(long) > 15`,
		`(n ?? 1) * 2 in [2, 4]`, `upper(plan) in ["PRO", "FREE"]`, `trim(plan) != ""`, `"a" + path == "a/a"`, "-n < -1", `not (n < 2 or path == "/a")`,
		`type != "page_view"`, `type in ["signup", "form_view"]`, `event("signup") or form_view and n == 1`, `plan matches "(?i)^pro$"`, `path in ["/a", "/b"] or path == "/p/1"`,
		`email == "ana@acme.example"`, `company != "beta"`, "n / 0 > 1", "n - n == 0", `n > 2 or n < 1`, `path == "/a" and path == "/a"`)
}

// oddValue is a value of an event that is seldom told apart.
func (g *generator) oddValue() string {
	return pick(g, "path + plan", "n * 2", "email", "id", "ts", "at", "card.brand", "long", "n - 1", "len(path)", "upper(plan)", `(plan ?? "none")`, "card", "trim(form)", "-n")
}
