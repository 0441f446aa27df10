package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"nudge"
)

// plan makes the next plan: rules that are gone go first, then new ones come in order of their files, then operators get the size
// that the rules they have now need.
func (p *planner) plan(sources []Source, files []ruleFile, gone []*place) (*Plan, error) {
	p.begin(sources)
	for _, l := range gone {
		p.leave(l)
	}
	var added []Rule
	for i := range files {
		if f := &files[i]; f.place == nil && f.rule.file != catalogFile {
			f.place = &place{number: p.issued}
			p.issued++
			added = append(added, p.rule(f))
			if !f.special {
				f.rule = nil
			}
		}
	}
	p.settleOps()
	p.settleIndex()
	p.next.Rules = p.mergeRules(p.next.Rules, added, gone)
	p.next.index, p.next.fixed = p.index, p.fixedSlots()
	p.next.emits = maps.Clone(p.emits)
	if p.newest == nil || len(p.next.Fields) > len(p.newest.Fields) {
		p.next.slots = slotTable(p.next.Fields)
	}
	if p.err != nil {
		p.newest = nil // the tables describe no plan any more
		return nil, p.err
	}
	p.newest, p.next, p.sources, p.files = p.next, nil, sources, files
	return p.newest, nil
}

// begin makes the next plan one that shares all it can with the newest. Lists that only grow are shared, too: a plan does not see
// what stands behind its own end.
func (p *planner) begin(sources []Source) {
	p.age++
	p.next = &Plan{names: p.opts.Names}
	if p.newest == nil {
		p.fixedScopes()
	} else {
		*p.next = *p.newest
	}
	p.sharedOps = len(p.next.Ops)
	p.next.Sources, p.next.line = sources, p
}

func (p *planner) fixedScopes() {
	for _, k := range [...]nudge.Kind{ScopeVisitor: nudge.KindVisitor, ScopeUser: nudge.KindUser, ScopeCompany: nudge.KindCompany} {
		p.next.Scopes = append(p.next.Scopes, Scope{Kind: k, Per: k.String()})
	}
}

// mergeRules is the rules in settling order without those that are gone and with those that are new.
func (p *planner) mergeRules(rules, added []Rule, gone []*place) []Rule {
	slices.SortFunc(added, func(a, b Rule) int { return p.compareRules(&a, &b) })
	isGone := make(map[int]bool, len(gone))
	for _, l := range gone {
		isGone[l.number] = true
	}
	out := make([]Rule, 0, len(rules)-len(gone)+len(added))
	for i := range rules {
		if len(gone) > 0 && isGone[rules[i].Number] {
			continue
		}
		for len(added) > 0 && p.compareRules(&added[0], &rules[i]) < 0 {
			out, added = append(out, added[0]), added[1:]
		}
		out = append(out, rules[i])
	}
	return append(out, added...)
}

// compareRules orders by scope, and among the others by their texts: their places depend on what was there before.
func (p *planner) compareRules(a, b *Rule) int {
	if a.Scope != b.Scope {
		scopes := p.next.Scopes
		return cmp.Or(cmp.Compare(scopes[a.Scope].Kind, scopes[b.Scope].Kind), cmp.Compare(scopes[a.Scope].Per, scopes[b.Scope].Per))
	}
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID))
}

// rule compiles one rule.
func (p *planner) rule(f *ruleFile) Rule {
	r := f.rule
	p.placing = f.place
	scope := p.scope(r)
	out := Rule{
		ID: r.id, Number: f.place.number, Title: r.title, Owner: r.owner, Tags: r.tags, Scope: scope,
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
			f.place.emits = append(f.place.emits, p.name(a.text.term.val.Text))
		}
	}
	if p.opts.Parts {
		out.Asks = p.asked(r, scope)
		out.Parts = p.parts(r, r.when, r.whenNode, out.When, waking(r.when), scope)
		if r.unless != nil {
			out.UnlessParts = p.parts(r, r.unless, r.unlessNode, *out.Unless, false, scope)
		}
	}
	p.noteFields(r, out.When)
	p.enter(f.place)
	return out
}

func (p *planner) cond(c *cond, scope int, wake bool) Cond {
	s := &useSet{planner: p, scope: scope}
	eval := s.condFunc(c, wake, true)
	return Cond{Uses: s.uses, Eval: eval, All: c.isAll()}
}

// noteFields remembers which fields of a waiting operator's starting event the rule's actions use.
func (p *planner) noteFields(r *rule, when Cond) {
	for _, u := range when.Uses {
		if k := p.next.Ops[u.Op].Kind; k == OpAbsent || k == OpDwell {
			n := p.placing.need(u.Op)
			n.starts, n.fields = true, r.firingFields()
		}
	}
}

// firingFields are the fields that firings of the rule use, sorted.
func (r *rule) firingFields() (fields []string) {
	note := func(t *term) {
		t.each(func(t *term) {
			if t.kind == termField {
				fields = append(fields, t.name)
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
	slices.Sort(fields)
	return slices.Compact(fields)
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
	p.next.Scopes = append(p.next.Scopes, s)
	p.scopes[text] = len(p.next.Scopes) - 1
	return p.scopes[text]
}

// test is the index of a test.
func (p *planner) test(t *term) int {
	text := t.String()
	if i, ok := p.tests[text]; ok {
		return i
	}
	i := len(p.next.Tests)
	p.next.Tests = append(p.next.Tests, Test{Text: text, Fired: t.isFired(), term: t})
	p.next.lefts = append(p.next.lefts, p.leftFunc(t))
	p.terms, p.testUses = append(p.terms, t), append(p.testUses, 0)
	p.tests[text] = i
	p.file(int32(i), t, true)
	return i
}

// leftFunc compiles what is still to be tried of a row under which the index has the test filed, nil if nothing is.
func (p *planner) leftFunc(t *term) testFunc {
	types, bound := requiredTypes(t)
	switch {
	case !bound && t.isFired(), len(types) > 1:
		return p.testFunc(t)
	case !bound:
		return exceptFired(p.testFunc(t))
	case len(types) == 0:
		return nil // it is filed nowhere
	}
	parts := leftOver(t, types[0])
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return p.partFunc(parts[0])
	}
	var funcs []testFunc
	for _, part := range byEffort(parts) {
		funcs = append(funcs, p.partFunc(part))
	}
	return allOf(funcs)
}

// partFunc is testFunc for what tests may share.
func (p *planner) partFunc(t *term) testFunc {
	text := t.String()
	if p.left[text] == nil {
		p.left[text] = p.testFunc(t)
	}
	return p.left[text]
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

// op is the index of the operator that a asks; what a needs of it is noted as the rule's.
func (p *planner) op(scope int, a *ask) int {
	id := opIdentity{scope, p.opText(a)}
	i, ok := p.ops[id]
	if !ok {
		i = len(p.next.Ops)
		p.ops[id] = i
		op := p.newOp(scope, a, id.text)
		p.next.Ops, p.users = append(p.next.Ops, op), append(p.users, nil)
		for _, t := range op.tests() {
			p.testUses[t]++
		}
	}
	n := p.placing.need(i)
	switch a.kind {
	case OpCount, OpDistinct, OpValues, OpNumbers:
		keep := a.keep
		if keep == 0 {
			keep = p.opts.MaxKept
			if a.isCount() {
				keep++ // where as many as that are in the window, so many it is; with one more there may be more
			}
		}
		n.window, n.keep = max(n.window, a.window), max(n.keep, keep)
	case OpFirst:
		if n.window == 0 || a.window < n.least {
			n.least = a.window
		}
		n.window = max(n.window, a.window)
	}
	return i
}

func (p *planner) newOp(scope int, a *ask, text string) Op {
	op := Op{Kind: a.kind, Scope: scope, Test: -1, End: -1, Field: -1, Text: text}
	if a.test != nil {
		op.Test = p.test(a.test)
	}
	switch {
	case a.kind == OpTotal, a.kind == OpTally:
		op.Window = Ever
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
		day := dayIn(p.opts.Location)
		op.Day = day
		op.Value = func(r *Row) nudge.Value {
			n, _, _ := day(r.Ts)
			return nudge.NumberValue(n)
		}
	case a.kind == OpNumbers, a.kind == OpTally, a.kind == OpLast:
		op.Value = p.valueFunc(a.value)
	case a.value != nil:
		text := a.value.String()
		if p.values[text] == nil {
			p.values[text] = toldApart(p.valueFunc(a.value))
		}
		op.Value = p.values[text]
		if a.kind == OpDistinct && a.value.kind == termField {
			op.Field = p.slot(a.value.name)
		}
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
			return "days(" + t + ", " + strconv.Quote(p.opts.Location.String()) + ")"
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
	id, err := p.opts.Names.Intern(text)
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
		slot = len(p.next.Fields)
		p.slots[id] = slot
		p.next.Fields = append(p.next.Fields, id)
	}
	return slot
}
