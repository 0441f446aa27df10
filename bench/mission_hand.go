package bench

import (
	"slices"
	"strings"

	"nudge"
)

// missionHand is the twelve rules written by hand for exactly them, as hand is for those of "six": one goroutine, a map from text to an
// index, a struct per key, queues for the three deadlines, whose lengths are fixed. It knows no late event, no duplicate, no crash.
type missionHand struct {
	handTexts
	index     map[string]int32
	visitors  []missionVisitor
	users     map[string]*missionUser
	companies map[string]*missionCompany
	queues    [3]handQueue  // dwell, report, form
	pasts     []missionUser // by visitor: what it did before it was a user; nil: no stream of ours has any
	firings   []handFiring
}

type missionVisitor struct {
	name    string
	demo    handWait // m01
	report  handWait // m04
	form    handWait // m05
	views   recent[[20]nudge.Millis]
	days    newestOf[int64, [3]int64, [3]nudge.Millis]
	pricing recent[[3]nudge.Millis]
	paths   newestOf[string, [8]string, [8]nudge.Millis]
	seen    nudge.Millis // m06: the newest page view
	count   int8         // m06: page views, up to 2
	isUser  bool
}

type missionUser struct {
	views    recent[[15]nudge.Millis]
	submit   nudge.Millis // the newest form submitted
	signup   nudge.Millis
	busyAt   nudge.Millis // the last delivered firing of m08, m09
	reportAt nudge.Millis
}

type missionCompany struct {
	people  newestOf[string, [3]string, [3]nudge.Millis]
	pricing recent[[5]nudge.Millis]
	buyers  newestOf[string, [2]string, [2]nudge.Millis]
	firedAt nudge.Millis
}

// long is a time before everything.
const long = nudge.Millis(-1 << 60)

// handWait is a wait with a deadline.
type handWait struct {
	from         nudge.Millis
	open, pulsed bool
}

// handQueue is deadlines of one length, ascending.
type handQueue struct {
	timers []handTimer
	next   int
}

// recent is the newest times, a ring.
type recent[A any] struct {
	times A
	at, n int8
}

func ringAdd(times []nudge.Millis, at, n *int8, t nudge.Millis) {
	times[*at] = t
	*at = (*at + 1) % int8(len(times))
	*n = min(*n+1, int8(len(times)))
}

// ringFull says whether all of the ring lies behind since.
func ringFull(times []nudge.Millis, at, n int8, since nudge.Millis) bool {
	return int(n) == len(times) && times[at] > since
}

// newestOf is the newest different values with their times, newest first.
type newestOf[V comparable, A, T any] struct {
	values A
	times  T
	n      int8
}

func valueAdd[V comparable](values []V, times []nudge.Millis, n *int8, v V, t nudge.Millis, own func(V) V) {
	from := 0
	for from < int(*n) && values[from] != v {
		from++
	}
	if from == int(*n) {
		v = own(v)
		*n = min(*n+1, int8(len(values)))
		from = min(from, len(values)-1)
	} else {
		v = values[from]
	}
	copy(values[1:from+1], values[:from])
	copy(times[1:from+1], times[:from])
	values[0], times[0] = v, t
}

func valuesFull(times []nudge.Millis, n int8, since nudge.Millis) bool {
	return int(n) == len(times) && times[n-1] > since
}

func ownDay(d int64) int64 { return d }

func newMissionHand(s *stream) handProgram {
	return &missionHand{handTexts: handTexts{s.buf}, index: map[string]int32{}, users: map[string]*missionUser{}, companies: map[string]*missionCompany{}}
}

// newSignInHand is newMissionHand for streams in which visitors become users: what they did before counts for the user.
func newSignInHand(s *stream) handProgram {
	h := newMissionHand(s).(*missionHand)
	h.pasts = []missionUser{}
	return h
}

const (
	hour         = 60 * 60 * second
	missionDwell = 20 * second
)

var missionDelays = [3]nudge.Millis{missionDwell, 3 * day, hour}

func (h *missionHand) apply(e *event) {
	for q := range h.queues {
		h.timers(q, e.at)
	}
	i := h.visitor(h.text(e.visitor))
	v := &h.visitors[i]
	demo := e.kind == formView && h.text(e.form) == "demo"
	switch e.kind {
	case pageView:
		v.demo.open, v.demo.pulsed, v.report.open = false, false, false
		h.viewed(v, h.text(e.path), e.at)
	case pageLeave:
		v.demo.open, v.demo.pulsed = false, false
	case formSubmit:
		v.demo.open, v.demo.pulsed, v.form.open = false, false, false
	case formView:
		if demo {
			h.wait(0, &v.demo, i, e.at)
			h.wait(2, &v.form, i, e.at)
		}
	case reportCreated:
		h.wait(1, &v.report, i, e.at)
	}
	user := h.text(e.user)
	if h.pasts != nil && user == "" {
		h.pasts[i].took(e)
	}
	if user != "" {
		h.ofUser(user, e, h.pastOf(i))
		if e.kind == pageView {
			h.ofCompany(h.text(e.company), user, h.text(e.path), e.at)
		}
	}
}

func (h *missionHand) wait(queue int, w *handWait, visitor int32, at nudge.Millis) {
	if !w.open && !w.pulsed {
		w.open, w.from = true, at
		h.queues[queue].timers = append(h.queues[queue].timers, handTimer{at + missionDelays[queue], visitor})
	}
}

// timers runs a queue's deadlines that are due.
func (h *missionHand) timers(queue int, at nudge.Millis) {
	q := &h.queues[queue]
	for ; q.next < len(q.timers) && q.timers[q.next].deadline <= at; q.next++ {
		t := q.timers[q.next]
		v := &h.visitors[t.visitor]
		w := [...]*handWait{&v.demo, &v.report, &v.form}[queue]
		if w.open && w.from+missionDelays[queue] == t.deadline {
			w.open, w.pulsed = false, queue == 0
			h.fire([...]int{m01, m04, m05}[queue], v.name, t.deadline)
		}
	}
}

func (h *missionHand) visitor(name string) int32 {
	i, ok := h.index[name]
	if !ok {
		i = int32(len(h.visitors))
		name = strings.Clone(name)
		h.visitors = append(h.visitors, missionVisitor{name: name, seen: long})
		if h.pasts != nil {
			h.pasts = append(h.pasts, newMissionUser())
		}
		h.index[name] = i
	}
	return i
}

// viewed is m02, m03, m06 and m07.
func (h *missionHand) viewed(v *missionVisitor, path string, at nudge.Millis) {
	engaged := func() bool {
		return ringFull(v.views.times[:], v.views.at, v.views.n, at-30*day) && valuesFull(v.days.times[:], v.days.n, at-30*day)
	}
	was := engaged()
	ringAdd(v.views.times[:], &v.views.at, &v.views.n, at)
	valueAdd(v.days.values[:], v.days.times[:], &v.days.n, int64(at/day), at, ownDay)
	if !was && engaged() {
		h.fire(m02, v.name, at)
	}
	if strings.HasPrefix(path, "/pricing") {
		was := ringFull(v.pricing.times[:], v.pricing.at, v.pricing.n, at-7*day)
		ringAdd(v.pricing.times[:], &v.pricing.at, &v.pricing.n, at)
		if !was && ringFull(v.pricing.times[:], v.pricing.at, v.pricing.n, at-7*day) {
			h.fire(m03, v.name, at)
		}
	}
	v.count = min(v.count+1, 2)
	if v.seen <= at-14*day && v.count == 2 {
		h.fire(m06, v.name, at)
	}
	v.seen = at
	was = valuesFull(v.paths.times[:], v.paths.n, at-day)
	valueAdd(v.paths.values[:], v.paths.times[:], &v.paths.n, path, at, strings.Clone)
	if !was && valuesFull(v.paths.times[:], v.paths.n, at-day) {
		h.fire(m07, v.name, at)
	}
}

// pastOf is what a visitor did before it was a user, once: at the event by which it becomes one.
func (h *missionHand) pastOf(visitor int32) *missionUser {
	v := &h.visitors[visitor]
	if h.pasts == nil || v.isUser {
		return nil
	}
	v.isUser = true
	return &h.pasts[visitor]
}

func newMissionUser() missionUser {
	return missionUser{submit: long, signup: long, busyAt: long, reportAt: long}
}

// took notes an event.
func (u *missionUser) took(e *event) {
	switch e.kind {
	case pageView:
		ringAdd(u.views.times[:], &u.views.at, &u.views.n, e.at)
	case formSubmit:
		u.submit = e.at
	case signup:
		u.signup = e.at
	}
}

// join adds what happened before.
func (u *missionUser) join(past *missionUser) {
	var times []nudge.Millis
	for _, r := range []*recent[[15]nudge.Millis]{&u.views, &past.views} {
		times = append(times, r.times[:r.n]...)
	}
	slices.Sort(times)
	u.views = recent[[15]nudge.Millis]{}
	for _, t := range times {
		ringAdd(u.views.times[:], &u.views.at, &u.views.n, t)
	}
	u.submit, u.signup = max(u.submit, past.submit), max(u.signup, past.signup)
}

func (u *missionUser) busy(at nudge.Millis) bool {
	return ringFull(u.views.times[:], u.views.at, u.views.n, at-7*day)
}

// ofUser is m08, m09 and m10. past joins the user by the event, if there is one.
func (h *missionHand) ofUser(user string, e *event, past *missionUser) {
	u := h.users[user]
	if u == nil {
		fresh := newMissionUser()
		u = &fresh
		h.users[strings.Clone(user)] = u
	}
	views := past != nil || e.kind == pageView
	was := views && u.busy(e.at)
	if past != nil {
		u.join(past)
	}
	signed := u.signup
	u.took(e)
	if views && !was && u.busy(e.at) && e.at-u.busyAt >= 7*day {
		u.busyAt = e.at
		h.fire(m08, user, e.at)
	}
	switch e.kind {
	case reportCreated:
		if u.submit <= e.at-day && e.at-u.reportAt >= day {
			u.reportAt = e.at
			h.fire(m09, user, e.at)
		}
	case signup:
		if signed <= e.at-30*day {
			h.fire(m10, user, e.at)
		}
	}
}

// ofCompany is m11 and m12.
func (h *missionHand) ofCompany(company, user, path string, at nudge.Millis) {
	c := h.companies[company]
	if c == nil {
		c = &missionCompany{firedAt: long}
		h.companies[strings.Clone(company)] = c
	}
	was := valuesFull(c.people.times[:], c.people.n, at-7*day)
	valueAdd(c.people.values[:], c.people.times[:], &c.people.n, user, at, strings.Clone)
	if !was && valuesFull(c.people.times[:], c.people.n, at-7*day) {
		h.fire(m11, company, at)
	}
	if !strings.HasPrefix(path, "/pricing") {
		return
	}
	compares := func() bool {
		return ringFull(c.pricing.times[:], c.pricing.at, c.pricing.n, at-7*day) && valuesFull(c.buyers.times[:], c.buyers.n, at-7*day)
	}
	was = compares()
	ringAdd(c.pricing.times[:], &c.pricing.at, &c.pricing.n, at)
	valueAdd(c.buyers.values[:], c.buyers.times[:], &c.buyers.n, user, at, strings.Clone)
	if !was && compares() && at-c.firedAt >= day {
		c.firedAt = at
		h.fire(m12, company, at)
	}
}

func (h *missionHand) fire(rule int, key string, at nudge.Millis) {
	h.firings = append(h.firings, handFiring{rule, key, at})
}

func (h *missionHand) fired() []handFiring { return h.firings }
func (h *missionHand) forget()             { h.firings = nil }
func (h *missionHand) keys() int           { return len(h.visitors) + len(h.users) + len(h.companies) }
