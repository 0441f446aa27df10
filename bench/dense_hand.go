package bench

import (
	"strings"

	"nudge"
)

// denseHand is the rules of the workload "dense-N" written by hand: as nobody writes ten thousand of them, a table of windows and thresholds for each section, and
// a loop for each shape. One goroutine, a map from text to an index, a struct for each key with a state for each rule.
type denseHand struct {
	handTexts
	sections  map[string]*denseTable
	visitors  []denseVisitor
	index     map[string]int32
	users     map[string]*denseState
	companies map[string]*denseState
	dwells    []denseTimer // ascending by deadline, from due on
	due       int
	firings   []handFiring
}

// denseTable is the rules of a section.
type denseTable struct {
	prefix string // of its paths
	rules  [denseShapes][]denseHandRule
}

// denseHandRule is one of them.
type denseHandRule struct {
	denseRule
	number int
	path   string // of its page
}

type denseVisitor struct {
	name   string
	states []denseState // most have one
}

// denseState is what the rules of a section keep of a key: a visitor has those of all shapes but two, a user and a company have one.
type denseState struct {
	of        *denseTable
	counts    []recentTimes
	ranks     []recentTimes
	paths     []newestTexts
	viewed    []nudge.Millis // bought: the newest page view
	purchases [2]nudge.Millis
	waits     []handWait
	firsts    []nudge.Millis
	users     []newestTexts
}

// recentTimes are the newest times, a ring once it is full.
type recentTimes struct {
	times  []nudge.Millis
	oldest int
}

func (r *recentTimes) add(at nudge.Millis, most int) {
	if len(r.times) < most {
		r.times = append(r.times, at)
		return
	}
	r.times[r.oldest] = at
	if r.oldest++; r.oldest == most {
		r.oldest = 0
	}
}

func (r *recentTimes) full(since nudge.Millis, most int) bool {
	return len(r.times) == most && r.times[r.oldest] > since
}

// newestTexts are the newest different texts with their times, newest first.
type newestTexts []seenText

type seenText struct {
	text string
	at   nudge.Millis
}

func (n *newestTexts) add(text string, at nudge.Millis, most int) {
	all := *n
	from := 0
	for from < len(all) && all[from].text != text {
		from++
	}
	switch {
	case from < len(all):
		text = all[from].text
	case from < most:
		all = append(all, seenText{})
		*n = all
		text = strings.Clone(text)
	default:
		from--
		text = strings.Clone(text)
	}
	copy(all[1:from+1], all[:from])
	all[0] = seenText{text, at}
}

func (n newestTexts) full(since nudge.Millis, most int) bool {
	return len(n) == most && n[most-1].at > since
}

type denseTimer struct {
	deadline nudge.Millis
	visitor  int32
	state    int32
	rule     int32
}

func newDenseHand(s *stream) handProgram {
	h := &denseHand{handTexts: handTexts{s.buf}, sections: map[string]*denseTable{}, index: map[string]int32{}, users: map[string]*denseState{}, companies: map[string]*denseState{}}
	for i := range s.load.ids() {
		r := denseRuleOf(i)
		name := denseSection(r.section)
		t := h.sections[name]
		if t == nil {
			t = &denseTable{prefix: "/" + name + "/"}
			h.sections[name] = t
		}
		t.rules[r.shape] = append(t.rules[r.shape], denseHandRule{r, i, densePath(name, r.page)})
	}
	return h
}

func (h *denseHand) apply(e *event) {
	h.timers(e.at)
	t := h.sections[h.text(e.form)]
	i := h.visitor(h.text(e.visitor))
	s, which := h.stateOf(i, t)
	switch e.kind {
	case pageView:
		h.viewed(t, s, i, which, e)
	case pageLeave:
		for w := range s.waits {
			s.waits[w].open, s.waits[w].pulsed = false, false
		}
	case purchase:
		h.bought(t, s, h.visitors[i].name, e.at)
	}
}

func (h *denseHand) visitor(name string) int32 {
	i, ok := h.index[name]
	if !ok {
		i = int32(len(h.visitors))
		name = strings.Clone(name)
		h.visitors = append(h.visitors, denseVisitor{name: name})
		h.index[name] = i
	}
	return i
}

func (h *denseHand) stateOf(visitor int32, t *denseTable) (s *denseState, which int32) {
	v := &h.visitors[visitor]
	for i := range v.states {
		if v.states[i].of == t {
			return &v.states[i], int32(i)
		}
	}
	times := func(n int) []nudge.Millis {
		all := make([]nudge.Millis, n)
		for i := range all {
			all[i] = long
		}
		return all
	}
	v.states = append(v.states, denseState{
		of: t, counts: make([]recentTimes, len(t.rules[denseCount])), ranks: make([]recentTimes, len(t.rules[denseRank])),
		paths: make([]newestTexts, len(t.rules[denseDistinct])), viewed: times(len(t.rules[denseBought])), waits: make([]handWait, len(t.rules[denseDwell])),
		firsts: times(len(t.rules[denseFirst])), purchases: [2]nudge.Millis{long, long},
	})
	return &v.states[len(v.states)-1], int32(len(v.states) - 1)
}

// viewed is a page view.
func (h *denseHand) viewed(t *denseTable, s *denseState, visitor, which int32, e *event) {
	name, path, at, inside := h.visitors[visitor].name, h.text(e.path), e.at, strings.HasPrefix(h.text(e.path), t.prefix)
	for i := range t.rules[denseCount] {
		if r := &t.rules[denseCount][i]; path != r.path {
			h.counted(&s.counts[i], r, name, at)
		}
	}
	for i := range t.rules[denseDistinct] {
		if r := &t.rules[denseDistinct][i]; inside && path != r.path {
			h.told(&s.paths[i], r, r.threshold, path, name, at)
		}
	}
	for i := range t.rules[denseBought] {
		r := &t.rules[denseBought][i]
		if path == r.path {
			continue
		}
		if s.viewed[i] <= at-day && s.purchases[1] > at-r.window {
			h.fire(r, name, at)
		}
		s.viewed[i] = at
	}
	for i := range t.rules[denseDwell] {
		if r := &t.rules[denseDwell][i]; path == r.path && !s.waits[i].open && !s.waits[i].pulsed {
			s.waits[i].open, s.waits[i].from = true, at
			h.dwells = append(h.dwells, denseTimer{at + handDwell, visitor, which, int32(i)})
		}
	}
	for i := range t.rules[denseFirst] {
		if r := &t.rules[denseFirst][i]; int(e.rank) >= r.rank {
			if s.firsts[i] <= at-r.window && s.purchases[0] > at-30*day {
				h.fire(r, name, at)
			}
			s.firsts[i] = at
		}
	}
	for i := range t.rules[denseRank] {
		if r := &t.rules[denseRank][i]; inside && int(e.rank) != r.rank {
			h.counted(&s.ranks[i], r, name, at)
		}
	}
	if user := h.text(e.user); user != "" {
		h.ofUser(t, user, path, at)
		h.ofCompany(t, h.text(e.company), user, path, at)
	}
}

func (h *denseHand) counted(times *recentTimes, r *denseHandRule, key string, at nudge.Millis) {
	was := times.full(at-r.window, r.threshold)
	times.add(at, r.threshold)
	if !was && times.full(at-r.window, r.threshold) {
		h.fire(r, key, at)
	}
}

func (h *denseHand) told(texts *newestTexts, r *denseHandRule, most int, text, key string, at nudge.Millis) {
	was := texts.full(at-r.window, most)
	texts.add(text, at, most)
	if !was && texts.full(at-r.window, most) {
		h.fire(r, key, at)
	}
}

// bought is a purchase.
func (h *denseHand) bought(t *denseTable, s *denseState, name string, at nudge.Millis) {
	for i := range t.rules[denseBought] {
		if r := &t.rules[denseBought][i]; s.viewed[i] > at-day && s.purchases[1] <= at-r.window && s.purchases[0] > at-r.window {
			h.fire(r, name, at)
		}
	}
	s.purchases[0], s.purchases[1] = at, s.purchases[0]
}

func (h *denseHand) ofUser(t *denseTable, user, path string, at nudge.Millis) {
	s := h.users[user]
	if s == nil {
		s = &denseState{counts: make([]recentTimes, len(t.rules[denseUser]))}
		h.users[strings.Clone(user)] = s
	}
	for i := range t.rules[denseUser] {
		if r := &t.rules[denseUser][i]; path != r.path {
			h.counted(&s.counts[i], r, user, at)
		}
	}
}

func (h *denseHand) ofCompany(t *denseTable, company, user, path string, at nudge.Millis) {
	s := h.companies[company]
	if s == nil {
		s = &denseState{users: make([]newestTexts, len(t.rules[denseCompany]))}
		h.companies[strings.Clone(company)] = s
	}
	for i := range t.rules[denseCompany] {
		if r := &t.rules[denseCompany][i]; path != r.path {
			h.told(&s.users[i], r, denseUsers, user, company, at)
		}
	}
}

// timers runs the dwells that are due.
func (h *denseHand) timers(at nudge.Millis) {
	for ; h.due < len(h.dwells) && h.dwells[h.due].deadline <= at; h.due++ {
		d := h.dwells[h.due]
		v := &h.visitors[d.visitor]
		s := &v.states[d.state]
		if w := &s.waits[d.rule]; w.open && w.from+handDwell == d.deadline {
			w.open, w.pulsed = false, true
			h.fire(&s.of.rules[denseDwell][d.rule], v.name, d.deadline)
		}
	}
}

func (h *denseHand) fire(r *denseHandRule, key string, at nudge.Millis) {
	h.firings = append(h.firings, handFiring{r.number, key, at})
}

func (h *denseHand) fired() []handFiring { return h.firings }
func (h *denseHand) forget()             { h.firings = nil }
func (h *denseHand) keys() int           { return len(h.visitors) + len(h.users) + len(h.companies) }
