package engine

import (
	"hash/fnv"
	"maps"
	"slices"
	"sort"

	"nudge"
	"nudge/rules"
)

// Deploy makes a plan the running one, between two batches. Operators that both plans have keep their state. Timers are set anew only
// where the state that there is can need earlier ones; one that nothing needs any more does nothing when it is due.
func (e *Engine) Deploy(p *rules.Plan) {
	e.finishTakeOver()
	was := e.program
	if was == nil || !p.SameLine(was.plan) {
		e.program = newProgram(e.options.Names, e.dict)
	}
	change := e.program.deploy(p, was, e.clock, e.lateFrom(), e.warms && e.ordinal > 0)
	if slices.Contains(change.earlier[:], true) {
		e.restoredAt = e.clock // what nobody has read yet had nothing due, and has now for all that it knows
		e.readAll()
	}
	e.onEveryShard(smallBatch, func(s *shard) {
		s.use(e.program)
		for l := range s.tables {
			t := &s.tables[l]
			t.live = e.program.live
			if !change.earlier[l] {
				continue
			}
			s.eachKey(l, func(i uint32) { t.arm(i, s.nextDue(t, i, e.clock)) })
		}
	})
}

func newProgram(names *nudge.Names, d *dictionary) *program {
	return &program{names: names, dict: d, fieldSlots: map[uint64]int{}, pools: map[string]int{}}
}

// change is a change of a program while it is made.
type change struct {
	*program
	touched  []int // operators whose uses change, each once
	seen     []bool
	wakesOf  map[int][]wakeUse // of those with a number, before
	texts    []string          // of cooldowns, pools and operators that are new to the program, in order of the rules
	gone     []string          // and of those that are dropped
	earlier  [levels]bool      // whether keys of the level may need earlier timers than before
	warms    bool              // whether operators that lack a past are cold
	isNew    map[string]bool   // of texts: those that got their number just now
	clock    nudge.Millis      // the log's
	lateFrom nudge.Millis      // events before it are history
	late     []int             // operators that lack a past and see fired events, which is why they count from now on
}

// deploy makes p the program's plan. was is the program that ran before: this one, or one of another line of plans, while this one is
// empty. With warms, operators that lack a past are cold.
func (g *program) deploy(p *rules.Plan, was *program, clock, lateFrom nudge.Millis, warms bool) *change {
	c := &change{program: g, clock: clock, lateFrom: lateFrom, seen: make([]bool, len(p.Ops)), wakesOf: map[int][]wakeUse{}, warms: warms, isNew: map[string]bool{}}
	added, dropped := c.compare(p)
	old := g.plan
	g.plan = p
	g.extend()
	for _, i := range dropped {
		c.dropRule(&old.Rules[i])
	}
	for _, i := range added {
		c.addRule(&p.Rules[i])
	}
	c.forgetOps()
	c.number(was)
	c.noteSpans(added)
	c.linkOps()
	g.placeFloors()
	c.placeRules()
	c.hold()
	c.compareWakes(was)
	g.lookUpSlots()
	return c
}

// compare finds the rules of p that the program does not have, and those of its own plan that p does not have.
func (c *change) compare(p *rules.Plan) (added, dropped []int) {
	kept := make([]bool, len(c.at))
	for i := range p.Rules {
		if n := p.Rules[i].Number; n < len(c.at) && c.at[n] >= 0 {
			kept[n] = true
		} else {
			added = append(added, i)
		}
	}
	for n, at := range c.at {
		if at >= 0 && !kept[n] {
			dropped = append(dropped, int(at))
		}
	}
	return added, dropped
}

// extend gives the lists the length that the plan's have.
func (g *program) extend() {
	p := g.plan
	more := len(p.Ops) - len(g.nums)
	g.nums = append(g.nums, make([]uint32, more)...)
	g.users = append(g.users, make([]int32, more)...)
	g.opRules = append(g.opRules, make([][]int32, more)...)
	g.wakes = append(g.wakes, make([][]wakeUse, more)...)
	g.timed = append(g.timed, make([]bool, more)...)
	g.cold = append(g.cold, make([]coldness, more)...)
	g.heard = append(g.heard, make([][]listener, len(p.Tests)-len(g.heard))...)
	for len(g.scopeNums) < len(p.Scopes) {
		g.scopeNums = append(g.scopeNums, noScope)
	}
	for slot := len(g.fieldHash); slot < len(p.Fields); slot++ {
		h := fnv.New64a()
		h.Write([]byte(g.names.Text(p.Fields[slot])))
		g.fieldHash = append(g.fieldHash, h.Sum64())
		g.fieldSlots[h.Sum64()] = slot
	}
}

// touch notes that an operator's uses change.
func (c *change) touch(op int) {
	if c.seen[op] {
		return
	}
	c.seen[op] = true
	c.touched = append(c.touched, op)
	if c.nums[op] != 0 {
		c.wakesOf[op] = c.wakes[op]
	}
}

func cooldownText(r *rules.Rule) string { return "cooldown\x00" + r.ID }

func (g *program) opText(op *rules.Op) string {
	return g.plan.Scopes[op.Scope].Per + "\x00" + opName[op.Kind] + "\x00" + op.Text
}

func (c *change) dropRule(r *rules.Rule) {
	c.at[r.Number] = -1
	c.gone = append(c.gone, cooldownText(r))
	if r.Limit != nil {
		pool := limitText(c.plan.Scopes[r.Scope].Per, r.Limit)
		if c.pools[pool]--; c.pools[pool] == 0 {
			delete(c.pools, pool)
			c.gone = append(c.gone, pool)
		}
	}
	eachUse(r, func(u *rules.Use) {
		c.touch(u.Op)
		c.users[u.Op]--
	})
	isOthers := func(rule int32) bool { return rule != int32(r.Number) }
	for _, u := range r.When.Uses {
		c.opRules[u.Op] = only(c.opRules[u.Op], isOthers)
		c.wakes[u.Op] = only(c.wakes[u.Op], func(w wakeUse) bool { return isOthers(w.rule) })
	}
}

// only is a new list of what is to stay.
func only[T any](list []T, stays func(T) bool) (out []T) {
	for _, x := range list {
		if stays(x) {
			out = append(out, x)
		}
	}
	return out
}

func (c *change) addRule(r *rules.Rule) {
	c.texts = append(c.texts, cooldownText(r))
	if r.Limit != nil {
		pool := limitText(c.plan.Scopes[r.Scope].Per, r.Limit)
		if c.pools[pool]++; c.pools[pool] == 1 {
			c.texts = append(c.texts, pool)
		}
	}
	number := int32(r.Number)
	eachUse(r, func(u *rules.Use) {
		c.touch(u.Op)
		c.users[u.Op]++
	})
	for i := range r.When.Uses {
		u := &r.When.Uses[i]
		if !slices.Contains(c.opRules[u.Op], number) {
			c.opRules[u.Op] = append(c.opRules[u.Op], number)
		}
		if u.Wake != rules.WakeNever {
			c.wakes[u.Op] = append(slices.Clip(c.wakes[u.Op]), newWakeUse(number, u))
		}
	}
}

// eachUse visits all uses that a rule makes of operators.
func eachUse(r *rules.Rule, f func(*rules.Use)) {
	each := func(uses []rules.Use) {
		for i := range uses {
			f(&uses[i])
		}
	}
	each(r.When.Uses)
	if r.Unless != nil {
		each(r.Unless.Uses)
	}
	for i := range r.Actions {
		each(r.Actions[i].Uses)
	}
}

// forgetOps takes out the operators that no rule uses any more, and notes the texts of those that are new.
func (c *change) forgetOps() {
	for _, i := range c.touched {
		op := &c.plan.Ops[i]
		switch used := c.users[i] > 0; {
		case used && c.nums[i] == 0:
			c.texts = append(c.texts, c.opText(op))
		case !used && c.nums[i] != 0:
			c.gone = append(c.gone, c.opText(op))
			c.opOf[c.nums[i]], c.userOp[c.nums[i]] = -1, -1
			c.nums[i], c.timed[i], c.cold[i] = 0, false, coldWarm
			eachTest(op, func(test int, _ role) { c.deafen(test, int32(i)) })
		}
	}
}

// number gives numbers to what is new, in order of the rules: they are the same whatever the plan was made from. What rules that stand together ask of a
// key has numbers that do, and so its places lie together (focus.go).
func (c *change) number(was *program) {
	d := c.dict
	stays := make(map[string]bool, len(c.texts))
	for _, text := range c.texts {
		stays[text] = true
	}
	c.gone = append(c.gone, c.foreign(was)...)
	for _, text := range c.gone {
		if !stays[text] {
			c.markLive(d.ops[text], false)
			delete(d.ops, text)
			delete(d.sizes, text)
			delete(d.floors, text)
			delete(d.cold, text)
		}
	}
	for _, text := range c.texts {
		if d.ops[text] == 0 {
			d.ops[text] = d.nextOp
			d.nextOp++
			c.isNew[text] = true
		}
		c.markLive(d.ops[text], true)
	}
	c.numberScopes()
	for len(c.opOf) < int(d.nextOp) {
		c.opOf, c.userOp = append(c.opOf, -1), append(c.userOp, -1)
	}
}

// foreign are the dictionary's texts when the program is new: what the plan before had.
func (c *change) foreign(was *program) []string {
	if was == c.program {
		return nil
	}
	return slices.Sorted(maps.Keys(c.dict.ops))
}

func (c *change) markLive(num uint32, live bool) {
	for len(c.live) < int(c.dict.nextOp) {
		c.live = append(c.live, false)
	}
	c.live[num] = live
}

// numberScopes gives numbers to the scopes that rules have, for ever.
func (c *change) numberScopes() {
	d := c.dict
	var pers []string
	for i, used := range c.usedScopes() {
		if per := c.plan.Scopes[i].Per; used && c.scopeNums[i] == noScope {
			if _, known := d.scopes[per]; !known {
				pers = append(pers, per)
			}
		}
	}
	slices.Sort(pers)
	for _, per := range pers {
		d.scopes[per] = uint16(len(d.scopes))
	}
	for i := range c.plan.Scopes {
		if num, known := d.scopes[c.plan.Scopes[i].Per]; known && c.scopeNums[i] == noScope {
			c.scopeNums[i] = num
			for len(c.scopeOf) <= int(num) {
				c.scopeOf = append(c.scopeOf, -1)
			}
			c.scopeOf[num] = int32(i)
		}
	}
}

func (g *program) usedScopes() []bool {
	used := make([]bool, len(g.plan.Scopes))
	for i := range g.plan.Rules {
		used[g.plan.Rules[i].Scope] = true
	}
	return used
}

// linkOps links the operators whose uses have changed, and those that are new, to their tests and timers.
func (c *change) linkOps() {
	for _, i := range c.touched {
		if c.users[i] == 0 {
			continue
		}
		op, text := &c.plan.Ops[i], c.opText(&c.plan.Ops[i])
		c.noteSize(i, text)
		if c.nums[i] == 0 {
			c.nums[i] = c.dict.ops[text]
			if op.Scope == rules.ScopeUser {
				c.userOp[c.nums[i]] = int32(i)
			}
			if c.cold[i] != coldNew {
				c.listenTo(i)
			}
		}
		c.timed[i] = isWait(op.Kind) || len(c.wakes[i]) > 0
		c.opOf[c.nums[i]] = -1
		if c.timed[i] {
			c.opOf[c.nums[i]] = int32(i)
		}
	}
}

// noteSize notes an operator's size, and whether it lacks a past.
func (c *change) noteSize(i int, text string) {
	d, op := c.dict, &c.plan.Ops[i]
	was, is := d.sizes[text], size{op.Keep, op.Window, len(op.Slots)}
	d.sizes[text] = is
	newest := c.clock
	if op.Kind == rules.OpFirst {
		newest = c.lateFrom
	}
	c.raiseFloor(text, was.Window, is.Window, newest)
	grew := is.Keep > was.Keep || is.Window > was.Window || is.Slots > was.Slots
	lacks := coldWarm
	if c.warms {
		lacks = d.coldness(text, c.isNew[text], grew)
	}
	if lacks != coldWarm && seesFired(c.plan, op) {
		c.late, lacks = append(c.late, i), coldWarm
	}
	c.cold[i] = lacks
	if lacks == coldWarm {
		delete(d.cold, text)
	} else {
		d.cold[text] = lacks
	}
}

// listenTo makes an operator hear its tests.
func (g *program) listenTo(i int) {
	op := &g.plan.Ops[i]
	eachTest(op, func(test int, r role) { g.listen(test, listener{int32(op.Scope), int32(i), r}) })
}

// eachTest calls f for each test that an operator listens to, with what its matching events are to the operator.
func eachTest(op *rules.Op, f func(test int, r role)) {
	switch op.Kind {
	case rules.OpScore:
		for i := range op.Points {
			f(op.Points[i].Test, pointsRole(i))
		}
		return
	case rules.OpSequence:
		for i, s := range op.Steps {
			f(s.Test, stepRole(i))
			if s.No >= 0 {
				f(s.No, noRole(i))
			}
		}
		return
	}
	if op.End >= 0 {
		f(op.End, roleEnd)
	}
	f(op.Test, roleMain)
}

func (g *program) listen(test int, l listener) {
	i := sort.Search(len(g.heard[test]), func(i int) bool { return g.heard[test][i].scope > l.scope })
	g.heard[test] = slices.Insert(g.heard[test], i, l)
}

// deafen takes an operator out of a test's listeners.
func (g *program) deafen(test int, op int32) {
	g.heard[test] = slices.DeleteFunc(g.heard[test], func(l listener) bool { return l.op == op })
}

// placeRules puts what is known of each rule beside the plan's rules.
func (c *change) placeRules() {
	infos := make([]ruleInfo, len(c.plan.Rules))
	for i := range c.plan.Rules {
		r := &c.plan.Rules[i]
		for len(c.at) <= r.Number {
			c.at = append(c.at, -1)
		}
		if at := c.at[r.Number]; at >= 0 {
			infos[i] = c.rules[at]
		} else {
			infos[i] = c.info(r)
		}
		c.at[r.Number] = int32(i)
	}
	c.rules = infos
}

func (c *change) info(r *rules.Rule) ruleInfo {
	info := ruleInfo{cooldown: c.dict.ops[cooldownText(r)], paused: r.Mode == rules.ModePaused}
	if r.Limit != nil {
		info.limit = c.dict.ops[limitText(c.plan.Scopes[r.Scope].Per, r.Limit)]
	}
	for _, u := range r.When.Uses {
		kind := c.plan.Ops[u.Op].Kind
		info.pulses = info.pulses || isPulse(kind)
		if r.When.All {
			n := need{window: u.Window, atLeast: u.AtLeast, num: c.nums[u.Op], kind: kind, pulse: isPulse(kind)}
			if n.pulse {
				n.num = uint32(u.Op)
			}
			info.needs = append(info.needs, n)
		}
	}
	if r.Unless != nil {
		for _, u := range r.Unless.Uses {
			eachTest(&c.plan.Ops[u.Op], func(test int, _ role) { info.unlessFired = info.unlessFired || c.plan.Tests[test].Fired })
		}
	}
	return info
}

// compareWakes finds the levels where state that there is can need earlier timers than those that are set: an operator that was there
// before has a use of another kind. A new operator has no state.
func (c *change) compareWakes(was *program) {
	for _, i := range c.touched {
		before, had := c.wakesOf[i]
		if was != nil && was != c.program {
			before, had = was.wakesOfNumber(c.nums[i])
		}
		if !had {
			continue
		}
		for _, w := range c.wakes[i] {
			if !slices.ContainsFunc(before, w.sameTimes) {
				c.earlier[levelOf(c.plan.Scopes[c.plan.Ops[i].Scope].Kind)] = true
			}
		}
	}
}

// wakesOfNumber are the wake-ups of the operator with a number, and whether there is one.
func (g *program) wakesOfNumber(num uint32) (wakes []wakeUse, had bool) {
	if int(num) >= len(g.live) || !g.live[num] {
		return nil, false
	}
	if op := g.opOf[num]; op >= 0 {
		wakes = g.wakes[op]
	}
	return wakes, true
}

// sameTimes says whether two uses wake their key at the same times.
func (u wakeUse) sameTimes(o wakeUse) bool {
	u.rule, o.rule = 0, 0
	return u == o
}

// lookUpSlots finds the fields that the engine fills.
func (g *program) lookUpSlots() {
	p := g.plan
	g.slotOf.visitor, g.slotOf.user, g.slotOf.company = p.Slot(nudge.NameVisitor), p.Slot(nudge.NameUser), p.Slot(nudge.NameCompany)
	g.slotOf.rule, g.slotOf.key, g.slotOf.typ = p.Slot(nudge.NameRule), p.Slot(nudge.NameKey), p.Slot(nudge.NameType)
	g.slotOf.ts, g.slotOf.at = p.Slot(nudge.NameTs), p.Slot(nudge.NameAt)
	g.hasFired = false
	for i := range p.Tests {
		g.hasFired = g.hasFired || p.Tests[i].Fired && len(g.heard[i]) > 0
	}
}
