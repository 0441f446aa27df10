package oracle

import (
	"strconv"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// key is one visitor, user, company or other text, with everything it ever saw.
type key struct {
	kind      nudge.Kind
	per       string
	text      string
	anonymous bool                      // a visitor's place for what user rules need, while nobody knows the user
	past      past                      // in stamp order, the fired events it has taken among them
	pending   []*row                    // fired events of its own rules that it has not yet taken
	delivered map[string]nudge.Millis   // by rule: at of the last firing that was not suppressed
	pools     map[string][]nudge.Millis // by pool: at of each delivered firing of its live rules
	next      nudge.Millis              // its earliest timer, 0: none

	erased map[part]nudge.Value // what erasures have replaced
	causes map[*row]*row        // what rows say since then as what opened a wait
}

// firing is one line of the answer and what it caused.
type firing struct {
	nudge.Firing
	caused []*firing
	depth  int // how many firings led to it
}

// maxDepth bounds chains of firings: rules that pass `nudge check` have no cycles.
const maxDepth = 1000

// take lets a key take one input to its end: the row e, or its own timers of t where e is nil, and then what its rules fire by it.
func (w *world) take(k *key, t nudge.Millis, e *row) {
	if k.anonymous {
		w.remember(k, e)
		return
	}
	before := k.seenAt(t)
	after := before
	if e == nil {
		before.t, after.input = t-1, byTimer
	} else {
		w.join(k, e)
		w.remember(k, e)
		after = k.seenAt(t)
		after.input = byRow
	}
	var rising []*rule
	for _, r := range w.rules[k.per] {
		before.rule, after.rule = r, r
		if r.isLive(w.line, t) && !w.holds(&before, r.when) && w.holds(&after, r.when) {
			rising = append(rising, r)
		}
	}
	var fired []*row
	for _, r := range rising { // sorted by priority, then id
		after.rule = r
		if f := w.settle(k, r, &after, e); f != nil {
			fired = append(fired, f)
		}
	}
	for _, f := range fired {
		k.forget(f)
		w.take(k, t, f)
	}
	k.next = 0
	end := k.seenAt(t)
	for _, r := range w.rules[k.per] {
		end.rule = r
		if next := end.nextTimer(); next != 0 && (k.next == 0 || next < k.next) {
			k.next = next
		}
	}
}

// holds evaluates a whole condition.
func (w *world) holds(s *state, condition ast.Node) bool {
	w.evaluations++
	return s.isTrue(condition)
}

// seenAt is what conditions look at, without a pulse.
func (k *key) seenAt(t nudge.Millis) state {
	return state{t: t, past: k.past, rows: k.past.rows(), erased: k.erased}
}

// forget takes a fired event off the pending ones.
func (k *key) forget(f *row) {
	for i, p := range k.pending {
		if p == f {
			k.pending = append(k.pending[:i:i], k.pending[i+1:]...)
			return
		}
	}
}

// settle decides one rising rule: unless, cooldown, limit, then delivery. It returns the fired event, nil where there is none.
func (w *world) settle(k *key, r *rule, after *state, e *row) *row {
	cause := e
	if e == nil {
		for i := len(r.waits) - 1; i >= 0; i-- { // the operator that comes first in the text decides
			if start := after.pulsed(r.waits[i]); start != nil {
				cause = k.causeOf(start)
			}
		}
	}
	f := &firing{Firing: nudge.Firing{Rule: r.id, Kind: k.kind, Per: k.per, Key: k.text, At: after.t, Shadow: r.shadow}}
	f.name(e)
	f.Suppressed = w.suppressed(k, r, after)
	f.Actions = actionsOf(r, after, cause)
	if e != nil && e.firing != nil {
		e.firing.caused = append(e.firing.caused, f)
		if f.depth = e.firing.depth + 1; f.depth > maxDepth {
			panic("rules fire each other in a cycle through when, the last one was " + r.id)
		}
	} else {
		w.roots = append(w.roots, f)
	}
	if f.Suppressed != "" {
		return nil
	}
	k.delivered[r.id] = after.t
	if r.shadow {
		return nil
	}
	k.fill(r.limit, after.t)
	fired := w.firedEvent(k, r, f, e, cause)
	k.pending = append(k.pending, fired)
	w.outbox = append(w.outbox, fired)
	return fired
}

// name gives a firing its cause and its id.
func (f *firing) name(e *row) {
	cause := ""
	switch {
	case e == nil:
		cause, f.Cause = nudge.CauseTimer, "timer"
	case e.firing != nil:
		cause = nudge.CauseFired(e.firing.ID)
		f.Cause = cause
	default:
		cause, f.Cause = nudge.CauseRecord(e.line), e.text("id")
		if f.Cause == "" {
			f.Cause = "line:" + strconv.FormatUint(uint64(e.line), 10)
		}
	}
	f.ID = nudge.FiringID(f.Rule, f.Per, f.Key, f.At, cause)
}

func (w *world) suppressed(k *key, r *rule, after *state) string {
	if r.unless != nil {
		s := state{rule: r, t: after.t, erased: after.erased, rows: append(after.rows[:len(after.rows):len(after.rows)], k.pending...)}
		if w.holds(&s, r.unless) {
			return nudge.SuppressedUnless
		}
	}
	if last, ok := k.delivered[r.id]; ok && after.t-last < r.cooldown {
		return nudge.SuppressedCooldown
	}
	if k.full(r.limit, after.t) {
		return nudge.SuppressedLimit
	}
	return ""
}

// firedEvent is the event that a delivered firing of a live rule is. What per reads is that of cause: of the event that opened the wait where time
// alone made it fire.
func (w *world) firedEvent(k *key, r *rule, f *firing, e, cause *row) *row {
	fields := map[string]nudge.Value{}
	walk(r.perNode, func(n ast.Node) { // what per reads
		switch n.(type) {
		case *ast.IdentifierNode, *ast.MemberNode:
			fields[path(n)] = cause.field(path(n))
		}
	})
	user, company := e.text("user"), e.text("company")
	if e == nil {
		user, company = w.identity.known(k)
	}
	setText(fields, "user", user)
	setText(fields, "company", company)
	if k.kind == nudge.KindVisitor {
		setText(fields, "visitor", k.text)
	}
	setText(fields, "type", "fired")
	setText(fields, "rule", r.id)
	setText(fields, "key", k.text)
	fields["ts"] = nudge.NumberValue(float64(f.At))
	fields["at"] = fields["ts"]
	return &row{firing: f, ts: f.At, at: f.At, source: sourceOf(k, e, cause), fields: fields}
}

// sourceOf is whose event brought what a key fires: of time alone a person's key itself, else the event that opened the wait.
func sourceOf(k *key, e, cause *row) string {
	switch {
	case e != nil:
		return e.source
	case k.kind < nudge.KindCompany:
		return k.per + ":" + k.text
	case cause != nil:
		return cause.source
	}
	return ""
}

// setText sets a field to a text; empty text is missing.
func setText(fields map[string]nudge.Value, name, text string) {
	delete(fields, name)
	if text != "" {
		fields[name] = nudge.TextValue(text)
	}
}
