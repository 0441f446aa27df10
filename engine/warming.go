package engine

import (
	"maps"
	"slices"
	"strings"

	"nudge"
	"nudge/rules"
)

// An operator that is new, or that must keep more than before, is cold: it lacks what the log holds of its past. A rule that uses one is
// warming and fires nothing, until the log has been read back (warmer.go), a live record says so, and what was read is taken over
// (takeover.go). docs/rfc/0002-warming.md says why it is done so.
//
// Operators that see fired events are never cold: what fired before is not in the log, so they count from their deployment on.

// coldness says what a cold operator does meanwhile. The numbers are stored.
type coldness uint8

const (
	coldWarm  coldness = 0 // nothing is missing
	coldNew   coldness = 1 // listens to nothing: all that it would keep comes from the log
	coldGrown coldness = 2 // goes on with what it has, for the rules that had it before
)

// coldness of an operator's text in a plan that is being deployed. One that was cold before stays so.
func (d *dictionary) coldness(text string, isNew, grew bool) coldness {
	switch {
	case isNew:
		return coldNew
	case d.cold[text] != coldWarm:
		return d.cold[text]
	case grew:
		return coldGrown
	}
	return coldWarm
}

// hold keeps the rules that need a cold operator from firing. A rule whose file is as it was needs no more of an operator that has grown
// than that always had.
func (c *change) hold() {
	d, g := c.dict, c.program
	held, sources := d.held, d.sources
	d.held, d.sources = map[string]bool{}, g.plan.Sources
	g.forward = nil
	g.holdAll(false)
	if !g.isCold() && len(c.late) == 0 {
		return
	}
	for i := range g.plan.Rules {
		r, info := &g.plan.Rules[i], &g.rules[i]
		isLate := false
		eachUse(r, func(u *rules.Use) {
			switch g.cold[u.Op] {
			case coldNew:
				info.held = true
			case coldGrown:
				info.held = info.held || held[r.ID] || fileOf(sources, r.ID) != fileOf(d.sources, r.ID)
			}
			isLate = isLate || slices.Contains(c.late, u.Op)
		})
		if info.held {
			d.held[r.ID] = true
		}
		if isLate {
			g.forward = append(g.forward, r.ID)
		}
	}
}

// fileOf is the text of a rule's file, "" if there is none.
func fileOf(sources []rules.Source, rule string) string {
	i, found := slices.BinarySearchFunc(sources, rule+".expr", func(s rules.Source, file string) int { return strings.Compare(s.File, file) })
	if !found {
		return ""
	}
	return sources[i].Text
}

// isCold says whether any operator is.
func (g *program) isCold() bool {
	return slices.ContainsFunc(g.cold, func(c coldness) bool { return c != coldWarm })
}

// release makes the program one in which nothing is cold any more. The log was read back from an instant on, noTime if from its beginning. Of what
// happened until then keys know more or less, as they have vanished or not: what has grown keeps its floor there.
//
//nudge:unordered each text by itself
func (g *program) release(from nudge.Millis) {
	for i, c := range g.cold {
		if c == coldNew {
			g.listenTo(i)
		}
		g.cold[i] = coldWarm
	}
	for text, cold := range g.dict.cold {
		switch floor, has := g.dict.floors[text]; {
		case has && cold == coldGrown && from != noTime:
			g.dict.floors[text] = min(floor, from)
		case has:
			delete(g.dict.floors, text)
		}
	}
	g.placeFloors()
	g.holdAll(false)
	clear(g.dict.cold)
	clear(g.dict.held)
}

// reading is the program of the engine that reads the log back: only cold operators listen, and no rule fires. Timers are set as the
// rules will need them, so that none has to be set when they go live. It is a copy: deployments go on changing this program.
func (g *program) reading() *program {
	r := *g
	r.nums, r.users, r.scopeNums, r.scopeOf = slices.Clone(g.nums), slices.Clone(g.users), slices.Clone(g.scopeNums), slices.Clone(g.scopeOf)
	r.opOf, r.userOp, r.live, r.cold = slices.Clone(g.opOf), slices.Clone(g.userOp), slices.Clone(g.live), slices.Clone(g.cold)
	r.opRules, r.wakes, r.timed, r.at = slices.Clone(g.opRules), slices.Clone(g.wakes), slices.Clone(g.timed), slices.Clone(g.at)
	r.fieldSlots = maps.Clone(g.fieldSlots)
	r.heard = make([][]listener, len(g.heard))
	for i, c := range r.cold {
		if c != coldWarm {
			r.listenTo(i)
		}
	}
	r.rules = slices.Clone(g.rules)
	r.holdAll(true)
	return &r
}

// holdAll keeps all rules from firing, or none.
func (g *program) holdAll(held bool) {
	for i := range g.rules {
		g.rules[i].held = held
	}
}

// reach is how far back the cold operators look, rules.Ever if to the beginning.
func (g *program) reach() (window nudge.Millis) {
	for i := range g.plan.Ops {
		if g.cold[i] == coldWarm {
			continue
		}
		switch op := &g.plan.Ops[i]; op.Kind {
		case rules.OpCount, rules.OpDistinct, rules.OpValues, rules.OpNumbers:
			window = max(window, op.Window)
		default: // a score never forgets, and waits and the parts of a sequence are made of what came before; the others know no window
			return rules.Ever
		}
	}
	return window
}

// warming are the ids of the rules that are held.
func (g *program) warming() (ids []string) {
	for i := range g.rules {
		if g.rules[i].held {
			ids = append(ids, g.plan.Rules[i].ID)
		}
	}
	return ids
}

// seesFired says whether an operator listens to fired events.
func seesFired(p *rules.Plan, op *rules.Op) bool {
	fired := func(test int) bool { return test >= 0 && p.Tests[test].Fired }
	return fired(op.Test) || fired(op.End) ||
		slices.ContainsFunc(op.Points, func(x rules.Points) bool { return fired(x.Test) }) ||
		slices.ContainsFunc(op.Steps, func(x rules.Step) bool { return fired(x.Test) || fired(x.No) })
}
