package examples

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"nudge"
)

// The people and the company that a demonstration is about.
const (
	// DemoPerson is two page views short of the rule highly-engaged: the page on which she signs in is one, as what an anonymous visitor
	// saw becomes the user's, and the next is the other.
	DemoPerson = "ana@acme.example"
	// DemoCompany is one person short of the rule hot-company; DemoPerson is one of those it has.
	DemoCompany = "acme.example"
	// DemoColleague works at DemoCompany and has never been seen.
	DemoColleague = "lee@acme.example"
)

// What the history keeps to, so that no rule but the two above is near its threshold.
const (
	historyDays = 21
	demoViews   = 18 // of DemoPerson: highly-engaged asks for 20
	maxViews    = 15 // of anybody else
	recentDays  = 7  // the window of hot-company
	maxRecent   = 2  // people of one company seen within it: hot-company asks for 3

	minute = nudge.Millis(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// History returns native JSON events of three weeks of visits to the site, oldest first, the newest on the day before now. The same
// seed and the same day (UTC) of now give the same events with the same ids, so that posting them twice within that day is harmless.
// Posted on another day they are other visits, and the counts above no longer hold.
func History(seed uint64, now nudge.Millis) [][]byte {
	today := now - now%day
	h := history{
		rng:   rand.New(rand.NewPCG(seed, uint64(today))),
		today: today,
	}
	for _, p := range people {
		h.visits(p)
	}
	slices.SortStableFunc(h.events, func(a, b event) int { return int(a.Ts - b.Ts) })
	lines := make([][]byte, len(h.events))
	for i, e := range h.events {
		e.ID = fmt.Sprintf("demo-%d-%d-%d", seed, today/day, i)
		line, err := json.Marshal(e)
		if err != nil {
			panic("BUG: " + err.Error()) // texts and numbers always marshal
		}
		lines[i] = line
	}
	return lines
}

// event is the native form. The fields are in the order in which people like to read them.
type event struct {
	ID       string         `json:"id"`
	Type     string         `json:"type"`
	Ts       nudge.Millis   `json:"ts"`
	Visitor  string         `json:"visitor"`
	Email    string         `json:"email,omitempty"`
	URL      string         `json:"url,omitempty"`
	Path     string         `json:"path,omitempty"`
	Host     string         `json:"host,omitempty"`
	Title    string         `json:"title,omitempty"`
	Referrer string         `json:"referrer,omitempty"`
	Props    map[string]any `json:"props,omitempty"`
}

// history collects events while people visit.
type history struct {
	rng    *rand.Rand
	today  nudge.Millis // midnight
	events []event
}

// session is one visit of one person.
type session struct {
	*history
	who   person
	ts    nudge.Millis
	views int // pages left to view
}

// visits plays all visits of one person.
func (h *history) visits(p person) {
	plan := h.plan(p)
	for i, v := range plan {
		s := &session{history: h, who: p, views: v.views, ts: h.today - nudge.Millis(v.daysAgo)*day + h.between(8*hour, 17*hour)}
		// DemoPerson came by an invitation that names her from her first page on.
		s.visit(i == 0, p.mail == DemoPerson)
	}
}

// visitPlan says on which day somebody comes and how many pages they view.
type visitPlan struct{ daysAgo, views int }

func (h *history) plan(p person) []visitPlan {
	if p.mail == DemoPerson {
		return []visitPlan{{20, 3}, {16, 3}, {13, 3}, {9, 3}, {5, 3}, {2, 3}} // demoViews altogether
	}
	newest := recentDays + 1
	if p.recent {
		newest = 1
	}
	var plan []visitPlan
	for left := maxViews; len(plan) < p.sessions; {
		v := visitPlan{daysAgo: newest + h.rng.IntN(historyDays-newest), views: 1 + h.rng.IntN(4)}
		if p.recent && len(plan) == 0 {
			v.daysAgo = 1 + h.rng.IntN(recentDays-2)
		}
		if left -= v.views; left < 0 {
			break
		}
		if !slices.ContainsFunc(plan, func(o visitPlan) bool { return o.daysAgo == v.daysAgo }) {
			plan = append(plan, v)
		}
	}
	slices.SortFunc(plan, func(a, b visitPlan) int { return b.daysAgo - a.daysAgo })
	return plan
}

// visit plays one session: some pages, perhaps the form, and who it was once they say so.
func (s *session) visit(first, invited bool) {
	referrer, query := s.arrival(first)
	identified := !first || s.who.mail == ""
	if invited && first {
		s.identify()
		identified = true
	}
	walk := walks[s.rng.IntN(len(walks))]
	for i := range s.views {
		page := walk[i%len(walk)]
		s.view(page, query, referrer)
		query, referrer = "", site+page.path
		if page.form {
			s.form(!identified)
			identified = true
		}
	}
	if !identified {
		s.identify() // by the sign-in box
	}
}

func (s *session) view(p page, query, referrer string) {
	s.add(event{Type: "page_view", URL: site + p.path + query, Path: p.path, Host: host, Title: p.title, Referrer: referrer})
	s.ts += s.between(15_000, 4*minute)
	if !p.form {
		s.add(event{Type: "page_leave", URL: site + p.path, Path: p.path, Host: host, Props: map[string]any{"reason": "left"}})
		s.ts += s.between(50, 400)
	}
}

// form plays the demo form: everybody sees it, some begin, most of those who should say who they are send it.
func (s *session) form(send bool) {
	about := event{URL: site + bookPath, Path: bookPath, Host: host, Props: map[string]any{"form": "demo"}}
	steps := []string{"form_view"}
	if send {
		steps = append(steps, "form_start", "form_submit")
	} else if s.rng.IntN(3) == 0 {
		steps = append(steps, "form_start")
	}
	for _, step := range steps {
		about.Type = step
		if step == "form_submit" {
			s.identify()
		}
		s.add(about)
		s.ts += s.between(2_000, 40_000)
	}
	s.add(event{Type: "page_leave", URL: site + bookPath, Path: bookPath, Host: host, Props: map[string]any{"reason": "left"}})
	s.ts += s.between(50, 400)
}

func (s *session) identify() {
	if s.who.mail != "" {
		s.add(event{Type: "identify", Email: s.who.mail, Props: map[string]any{"name": s.who.name}})
	}
}

func (s *session) add(e event) {
	e.Ts, e.Visitor = s.ts, s.who.visitor
	s.events = append(s.events, e)
}

// arrival is where a session comes from.
func (s *session) arrival(first bool) (referrer, query string) {
	from := arrivals[s.rng.IntN(len(arrivals))]
	if !first {
		return "", from.query // back by a bookmark, or by a mail of ours
	}
	return from.referrer, from.query
}

// between is a random length of time, lo ≤ t < hi.
func (h *history) between(lo, hi nudge.Millis) nudge.Millis {
	return lo + nudge.Millis(h.rng.Int64N(int64(hi-lo)))
}
