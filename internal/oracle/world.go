package oracle

import (
	"cmp"
	"slices"

	"nudge"
)

// world is all keys, and who is who.
type world struct {
	evaluations int                // of whole conditions
	rules       map[string][]*rule // by scope; in settling order
	keys        map[[2]string]*key // by scope and text
	identity    identity
	merge       bool            // an anonymous visitor's past goes to the user that it turns out to be
	anonymous   map[string]*key // by visitor: its past as far as user rules need it
	kept        map[string]kept // by scope; of those whose numbers are not all known
	taken       int             // rows that all keys took so far
	line        nudge.Offset    // of this instant's record, 0 for timers
	roots       []*firing       // of this instant: those that a record or timers caused
	outbox      []*row          // fired events of this instant, in the order of settling
}

// addRule keeps the rules of a scope in settling order: "priority (highest first), then id in byte order".
func (w *world) addRule(r *rule) {
	if r.paused {
		return
	}
	list := append(w.rules[r.per], r)
	slices.SortFunc(list, func(a, b *rule) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.id, b.id))
	})
	w.rules[r.per] = list
}

// noteKept notes what a rule's operators need, for all rules of its scope.
func (w *world) noteKept(r *rule, most int) {
	k := w.kept[r.per]
	if k == nil {
		k = kept{}
		w.kept[r.per] = k
	}
	r.kept = k
	k.note(r.when, most)
	if r.unless != nil {
		k.note(r.unless, most)
	}
	for _, a := range r.then {
		if a.data != nil {
			k.note(a.data, most)
		}
	}
}

// key finds or makes a key. There is none for an empty text, and none is needed where no rule watches it.
func (w *world) key(kind nudge.Kind, per, text string) *key {
	if text == "" || len(w.rules[per]) == 0 {
		return nil
	}
	k := w.keys[[2]string{per, text}]
	if k == nil {
		k = &key{kind: kind, per: per, text: text, delivered: map[string]nudge.Millis{}, pools: map[string][]nudge.Millis{}}
		w.keys[[2]string{per, text}] = k
	}
	return k
}

// userKey is the key of a user, or where there is none that of an anonymous visitor.
func (w *world) userKey(user, visitor string) *key {
	if user == "" {
		return w.anonymousKey(visitor)
	}
	return w.key(nudge.KindUser, "user", user)
}

// keysOf are the keys that an event has.
func (w *world) keysOf(e *row) (keys []*key) {
	for per, rules := range w.rules {
		if per == "user" {
			continue
		}
		if k := w.key(rules[0].kind, per, rules[0].eval(e, rules[0].perNode).KeyText()); k != nil {
			keys = append(keys, k)
		}
	}
	if k := w.userKey(e.text("user"), e.text("visitor")); k != nil {
		keys = append(keys, k)
	}
	return keys
}

// nextTimer is the earliest timer of all keys, 0: none; and the keys that are due then.
func (w *world) nextTimer() (t nudge.Millis, due []*key) {
	for _, k := range w.keys {
		if k.next == 0 || t != 0 && k.next > t {
			continue
		}
		if k.next != t {
			t, due = k.next, nil
		}
		due = append(due, k)
	}
	return t, due
}

// instant lets a record, or all timers of one ms where e is nil, pass through the kinds. On each kind a key takes its own input first,
// then the fired events that come up from the kinds below, in the order (kind, key, order of settling there).
func (w *world) instant(t nudge.Millis, e *row, own []*key) []*firing {
	w.roots, w.outbox, w.line = nil, nil, 0
	if e != nil {
		w.line = e.line
	}
	for kind := nudge.KindVisitor; kind <= nudge.KindOther; kind++ {
		arriving := map[*key][]*row{}
		for _, f := range w.outbox { // all from kinds below, and in that order: kinds and keys are gone through in it
			if k := w.above(f, kind); k != nil {
				arriving[k] = append(arriving[k], f)
			}
		}
		for _, k := range concerned(kind, own, arriving) {
			if slices.Contains(own, k) {
				w.take(k, t, e)
			}
			for _, f := range arriving[k] {
				w.take(k, t, f)
			}
		}
	}
	return w.roots
}

// above is the key of a kind to which a fired event of any kind below travels, nil: none.
func (w *world) above(f *row, kind nudge.Kind) *key {
	switch kind {
	case nudge.KindUser:
		return w.userKey(f.text("user"), f.text("visitor"))
	case nudge.KindCompany:
		return w.key(kind, "company", f.text("company"))
	}
	return nil
}

// concerned are the keys of one kind that have an input at an instant, in byte order.
func concerned(kind nudge.Kind, own []*key, arriving map[*key][]*row) (keys []*key) {
	for _, k := range own {
		if k.kind == kind {
			keys = append(keys, k)
		}
	}
	for k := range arriving {
		if !slices.Contains(own, k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b *key) int { return cmp.Or(cmp.Compare(a.per, b.per), cmp.Compare(a.text, b.text)) })
	return keys
}
