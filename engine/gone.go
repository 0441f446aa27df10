package engine

import (
	"maps"
	"slices"

	"nudge"
)

// gone are persons that were erased, each at an offset: what they sent before is not there, whether it has become voids already or not, and what
// they fired is shown to nobody. It is never changed, so that readers may go on with the one that they have.
type gone struct {
	list   []goneAt
	merged *person // all of them: most that is asked about is nobody's of them; nil: nobody is gone
}

type goneAt struct {
	off    nudge.Offset
	person *person
}

// with is the list with one more.
func (g gone) with(off nudge.Offset, p *person) gone {
	return goneOf(append(slices.Clip(g.list), goneAt{off, p}))
}

// without is the list without the one that was erased at an offset.
func (g gone) without(off nudge.Offset) gone {
	return goneOf(slices.DeleteFunc(slices.Clone(g.list), func(x goneAt) bool { return x.off == off }))
}

func goneOf(list []goneAt) (g gone) {
	if len(list) == 0 {
		return g
	}
	g.list, g.merged = list, newPerson()
	for _, x := range list {
		maps.Copy(g.merged.visitors, x.person.visitors)
		maps.Copy(g.merged.users, x.person.users)
		maps.Copy(g.merged.companies, x.person.companies)
		maps.Copy(g.merged.forms, x.person.forms)
		maps.Copy(g.merged.sources, x.person.sources)
	}
	return g
}

// has says whether a record is an event of one of them.
func (g gone) has(off nudge.Offset, rec nudge.Record) (found bool) {
	g.whose(off, rec, func(int) { found = true })
	return found
}

// whose calls f with the place of each whose event a record is.
func (g gone) whose(off nudge.Offset, rec nudge.Record, f func(i int)) {
	if g.merged == nil || !g.merged.sent(rec) {
		return
	}
	for i, x := range g.list {
		if off < x.off && x.person.sent(rec) {
			f(i)
		}
	}
}

// take takes them out of a firing, one after the other, and calls f with the place of each that was in it.
func (g gone) take(x *nudge.Firing, f func(i int, removed bool)) {
	if g.merged == nil {
		return
	}
	if probe := *x; !g.merged.fired(x) && !g.merged.redact(&probe) {
		return
	}
	for i, y := range g.list {
		removed, redacted := eraseFiring(x, y.off, y.person)
		if removed || redacted {
			f(i, removed)
		}
	}
}

// show reads a stored firing as it is shown; ok is false where it is not.
func (g gone) show(key, value []byte) (f nudge.Firing, ok bool, err error) {
	if f, err = readFiring(cursorOf(key), value); err != nil {
		return f, false, err
	}
	g.take(&f, func(int, bool) {})
	return f, !isErased(&f), nil
}
