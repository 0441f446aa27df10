package bench

import (
	"strings"
	"unsafe"

	"nudge"
)

// hand is the six rules of the workload written by hand for exactly them, on one goroutine, as an engineer without an engine would: a map from
// text to an index, a struct per visitor, queues for the two deadlines, whose lengths are fixed. It gives the same answers and is the floor
// under the engine's time. It knows no late event, no duplicate, no crash, no second shard, no other rule.
type hand struct {
	handTexts
	index     map[string]int32
	visitors  []handVisitor
	companies map[string]*handCompany
	dwells    []handTimer // ascending by deadline, from firstDwell on
	waits     []handTimer
	dwell     int // first of dwells that is to come
	wait      int
	firings   []handFiring
}

// handVisitor is what the rules of one visitor need.
type handVisitor struct {
	name    string
	opened  nudge.Millis   // R1: the dwell's start
	waited  nudge.Millis   // R6: the report's time
	price   nudge.Millis   // R4: the newest view of a price
	views   []nudge.Millis // R2: the newest 20, a ring once it is full
	oldest  int            // R2: of views
	days    [3]handDay     // R2: the newest 3, newest first
	pricing [3]nudge.Millis
	nDays   int8
	nPrices int8
	open    bool // R1
	pulsed  bool // R1
	priced  bool // R4
	waiting bool // R6
}

type handDay struct {
	day    int64
	newest nudge.Millis
}

// handCompany is R3: the newest 3 users, newest first.
type handCompany struct {
	users  [3]string
	newest [3]nudge.Millis
	n      int
}

type handTimer struct {
	deadline nudge.Millis
	visitor  int32
}

// handFiring is a firing: which rule, for whom, when.
type handFiring struct {
	rule int
	key  string
	at   nudge.Millis
}

// Positions in sixRules.
const (
	handR1 = iota
	handR2
	handR3
	handR4
	handR5
	handR6
)

// Thresholds of the rules.
const (
	handDwell   = 20 * second
	handViews   = 20
	handWindow  = 30 * day
	handAbsence = 3 * day
	handWeek    = 7 * day
	handSoon    = 30 * 60 * second
)

func newHand(s *stream) handProgram {
	return &hand{handTexts: handTexts{s.buf}, index: map[string]int32{}, companies: map[string]*handCompany{}}
}

// handTexts is the stream's bytes, of which an event's texts are spans.
type handTexts struct{ buf []byte }

func (h *handTexts) text(s span) string {
	if s.len == 0 {
		return ""
	}
	return unsafe.String(&h.buf[s.at], s.len)
}

// apply takes one event.
func (h *hand) apply(e *event) {
	h.timers(e.at)
	i := h.visitor(h.text(e.visitor))
	v := &h.visitors[i]
	switch e.kind {
	case pageView:
		v.waiting = false
		h.engaged(v, e.at)
		if strings.HasPrefix(h.text(e.path), "/pricing") {
			h.prices(v, e.at)
		}
		if company := h.text(e.company); company != "" {
			h.people(company, h.text(e.user), e.at)
		}
	case formView:
		if h.text(e.form) == "demo" {
			h.demo(i, v, e.at)
		}
	case pageLeave:
		v.open, v.pulsed = false, false
	case reportCreated:
		if !v.waiting {
			v.waiting, v.waited = true, e.at
			h.waits = append(h.waits, handTimer{e.at + handAbsence, i})
		}
	}
}

// timers runs the deadlines due at or before an instant. A timer whose wait has ended, or ended and begun anew, does nothing.
func (h *hand) timers(at nudge.Millis) {
	for ; h.dwell < len(h.dwells) && h.dwells[h.dwell].deadline <= at; h.dwell++ {
		t := h.dwells[h.dwell]
		if v := &h.visitors[t.visitor]; v.open && v.opened+handDwell == t.deadline {
			v.open, v.pulsed = false, true
			h.fire(handR1, v.name, t.deadline)
		}
	}
	for ; h.wait < len(h.waits) && h.waits[h.wait].deadline <= at; h.wait++ {
		t := h.waits[h.wait]
		if v := &h.visitors[t.visitor]; v.waiting && v.waited+handAbsence == t.deadline {
			v.waiting = false
			h.fire(handR6, v.name, t.deadline)
		}
	}
}

func (h *hand) visitor(name string) int32 {
	i, ok := h.index[name]
	if !ok {
		i = int32(len(h.visitors))
		name = strings.Clone(name)
		h.visitors = append(h.visitors, handVisitor{name: name})
		h.index[name] = i
	}
	return i
}

// engaged is R2.
func (h *hand) engaged(v *handVisitor, at nudge.Millis) {
	before := v.isEngaged(at)
	if len(v.views) < handViews {
		v.views = append(v.views, at)
	} else {
		v.views[v.oldest] = at
		v.oldest = (v.oldest + 1) % handViews
	}
	today := int64(at / day)
	if v.nDays == 0 || v.days[0].day != today {
		copy(v.days[1:], v.days[:2])
		v.days[0].day = today
		v.nDays = min(v.nDays+1, 3)
	}
	v.days[0].newest = at
	if !before && v.isEngaged(at) {
		h.fire(handR2, v.name, at)
	}
}

func (v *handVisitor) isEngaged(at nudge.Millis) bool {
	return len(v.views) == handViews && v.views[v.oldest] > at-handWindow && v.nDays == 3 && v.days[2].newest > at-handWindow
}

// demo is R1 and the end of R4.
func (h *hand) demo(i int32, v *handVisitor, at nudge.Millis) {
	if !v.open && !v.pulsed {
		v.open, v.opened = true, at
		h.dwells = append(h.dwells, handTimer{at + handDwell, i})
	}
	if v.priced && at-v.price < handSoon {
		v.priced = false
		h.fire(handR4, v.name, at)
	}
}

// prices is R5 and the beginning of R4.
func (h *hand) prices(v *handVisitor, at nudge.Millis) {
	v.priced, v.price = true, at
	before := v.nPrices == 3 && v.pricing[2] > at-handWeek
	copy(v.pricing[1:], v.pricing[:2])
	v.pricing[0] = at
	v.nPrices = min(v.nPrices+1, 3)
	if !before && v.nPrices == 3 && v.pricing[2] > at-handWeek {
		h.fire(handR5, v.name, at)
	}
}

// people is R3.
func (h *hand) people(company, user string, at nudge.Millis) {
	c := h.companies[company]
	if c == nil {
		c = &handCompany{}
		h.companies[strings.Clone(company)] = c
	}
	before := c.n == 3 && c.newest[2] > at-handWeek
	from := 0
	for from < c.n && c.users[from] != user {
		from++
	}
	if from == c.n { // a new one
		user = strings.Clone(user)
		c.n = min(c.n+1, 3)
		from = min(from, 2)
	} else {
		user = c.users[from]
	}
	copy(c.users[1:from+1], c.users[:from])
	copy(c.newest[1:from+1], c.newest[:from])
	c.users[0], c.newest[0] = user, at
	if !before && c.n == 3 && c.newest[2] > at-handWeek {
		h.fire(handR3, company, at)
	}
}

func (h *hand) fire(rule int, key string, at nudge.Millis) {
	h.firings = append(h.firings, handFiring{rule, key, at})
}

func (h *hand) fired() []handFiring { return h.firings }
func (h *hand) forget()             { h.firings = nil }
func (h *hand) keys() int           { return len(h.visitors) + len(h.companies) }
