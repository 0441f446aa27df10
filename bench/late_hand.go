package bench

import (
	"strings"

	"nudge"
)

// lateHand is the six rules by hand, as hand is, for events that come late: newest times and values are kept sorted, waits and partial matches go by when
// things happened, deadlines lie in a heap. It knows no duplicate, no crash, no second shard, no other rule.
type lateHand struct {
	handTexts
	index     map[string]int32
	visitors  []lateVisitor
	companies map[string]*lateCompany
	timers    lateTimers
	firings   []handFiring
}

type lateVisitor struct {
	name    string
	dwell   lateWait // R1
	absence lateWait // R6
	views   lateTimes[[handViews]nudge.Millis]
	pricing lateTimes[[3]nudge.Millis]
	days    lateValues[int64]
	price   nudge.Millis // R4: when the newest price was looked at
	priced  bool
}

// lateCompany is R3.
type lateCompany struct{ users lateValues[string] }

// lateWait is a wait with a deadline.
type lateWait struct {
	from     nudge.Millis // when it was opened, by the event's own time
	deadline nudge.Millis
	ending   nudge.Millis // the newest event that ends it
	ended    bool         // there was one
	open     bool
	pulsed   bool // R1: it has fired, and the visitor has not left
	left     bool // R1: while it was open the visitor left, but not in time
}

// lateTimes is the newest times, newest first.
type lateTimes[A any] struct {
	times A
	n     int8
}

func lateAdd(times []nudge.Millis, n *int8, t nudge.Millis) {
	i := int(*n)
	for i > 0 && times[i-1] < t {
		i--
	}
	if i == len(times) {
		return
	}
	*n = min(*n+1, int8(len(times)))
	copy(times[i+1:*n], times[i:])
	times[i] = t
}

// lateValues is the three different values with the newest times, newest first.
type lateValues[V comparable] struct {
	values [3]V
	times  [3]nudge.Millis
	n      int8
}

func (l *lateValues[V]) add(v V, t nudge.Millis, own func(V) V) {
	from := 0
	for from < int(l.n) && l.values[from] != v {
		from++
	}
	switch {
	case from < int(l.n) && l.times[from] >= t:
		return
	case from < int(l.n):
		v = l.values[from]
	case from == len(l.values):
		if from--; l.times[from] >= t {
			return
		}
		v = own(v)
	default:
		v = own(v)
		l.n++
	}
	for ; from > 0 && l.times[from-1] < t; from-- {
		l.values[from], l.times[from] = l.values[from-1], l.times[from-1]
	}
	l.values[from], l.times[from] = v, t
}

func newLateHand(s *stream) handProgram {
	return &lateHand{handTexts: handTexts{s.buf}, index: map[string]int32{}, companies: map[string]*lateCompany{}}
}

// handLateness is from when on a late event opens and completes nothing.
const handLateness = 60 * 60 * second

func (h *lateHand) apply(e *event) {
	h.run(e.at)
	i := h.visitor(h.text(e.visitor))
	v := &h.visitors[i]
	inTime := e.at-e.ts <= handLateness
	switch e.kind {
	case pageView:
		v.absence.end(e.ts, handAbsence)
		h.engaged(v, e)
		if strings.HasPrefix(h.text(e.path), "/pricing") {
			h.prices(v, e, inTime)
		}
		if company := h.text(e.company); company != "" {
			h.people(company, h.text(e.user), e)
		}
	case formView:
		if inTime && h.text(e.form) == "demo" {
			h.demo(i, v, e)
		}
	case pageLeave:
		v.dwell.end(e.ts, handDwell)
	case reportCreated:
		if inTime {
			h.open(&v.absence, handR6, i, e, handAbsence)
		}
	}
}

// open begins a wait, unless it is open, waits for the visitor to leave, or has ended before it began.
func (h *lateHand) open(w *lateWait, rule int, visitor int32, e *event, length nudge.Millis) {
	if w.open || w.pulsed || w.ended && e.ts < w.ending {
		return
	}
	w.open, w.left, w.from, w.deadline = true, false, e.ts, max(e.ts+length, e.at+1)
	h.timers.push(lateTimer{w.deadline, visitor, rule})
}

// end is an event that ends the wait if it happened within it.
func (w *lateWait) end(ts, length nudge.Millis) {
	if !w.ended || ts > w.ending {
		w.ended, w.ending = true, ts
	}
	switch {
	case ts < w.from:
	case w.open && ts < w.from+length:
		w.open = false
	case w.open:
		w.left = true
	default:
		w.pulsed = false
	}
}

// run lets the deadlines come that are due at or before an instant. A timer whose wait has ended, or ended and begun anew, does nothing.
func (h *lateHand) run(at nudge.Millis) {
	for len(h.timers) > 0 && h.timers[0].deadline <= at {
		t := h.timers.pop()
		v := &h.visitors[t.visitor]
		w := &v.dwell
		if t.rule == handR6 {
			w = &v.absence
		}
		if w.open && w.deadline == t.deadline {
			w.open, w.pulsed = false, t.rule == handR1 && !w.left
			h.fire(t.rule, v.name, t.deadline)
		}
	}
}

func (h *lateHand) visitor(name string) int32 {
	i, ok := h.index[name]
	if !ok {
		i = int32(len(h.visitors))
		name = strings.Clone(name)
		h.visitors = append(h.visitors, lateVisitor{name: name})
		h.index[name] = i
	}
	return i
}

// engaged is R2.
func (h *lateHand) engaged(v *lateVisitor, e *event) {
	was := v.isEngaged(e.at)
	lateAdd(v.views.times[:], &v.views.n, e.ts)
	v.days.add(int64(e.ts/day), e.ts, ownDay)
	if !was && v.isEngaged(e.at) {
		h.fire(handR2, v.name, e.at)
	}
}

func (v *lateVisitor) isEngaged(at nudge.Millis) bool {
	return valuesFull(v.views.times[:], v.views.n, at-handWindow) && valuesFull(v.days.times[:], v.days.n, at-handWindow)
}

// demo is R1 and the end of R4.
func (h *lateHand) demo(i int32, v *lateVisitor, e *event) {
	h.open(&v.dwell, handR1, i, e, handDwell)
	if v.priced && e.ts >= v.price && e.ts-v.price < handSoon {
		v.priced = false
		h.fire(handR4, v.name, e.at)
	}
}

// prices is R5 and the beginning of R4.
func (h *lateHand) prices(v *lateVisitor, e *event, inTime bool) {
	if inTime && (!v.priced || e.ts >= v.price) {
		v.priced, v.price = true, e.ts
	}
	was := valuesFull(v.pricing.times[:], v.pricing.n, e.at-handWeek)
	lateAdd(v.pricing.times[:], &v.pricing.n, e.ts)
	if !was && valuesFull(v.pricing.times[:], v.pricing.n, e.at-handWeek) {
		h.fire(handR5, v.name, e.at)
	}
}

// people is R3.
func (h *lateHand) people(company, user string, e *event) {
	c := h.companies[company]
	if c == nil {
		c = &lateCompany{}
		h.companies[strings.Clone(company)] = c
	}
	was := valuesFull(c.users.times[:], c.users.n, e.at-handWeek)
	c.users.add(user, e.ts, strings.Clone)
	if !was && valuesFull(c.users.times[:], c.users.n, e.at-handWeek) {
		h.fire(handR3, company, e.at)
	}
}

func (h *lateHand) fire(rule int, key string, at nudge.Millis) {
	h.firings = append(h.firings, handFiring{rule, key, at})
}

func (h *lateHand) fired() []handFiring { return h.firings }
func (h *lateHand) forget()             { h.firings = nil }
func (h *lateHand) keys() int           { return len(h.visitors) + len(h.companies) }

// lateTimer is a deadline of a visitor's R1 or R6.
type lateTimer struct {
	deadline nudge.Millis
	visitor  int32
	rule     int
}

// lateTimers is a heap: the earliest deadline first.
type lateTimers []lateTimer

func (h *lateTimers) push(t lateTimer) {
	*h = append(*h, t)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].deadline <= s[i].deadline {
			return
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *lateTimers) pop() lateTimer {
	s := *h
	first, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(s) {
			return first
		}
		if right := least + 1; right < len(s) && s[right].deadline < s[least].deadline {
			least = right
		}
		if s[i].deadline <= s[least].deadline {
			return first
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
