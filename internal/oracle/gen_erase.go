package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// PersonRules are rules that keep who came: at keys that an erasure leaves there, it must take these texts out of them.
func PersonRules(seed uint64) (rules []Rule) {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 8)), windows: []string{"20s", "1h", "2d"}}
	who := func() string { return pick(g, "user", "visitor", "email", "lower(user)", "upper(email)", "path") }
	for i := range 1 + g.IntN(3) {
		event := pick(g, "page_view", "form_view", "page_view or form_view")
		when := fmt.Sprintf("distinct(%s, %s, %s) %s", event, who(), g.windowOrEver(), pick(g, ">= 2", ">= 3", "== 1", "== 2", "> 3", "< 2"))
		switch g.IntN(4) {
		case 0:
			when = fmt.Sprintf("absent(form_submit, %s, after(%s))", g.window(), event)
		case 1:
			when = fmt.Sprintf("on(%s)", event)
		}
		rules = append(rules, Rule{ID: fmt.Sprintf("person-%d", i), Text: fmt.Sprintf(
			"{per: %s, when: %s, then: alert(\"who\", {u: user, v: visitor, p: path, all: values(%s, %s, %s), last: last(%s, %s), n: distinct(%s, %s, \"2d\")})}",
			pick(g, "company", "company", "user", "visitor", "form"), when, event, who(), g.window(), event, who(), event, who())})
	}
	return rules
}

// WithErasures puts erasures of visitors, users and companies that occur in a stream, and now and then of somebody unknown, in the place of some of its
// lines. The same seed gives the same.
func WithErasures(seed uint64, lines []string) []string {
	g := rand.New(rand.NewPCG(seed, 7))
	out := slices.Clone(lines)
	people := [][2]string{{"visitor", "nobody"}, {"user", "nobody@acme.example"}}
	for i, text := range lines {
		var e struct {
			Visitor, User, Email, Company any
			Ts, At                        *int64
		}
		if json.Unmarshal([]byte(text), &e) != nil {
			continue
		}
		for kind, id := range map[string]any{"visitor": e.Visitor, "user": e.User, "email": e.Email, "company": e.Company} {
			if id != nil {
				people = append(people, [2]string{strings.Replace(kind, "email", "user", 1), fmt.Sprint(id)})
			}
		}
		slices.SortFunc(people, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
		if people = slices.Compact(people); i == 0 || g.IntN(20) > 0 {
			continue
		}
		who := people[g.IntN(len(people))]
		line := fmt.Sprintf(`{"erase":%q,"key":%q`, who[0], who[1])
		if e.Ts != nil {
			line += fmt.Sprintf(`,"ts":%d`, *e.Ts)
		}
		if e.At != nil {
			line += fmt.Sprintf(`,"at":%d`, *e.At)
		}
		out[i] = line + "}"
	}
	return out
}
