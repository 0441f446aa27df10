package engine

import (
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

// hearing says who listens to which test.
type hearing struct {
	listeners [][][]listener // scope → test → operators
	listening [][]bool       // scope → test → whether there are any
}

// only is the hearing of some operators.
func (h *hearing) only(wanted func(op int32) bool) hearing {
	var some hearing
	for _, tests := range h.listeners {
		listeners, listening := make([][]listener, len(tests)), make([]bool, len(tests))
		for test, all := range tests {
			for _, l := range all {
				if wanted(l.op) {
					listeners[test], listening[test] = append(listeners[test], l), true
				}
			}
		}
		some.listeners, some.listening = append(some.listeners, listeners), append(some.listening, listening)
	}
	return some
}

// hold keeps the rules that need a cold operator from firing, and new operators from listening. A rule whose file is as it was needs no
// more of an operator that has grown than that always had.
func (g *program) hold(d *dictionary, forward []int) {
	held, sources := map[string]bool{}, sourcesOf(g.plan)
	g.held = make([]bool, len(g.plan.Rules))
	for i := range g.plan.Rules {
		r := &g.plan.Rules[i]
		text, known := d.sources[r.ID]
		needsMore := d.held[r.ID] || !known || text != sources[r.ID]
		for _, u := range usesOf(r) {
			if c := g.cold[u.Op]; c == coldNew || c == coldGrown && needsMore {
				g.held[i], held[r.ID] = true, true
			}
			if slices.Contains(forward, u.Op) && !slices.Contains(g.forward, r.ID) {
				g.forward = append(g.forward, r.ID)
			}
		}
	}
	d.held, d.sources = held, sources
	g.all = g.hearing
	if g.isCold() {
		g.hearing = g.all.only(func(op int32) bool { return g.cold[op] != coldNew })
	}
}

// sourcesOf are the texts of the rules' files, by rule.
func sourcesOf(p *rules.Plan) map[string]string {
	sources := map[string]string{}
	for _, file := range p.Sources {
		sources[strings.TrimSuffix(file.File, ".expr")] = file.Text
	}
	return sources
}

// isCold says whether any operator is.
func (g *program) isCold() bool {
	return slices.ContainsFunc(g.cold, func(c coldness) bool { return c != coldWarm })
}

// released is the program once nothing is cold any more.
func (g *program) released() *program {
	free := *g
	free.hearing, free.cold, free.held = g.all, make([]coldness, len(g.cold)), make([]bool, len(g.held))
	return &free
}

// reading is the program of the engine that reads the log back: only cold operators listen, and no rule fires. Timers are set as the
// rules will need them, so that none has to be set when they go live.
func (g *program) reading() *program {
	only := *g
	only.hearing = g.all.only(func(op int32) bool { return g.cold[op] != coldWarm })
	only.held = slices.Repeat([]bool{true}, len(g.held))
	return &only
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
	for i := range g.held {
		if g.held[i] {
			ids = append(ids, g.plan.Rules[i].ID)
		}
	}
	return ids
}

// usesOf is all that a rule reads.
func usesOf(r *rules.Rule) []rules.Use {
	uses := slices.Clone(r.When.Uses)
	if r.Unless != nil {
		uses = append(uses, r.Unless.Uses...)
	}
	for i := range r.Actions {
		uses = append(uses, r.Actions[i].Uses...)
	}
	return uses
}

// seesFired says whether an operator listens to fired events.
func seesFired(p *rules.Plan, op *rules.Op) bool {
	fired := func(test int) bool { return test >= 0 && p.Tests[test].Fired }
	return fired(op.Test) || fired(op.End) ||
		slices.ContainsFunc(op.Points, func(x rules.Points) bool { return fired(x.Test) }) ||
		slices.ContainsFunc(op.Steps, func(x rules.Step) bool { return fired(x.Test) || fired(x.No) })
}
