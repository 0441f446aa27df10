package bench

import (
	"fmt"
	"strings"

	"nudge/rules"
)

// sharedRule is a rule that both servers can say, each in its own language. It is a view of a page of prices, of any or of one; or else a visitor's
// so-many-th page view within 30 days.
type sharedRule struct {
	id    string
	any   bool // page of prices
	page  int  // of the pages of prices, where any is false
	views int  // 0: it is about pages of prices
}

// ruleSet is what a server is given at once.
type ruleSet struct {
	name  string
	rules []sharedRule
}

// sharedSets are the sets that are measured.
func sharedSets() []ruleSet {
	one := ruleSet{name: "1 rule", rules: []sharedRule{{id: "prices", any: true}}}
	ten, counting := ruleSet{name: "10 rules"}, ruleSet{name: "10 rules, 5 of them count"}
	for page := range sixPricing {
		ten.rules = append(ten.rules, sharedRule{id: fmt.Sprintf("price%d", page), page: page})
	}
	counting.rules = append(counting.rules, ten.rules[:5]...)
	for _, views := range []int{2, 3, 5, 10, 20} {
		counting.rules = append(counting.rules, sharedRule{id: fmt.Sprintf("views%d", views), views: views})
	}
	return []ruleSet{one, ten, counting}
}

// sources are the rules in Nudge's language.
func (s *ruleSet) sources() (all []rules.Source) {
	for _, r := range s.rules {
		all = append(all, rules.Source{File: r.id + ".expr", Text: fmt.Sprintf("{per: visitor, when: %s, then: alert(%q, {})}", r.expr(), r.id)})
	}
	return all
}

func (r *sharedRule) expr() string {
	switch {
	case r.views > 0:
		return fmt.Sprintf(`count(page_view, "30d") >= %d`, r.views)
	case r.any:
		return `on(page_view and path startsWith "/pricing")`
	}
	return fmt.Sprintf(`on(page_view and path == "/pricing/%d")`, r.page)
}

// sql is the rule in eKuiper's language. A count is said by what it can say exactly and at a price that does not grow with the window: the time of the
// visitor's n-th last view; a rise is that that lies in the window now, and the one before it, which was the n-th last before this view, did not.
func (r *sharedRule) sql(stream string) string {
	const window = 30 * day
	var test string
	switch {
	case r.views > 0:
		ago := func(n int) string {
			return fmt.Sprintf(`event_time() - lag(event_time(), %d, 0) OVER (PARTITION BY visitor WHEN type = "page_view")`, n)
		}
		test = fmt.Sprintf("%s < %d AND %s >= %d", ago(r.views-1), window, ago(r.views), window)
	case r.any:
		test = `startswith(url, "https://www.acme.example/pricing/")`
	default:
		test = fmt.Sprintf(`startswith(url, "https://www.acme.example/pricing/%d?")`, r.page)
	}
	return fmt.Sprintf(`SELECT visitor FROM %s WHERE type = "page_view" AND %s`, stream, test)
}

// expected counts how often the rules of a set are to fire for what is sent to a server that has seen nothing before. It serves one goroutine.
type expected struct {
	rules []sharedRule
	fired []int       // of each rule
	views map[int]int // of each visitor; nil: the rules that count are left out
}

func (s *ruleSet) expected() *expected {
	return &expected{rules: s.rules, fired: make([]int, len(s.rules))}
}

// counting is one that knows the rules that count too.
func (s *ruleSet) counting() *expected {
	d := s.expected()
	d.views = map[int]int{}
	return d
}

func (d *expected) sent(v visit) {
	if v.kind != pageView {
		return
	}
	views := 0
	if d.views != nil {
		d.views[v.visitor]++
		views = d.views[v.visitor]
	}
	for i := range d.rules {
		r := &d.rules[i]
		if r.views > 0 && r.views == views || r.views == 0 && v.path < sixPricing && (r.any || r.page == v.path) {
			d.fired[i]++
		}
	}
}

// compare says where firings are not those that are due.
func (d *expected) compare(fired []int) error {
	var wrong []string
	for i, r := range d.rules {
		if fired[i] != d.fired[i] {
			wrong = append(wrong, fmt.Sprintf("%s fires %d times, want %d", r.id, fired[i], d.fired[i]))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("its firings are not those that are due: %s", strings.Join(wrong, "; "))
	}
	return nil
}

// uncounted adds up the firings of the rules that do not count.
func (s *ruleSet) uncounted(fired []int) (total int) {
	for i, r := range s.rules {
		if r.views == 0 {
			total += fired[i]
		}
	}
	return total
}

func sum(fired []int) (total int) {
	for _, n := range fired {
		total += n
	}
	return total
}
