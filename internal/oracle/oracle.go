package oracle

import (
	"fmt"
	"strings"
	"time"

	"nudge"
)

// Options are the settings that answers depend on.
type Options struct {
	Lateness    nudge.Millis              // 0: 1 h
	DedupEvents int                       // an event's id is remembered for so many events; 0: 8 Mi
	Suppressed  bool                      // print suppressed firings, too
	Until       nudge.Millis              // the clock goes on to this instant after the last line; 0: it stops there
	Drain       bool                      // after that, every pending timer runs
	Merge       bool                      // an anonymous visitor's past goes to the user that it turns out to be
	Location    *time.Location            // of calendar days; nil: UTC
	Erased      *[]Person                 // gets everybody who is erased; nil: nobody asks
	MaxKept     int                       // up to how many events a number is known that is used as it is; 0: all of them
	Evaluations *int                      // grows by the conditions that are evaluated, when on both sides of an instant and unless; nil: nobody asks
	MailDomain  func(email string) string // company domain of a lower-cased mail address, "": none; nil: what follows the @, except three free-mail domains
}

// dedupFor is how long an id is remembered at most.
const dedupFor nudge.Millis = 86_400_000

func (o *Options) defaults() {
	if o.Lateness == 0 {
		o.Lateness = 3_600_000
	}
	if o.DedupEvents == 0 {
		o.DedupEvents = 8 << 20
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.MailDomain == nil {
		o.MailDomain = domainAfterAt
	}
}

// run is one pass over a stream.
type run struct {
	Options
	world   world
	started bool // there is a clock
	clock   nudge.Millis
	events  int                // so far, dropped ones too
	applied map[string]applied // by sameEvent
	out     []string
}

// applied is when an id was last applied.
type applied struct {
	event int
	at    nudge.Millis
}

// Run prints what `nudge replay` prints for the lines: one native JSON event each, line n at index n − 1; blank ones are passed over.
// A line that is refused ends the run with an error; the lines printed so far come with it.
func Run(rules []Rule, lines []string, o Options) ([]string, error) {
	o.defaults()
	r := &run{Options: o, applied: map[string]applied{}}
	r.world = world{
		rules: map[string][]*rule{},
		keys:  map[[2]string]*key{},
		merge: o.Merge, anonymous: map[string]*key{}, kept: map[string]kept{},
		identity: identity{
			userOf: map[string]string{}, companyOfUser: map[string]string{}, companyOf: map[string]string{}, mailDomain: o.MailDomain,
			usersOf: map[string][]string{}, visitorsOf: map[string][]string{}, mails: map[string][]string{},
		},
	}
	for _, text := range rules {
		parsed, err := parseRule(text)
		if err != nil {
			return nil, err
		}
		parsed.location = o.Location
		if o.MaxKept > 0 {
			r.world.noteKept(parsed, o.MaxKept)
		}
		r.world.addRule(parsed)
	}
	for i, text := range lines {
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := r.line(nudge.Offset(i+1), text); err != nil {
			return r.out, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if r.started && o.Until > r.clock {
		r.timers(o.Until)
	}
	if o.Drain {
		r.timers(ever)
	}
	if o.Evaluations != nil {
		*o.Evaluations += r.world.evaluations
	}
	return r.out, nil
}

// line takes one event in: stamp, timers up to it, de-duplication, identity, rules.
func (r *run) line(n nudge.Offset, text string) error {
	s, l, err := readSpecial(text)
	if err != nil {
		return err
	}
	if s != nil {
		return r.special(n, s, l)
	}
	if l, err = readLine(text); err != nil {
		return err
	}
	e, err := r.stamp(n, l)
	if err != nil {
		return err
	}
	r.timers(e.at)
	if r.duplicate(l, e.at) {
		return nil
	}
	user, company := r.world.identity.resolve(l)
	setText(e.fields, "user", user)
	setText(e.fields, "company", company)
	r.print(r.world.instant(e.at, e, r.world.keysOf(e)))
	return nil
}

// stamp: "at = max(clock, the line's own at, or else its ts) and ts = min(ts, at); without ts, ts = at".
func (r *run) stamp(n nudge.Offset, l *line) (*row, error) {
	at := r.clock
	own, given := l.at, l.hasAt
	if !given {
		own, given = l.ts, l.hasTs
	}
	if !given && !r.started {
		return nil, fmt.Errorf("ts: the first line needs one, or an at")
	}
	if given && (own > at || !r.started) {
		at = own
	}
	ts := at
	if l.hasTs {
		ts = min(l.ts, at)
	}
	r.started, r.clock = true, at
	e := &row{line: n, ts: ts, at: at, history: at-ts > r.Lateness, source: l.whose(), fields: l.fields}
	for name, text := range map[string]string{"id": l.id, "type": l.typ, "visitor": l.visitor, "email": strings.ToLower(l.email)} {
		setText(e.fields, name, text)
	}
	e.fields["ts"] = nudge.NumberValue(float64(ts))
	e.fields["at"] = nudge.NumberValue(float64(at))
	return e, nil
}

// duplicate says whether an event is to be dropped. A dropped one extends nothing.
func (r *run) duplicate(l *line, at nudge.Millis) bool {
	r.events++
	if l.id == "" {
		return false
	}
	last, seen := r.applied[l.sameEvent()]
	if seen && r.events-last.event < r.DedupEvents && at-last.at < dedupFor {
		return true
	}
	r.applied[l.sameEvent()] = applied{event: r.events, at: at}
	return false
}

// timers runs all timers due at or before an instant, ms by ms.
func (r *run) timers(until nudge.Millis) {
	for {
		t, due := r.world.nextTimer()
		if t == 0 || t > until {
			return
		}
		r.print(r.world.instant(t, nil, due))
	}
}

// print adds the lines of firings, each followed by those that its fired event caused.
func (r *run) print(firings []*firing) {
	for _, f := range firings {
		if f.Suppressed == "" || r.Suppressed {
			r.out = append(r.out, string(f.AppendJSON(nil)))
		}
		r.print(f.caused)
	}
}
