package engine

import (
	"nudge"
	"nudge/rules"
)

// fire makes a delivered firing an event for other rules: for those of its own key, and for those of the kinds above it, to which
// it is sent at once. It returns nil if no rule's test sees it.
func (s *shard) fire(b *Batch, k *keyRef, in *input, ri int32, c *cause, f *settled) *fired {
	g := s.program
	sc := &g.plan.Scopes[k.scope]
	fd := &fired{
		kind: sc.Kind, key: f.firing.Key, n: f.firing.Cursor.N, path: f.path, id: f.firing.ID, rule: f.firing.Rule,
		visitor: f.firing.Visitor, user: c.user, company: c.company, when: in.when, source: c.source,
	}
	fd.row = g.firedRow(k.scope, fd, c.row, in.when.at)
	s.matched = g.plan.Match(fd.row, s.matched[:0])
	if fd.met = s.met(hashTests(s.matched), s.matched); !fd.met.concerned() {
		return nil
	}
	up := input{when: in.when, row: fd.row, met: fd.met, rec: in.rec, from: fd, source: fd.source}
	switch {
	case sc.Kind >= nudge.KindUser:
	case fd.user == "":
		up.hash, up.key, up.entry = k.hash, fd.key, noEntry
		var visitor keyRef
		s.key(&visitor, &up)
		s.remember(b, &visitor, &up)
	default:
		s.send(rules.ScopeUser, fd.user, nudge.HashKey("user", fd.user), &up, nil)
	}
	if sc.Kind < nudge.KindCompany && fd.company != "" {
		s.send(rules.ScopeCompany, fd.company, nudge.HashKey("company", fd.company), &up, nil)
	}
	if fd.met.at(k.scope) != nil {
		return fd
	}
	return nil
}

// firedRow is the fired event: the rule, the key, the user and company of its cause, and the fields that an other key's per reads, the
// visitor too where it is one of them.
func (g *program) firedRow(scope int, fd *fired, cause *rules.Row, at nudge.Millis) *rules.Row {
	row := &rules.Row{Type: nudge.NameFired, Ts: at, At: at, Vals: make([]nudge.Value, len(g.plan.Fields))}
	for _, slot := range g.plan.Scopes[scope].Reads {
		row.Vals[slot] = cause.Vals[slot]
	}
	setText(row, g.slotOf.typ, "fired")
	setText(row, g.slotOf.rule, fd.rule)
	setText(row, g.slotOf.key, fd.key)
	if g.slotOf.ts >= 0 {
		row.Vals[g.slotOf.ts] = nudge.NumberValue(float64(at))
	}
	if g.slotOf.at >= 0 {
		row.Vals[g.slotOf.at] = nudge.NumberValue(float64(at))
	}
	user, company := fd.user, fd.company
	switch fd.kind {
	case nudge.KindVisitor:
		setText(row, g.slotOf.visitor, fd.key)
	case nudge.KindUser:
		user = fd.key
	case nudge.KindCompany:
		company = fd.key
	}
	if planted(bugFiredVisitor) && fd.kind != nudge.KindVisitor {
		setText(row, g.slotOf.visitor, "")
	}
	setText(row, g.slotOf.user, user)
	setText(row, g.slotOf.company, company)
	return row
}
