package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"time"

	"nudge"
)

// planner builds a plan out of checked rules. What is equal is made once: tests, scopes and operators are found by their canonical text.
type planner struct {
	plan    *Plan
	loc     *time.Location
	maxKept int
	apart   bool // Options.Parts
	tests   map[string]int
	terms   []*term // of plan.Tests
	scopes  map[string]int
	ops     map[opIdentity]int
	slots   map[nudge.NameID]int
	needs   map[int]map[string]bool // absent and dwell operators → the fields that firings need of the starting event
	err     error                   // the table of names is full
}

type opIdentity struct {
	scope int
	text  string
}

func newPlan(sources []Source, rules []*rule, opts Options) (*Plan, error) {
	p := &planner{
		plan: &Plan{Sources: sources, names: opts.Names, emits: map[nudge.NameID]bool{}}, loc: opts.Location, maxKept: opts.maxKept(), apart: opts.Parts,
		tests: map[string]int{}, scopes: map[string]int{}, ops: map[opIdentity]int{}, slots: map[nudge.NameID]int{}, needs: map[int]map[string]bool{},
	}
	if p.loc == nil {
		p.loc = time.UTC
	}
	p.fixedScopes()
	for _, r := range rules {
		p.rule(r)
	}
	p.slotsOfStarts()
	p.plan.index = p.buildIndex()
	p.plan.fixed = p.fixedSlots()
	p.plan.slots = p.slotTable()
	sort.SliceStable(p.plan.Rules, func(i, j int) bool {
		a, b := &p.plan.Rules[i], &p.plan.Rules[j]
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID)) < 0
	})
	return p.plan, p.err
}

func (p *planner) fixedScopes() {
	for _, k := range [...]nudge.Kind{ScopeVisitor: nudge.KindVisitor, ScopeUser: nudge.KindUser, ScopeCompany: nudge.KindCompany} {
		p.plan.Scopes = append(p.plan.Scopes, Scope{Kind: k, Per: k.String()})
	}
}

// rule compiles one rule.
func (p *planner) rule(r *rule) {
	scope := p.scope(r)
	out := Rule{
		ID: r.id, Title: r.title, Owner: r.owner, Tags: r.tags, Scope: scope,
		Priority: r.priority, Mode: r.mode, Cooldown: r.cooldown, Limit: r.limit,
		When: p.cond(r.when, scope, waking(r.when)),
	}
	if r.unless != nil {
		unless := p.cond(r.unless, scope, false)
		out.Unless = &unless
	}
	for _, a := range r.actions {
		out.Actions = append(out.Actions, p.action(a, scope))
		if a.kind == nudge.ActionEmit {
			p.plan.emits[p.name(a.text.term.val.Text)] = true
		}
	}
	if p.apart {
		out.Parts = p.parts(r, r.when, r.whenNode, out.When, waking(r.when), scope)
	}
	p.plan.Rules = append(p.plan.Rules, out)
	p.noteNeeds(r, out.When)
}

func (p *planner) cond(c *cond, scope int, wake bool) Cond {
	s := &useSet{planner: p, scope: scope}
	eval := s.condFunc(c, wake, true)
	return Cond{Uses: s.uses, Eval: eval}
}

// noteNeeds remembers which fields of a waiting operator's starting event the rule's actions use.
func (p *planner) noteNeeds(r *rule, when Cond) {
	for _, u := range when.Uses {
		if k := p.plan.Ops[u.Op].Kind; k != OpAbsent && k != OpDwell {
			continue
		}
		if p.needs[u.Op] == nil {
			p.needs[u.Op] = map[string]bool{}
		}
		note := func(t *term) {
			t.each(func(t *term) {
				if t.kind == termField {
					p.needs[u.Op][t.name] = true
				}
			})
		}
		for _, a := range r.actions {
			a.text.each(func(*ask) {}, note)
			a.data.each(func(*ask) {}, note)
		}
		if r.per != nil {
			note(r.per)
		}
	}
}

// slotsOfStarts turns the noted fields into slots, in order of the fields' names.
func (p *planner) slotsOfStarts() {
	for op := range p.plan.Ops {
		fields, ok := p.needs[op]
		if !ok {
			continue
		}
		names := slices.Sorted(maps.Keys(fields))
		slots := make([]int, len(names))
		for i, f := range names {
			slots[i] = p.slot(f)
		}
		p.plan.Ops[op].Slots = slots
	}
}

// scope is the scope of a rule's per.
func (p *planner) scope(r *rule) int {
	switch r.kind {
	case nudge.KindVisitor:
		return ScopeVisitor
	case nudge.KindUser:
		return ScopeUser
	case nudge.KindCompany:
		return ScopeCompany
	}
	text := r.per.String()
	if i, ok := p.scopes[text]; ok {
		return i
	}
	key := p.valueFunc(r.per)
	s := Scope{Kind: nudge.KindOther, Per: text, Key: func(r *Row) string { return key(r).KeyText() }}
	r.per.each(func(t *term) {
		if slot := 0; t.kind == termField {
			if slot = p.slot(t.name); !slices.Contains(s.Reads, slot) {
				s.Reads = append(s.Reads, slot)
			}
		}
	})
	p.plan.Scopes = append(p.plan.Scopes, s)
	p.scopes[text] = len(p.plan.Scopes) - 1
	return p.scopes[text]
}

// test is the index of a test.
func (p *planner) test(t *term) int {
	text := t.String()
	if i, ok := p.tests[text]; ok {
		return i
	}
	f, fired := p.testFunc(t), t.isFired()
	if _, bound := requiredTypes(t); !fired && !bound {
		f = exceptFired(f)
	}
	p.plan.Tests = append(p.plan.Tests, Test{Text: text, Fired: fired, Match: f})
	p.terms = append(p.terms, t)
	p.tests[text] = len(p.plan.Tests) - 1
	return p.tests[text]
}

// exceptFired keeps a test that does not contain fired from matching a fired event. One that needs another type never does anyway.
func exceptFired(f testFunc) testFunc {
	return func(r *Row) Truth {
		if r.Type == nudge.NameFired {
			return False
		}
		return f(r)
	}
}

// op is the index of the operator that a asks, grown to what a needs of it.
func (p *planner) op(scope int, a *ask) int {
	id := opIdentity{scope, p.opText(a)}
	i, ok := p.ops[id]
	if !ok {
		i = len(p.plan.Ops)
		p.ops[id] = i
		p.plan.Ops = append(p.plan.Ops, p.newOp(scope, a, id.text))
	}
	op := &p.plan.Ops[i]
	switch a.kind {
	case OpCount, OpDistinct, OpValues, OpNumbers:
		keep := a.keep
		if keep == 0 {
			keep = p.maxKept
		}
		op.Window, op.Keep = max(op.Window, a.window), max(op.Keep, keep)
	case OpTotal, OpTally:
		op.Window = Ever
	}
	return i
}

func (p *planner) newOp(scope int, a *ask, text string) Op {
	op := Op{Kind: a.kind, Scope: scope, Test: -1, End: -1, Text: text}
	if a.test != nil {
		op.Test = p.test(a.test)
	}
	switch {
	case a.kind == OpScore:
		op.Window = a.window
		for _, x := range a.points {
			op.Points = append(op.Points, Points{p.test(x.test), x.points})
		}
	case a.kind == OpSequence:
		op.Window = a.window
		for _, x := range a.steps {
			s := Step{p.test(x.test), -1}
			if x.no != nil {
				s.No = p.test(x.no)
			}
			op.Steps = append(op.Steps, s)
		}
	case a.end != nil:
		op.End, op.Window = p.test(a.end), a.window
	case a.days:
		op.Value = dayOf(p.loc)
	case a.kind == OpNumbers, a.kind == OpTally, a.kind == OpLast:
		op.Value = p.valueFunc(a.value)
	case a.value != nil:
		op.Value = toldApart(p.valueFunc(a.value))
	}
	return op
}

// opText is an operator's canonical text. What makes two states differ is in it: not the window of a ring, not how much it keeps.
func (p *planner) opText(a *ask) string {
	t := ""
	if a.test != nil {
		t = a.test.String()
	}
	switch a.kind {
	case OpNumbers:
		return "numbers(" + t + ", " + a.value.String() + ")"
	case OpTally:
		return "tally(" + t + ", " + a.value.String() + ")"
	case OpLast:
		return "last(" + t + ", " + a.value.String() + ")"
	case OpSince:
		return "since(" + t + ")"
	case OpScore:
		return a.scoreText()
	case OpSequence:
		return a.sequenceText()
	case OpCount:
		return "count(" + t + ")"
	case OpTotal:
		return "total(" + t + ")"
	case OpDistinct:
		if a.days {
			return "days(" + t + ", " + strconv.Quote(p.loc.String()) + ")"
		}
		return "distinct(" + t + ", " + a.value.String() + ")"
	case OpValues:
		return "values(" + t + ", " + a.value.String() + ")"
	case OpOn:
		return "on(" + t + ")"
	case OpFirst:
		return "first(" + t + ")"
	case OpAbsent:
		return fmt.Sprintf("absent(%s, %q, after(%s))", a.end, durationText(a.window), t)
	case OpDwell:
		return fmt.Sprintf("dwell(%s, %q, until(%s))", t, durationText(a.window), a.end)
	}
	panic(fmt.Sprintf("BUG: operator kind %d", a.kind))
}

// name interns a name of a field or an event.
func (p *planner) name(text string) nudge.NameID {
	id, err := p.plan.names.Intern(text)
	if err != nil && p.err == nil {
		p.err = err
	}
	return id
}

// slot is the slot of a field, a new one if no rule has read it so far.
func (p *planner) slot(field string) int {
	id := p.name(field)
	slot, ok := p.slots[id]
	if !ok {
		slot = len(p.plan.Fields)
		p.slots[id] = slot
		p.plan.Fields = append(p.plan.Fields, id)
	}
	return slot
}
