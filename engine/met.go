package engine

import (
	"cmp"
	"slices"

	"nudge"
	"nudge/rules"
)

// met is what events mean that match the same tests: which scopes are concerned, and how. Events of a site match few different sets of
// tests, so what follows from a set is worked out once and remembered.
type met struct {
	fixed  [rules.ScopeCompany + 1]*reaction // of visitor, user and company; nil: not concerned
	joint  *reaction                         // of a visitor without a user, with its past; nil: the two are taken one after the other
	tests  []int32
	others []otherReaction // of the other scopes concerned, ascending
	few    [fewTests]int32 // tests, where they are so few: beside the rest
}

// fewTests makes a met two lines of the processor's cache.
const fewTests = 12

type otherReaction struct {
	scope    int
	reaction *reaction
}

// reaction is how the keys of one scope take such events.
type reaction struct {
	touched []*touch         // the operators concerned, by quick, then by number
	asked   []int32          // places in plan.Rules of those that may rise by it: the plain ones, then others that can be true without a pulse, then those that cannot
	plain   []plainNeed      // of the plain ones
	byNum   []int32          // places in touched, ascending by number
	behind  [quickNone]int32 // by quick, the place behind the last of these touches, and of those before them
	others  int32            // place of the first of asked that is not plain
	pulsed  int32            // place of the first of asked that is false without a pulse: these need not be asked before
	waits   bool             // whether some of touched wait
	timed   bool             // whether windows of some of touched can set a timer
	stores  bool             // whether some of touched keep anything
}

// touch is an operator that an input concerns. The sets of a shard share it: there are many more of them than operators.
type touch struct {
	value  func(*rules.Row) nudge.Value
	day    rules.DayFunc
	window nudge.Millis // OpFirst: the smallest one
	roles  role
	keep   int32
	op     int32
	num    uint32
	field  int32
	kind   rules.OpKind
}

// plainNeed is a need of a plain rule.
type plainNeed struct {
	*need
	asked int32 // place of the rule in asked
}

// nothingMet is what an event means that matches no test.
var nothingMet = &met{}

func (m *met) concerned() bool { return m.fixed != nothingMet.fixed || m.others != nil }

// at is the reaction of a scope's keys, nil if they are not concerned.
func (m *met) at(scope int) *reaction {
	if scope < len(m.fixed) {
		return m.fixed[scope]
	}
	for i := range m.others {
		if m.others[i].scope == scope {
			return m.others[i].reaction
		}
	}
	return nil
}

// metSets finds what was worked out before. The sets that were not met for long go: when so many are new, those that were not asked for
// since the last time are forgotten.
type metSets struct {
	recent, older metTable
	touches       map[touchKey]*touch // of those of recent: an operator that hears many tests can have many roles

	heard     []listener // scratch of meet
	concerned []int32
}

type touchKey struct {
	op    int32
	roles role
}

// metTable is a hash table with open addressing; nil slots are free, and no more than half are not.
type metTable struct {
	slots []metSlot
	taken int
}

type metSlot struct {
	hash uint64
	met  *met
}

// recentSets bounds each of the two tables of metSets; a set takes some 700 bytes, and some 60 for each rule that its events meet.
const recentSets = 1 << 14

func (t *metTable) home(hash uint64) *metSlot { return &t.slots[hash&uint64(len(t.slots)-1)] }

func (t *metTable) get(hash uint64, tests []int32) *met {
	if len(t.slots) == 0 {
		return nil
	}
	for i := hash; ; i++ {
		switch s := t.home(i); {
		case s.met == nil:
			return nil
		case s.hash == hash && slices.Equal(s.met.tests, tests):
			return s.met
		}
	}
}

func (t *metTable) put(hash uint64, m *met) {
	if 2*(t.taken+1) > len(t.slots) {
		old := t.slots
		*t = metTable{slots: make([]metSlot, max(2*len(old), 16))}
		for _, s := range old {
			if s.met != nil {
				t.put(s.hash, s.met)
			}
		}
	}
	i := hash
	for t.home(i).met != nil {
		i++
	}
	*t.home(i) = metSlot{hash, m}
	t.taken++
}

// hashTests is FNV-1a, number by number.
func hashTests(tests []int32) uint64 {
	h := uint64(14695981039346656037)
	for _, t := range tests {
		h = (h ^ uint64(t)) * 1099511628211
	}
	return h ^ h>>32
}

// meetBlock finds what the records of a block mean whose tests are found.
func (s *shard) meetBlock(b *Batch, block []int32) {
	sets, recent := s.ahead.sets[:len(block)], &s.sets.recent
	for j := range block {
		sets[j] = hashTests(s.matches.Of(j))
		if recent.taken > 0 {
			s.ahead.sum += int(recent.home(sets[j]).hash)
		}
	}
	if recent.taken > 0 {
		for _, hash := range sets {
			if m := recent.home(hash).met; m != nil {
				s.ahead.sum += len(m.tests) + int(m.few[0])
			}
		}
	}
	for j, i := range block {
		b.met[i] = s.met(sets[j], s.matches.Of(j))
	}
}

// met is what the tests mean that an event matches, for the running program. hash is hashTests's.
func (s *shard) met(hash uint64, tests []int32) *met {
	if len(tests) == 0 {
		return nothingMet
	}
	m := s.sets.recent.get(hash, tests)
	if m != nil {
		return m
	}
	if m = s.sets.older.get(hash, tests); m == nil {
		m = s.program.meet(tests, &s.sets, s.engine.options.Observe != nil)
		m.tests = append(m.few[:0], tests...)
	}
	if s.sets.recent.taken == recentSets {
		s.sets.recent, s.sets.older, s.sets.touches = metTable{}, s.sets.recent, nil
	}
	s.sets.recent.put(hash, m)
	return m
}

// use makes a program the shard's, or notes that it has changed.
func (s *shard) use(g *program) {
	s.program, s.sets, s.memo = g, metSets{}, memo{}
	s.longIDs.today = today{} // the time zone may be another one
}

// meet works out what follows from tests. all: also rules that cannot rise are looked at.
func (g *program) meet(tests []int32, sets *metSets, all bool) *met {
	m, heard := &met{}, sets.heard[:0]
	for _, test := range tests {
		heard = append(heard, g.heard[test]...)
	}
	sets.heard = heard
	slices.SortFunc(heard, func(a, b listener) int { return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.op, b.op)) })
	for len(heard) > 0 {
		scope, n := int(heard[0].scope), 1
		for n < len(heard) && int(heard[n].scope) == scope {
			n++
		}
		if r := g.reaction(sets, heard[:n], all); scope < len(m.fixed) {
			m.fixed[scope] = r
		} else {
			m.others = append(m.others, otherReaction{scope, r})
		}
		heard = heard[n:]
	}
	m.join()
	return m
}

// join makes one reaction of a visitor's and of that of its past, which decides nothing: what its operators pulse nobody asks for. A past that waits has
// to be looked at first.
func (m *met) join() {
	own, past := m.fixed[rules.ScopeVisitor], m.fixed[rules.ScopeUser]
	if own == nil || past == nil || past.waits {
		return
	}
	m.joint = &reaction{
		touched: slices.Concat(own.touched, past.touched), asked: own.asked, plain: own.plain, others: own.others, pulsed: own.pulsed,
		waits: own.waits, timed: own.timed, stores: own.stores || past.stores,
	}
	m.joint.sort()
}

// reaction is what follows for the keys of one scope from what its operators hear, ascending by operator.
func (g *program) reaction(sets *metSets, heard []listener, all bool) *reaction {
	r, concerned := &reaction{touched: make([]*touch, 0, len(heard))}, sets.concerned[:0]
	for len(heard) > 0 {
		op, roles := heard[0].op, role(0)
		for ; len(heard) > 0 && heard[0].op == op; heard = heard[1:] {
			roles |= heard[0].role
		}
		t := sets.touch(g, op, roles)
		r.touched = append(r.touched, t)
		r.waits = r.waits || isWait(t.kind)
		r.timed = r.timed || g.timed[op] && !isWait(t.kind)
		r.stores = r.stores || t.kind != rules.OpOn
		for _, number := range g.opRules[op] {
			concerned = append(concerned, g.at[number])
		}
	}
	r.sort()
	slices.Sort(concerned)
	sets.concerned = concerned
	r.ask(g, slices.Compact(concerned), all)
	return r
}

// touch is what an operator takes of an input in these roles.
func (m *metSets) touch(g *program, op int32, roles role) *touch {
	key := touchKey{op, roles}
	t := m.touches[key]
	if t != nil {
		return t
	}
	o := &g.plan.Ops[op]
	t = &touch{
		value: o.Value, day: o.Day, window: o.Window, roles: roles, keep: int32(o.Keep), op: op, num: g.nums[op], field: int32(o.Field), kind: o.Kind,
	}
	if o.Kind == rules.OpFirst {
		t.window = o.Least
	}
	if m.touches == nil {
		m.touches = map[touchKey]*touch{}
	}
	m.touches[key] = t
	return t
}

// ask notes which of the rules concerned, which are those whose when uses one of the operators, may rise. all: also those that cannot.
func (r *reaction) ask(g *program, concerned []int32, all bool) {
	r.asked = make([]int32, 0, len(concerned))
	add := func(ofKind func(*ruleInfo) bool) {
		for _, at := range concerned {
			if info := &g.rules[at]; ofKind(info) && (all || !info.silent() && r.mayRaise(g, at)) {
				r.asked = append(r.asked, at)
			}
		}
	}
	add(g.isPlain)
	r.others = int32(len(r.asked))
	add(func(info *ruleInfo) bool { return !info.pulses && !g.isPlain(info) })
	r.pulsed = int32(len(r.asked))
	add(func(info *ruleInfo) bool { return info.pulses })
	plain := 0
	for _, at := range r.asked[:r.others] {
		plain += len(g.rules[at].needs)
	}
	r.plain = make([]plainNeed, 0, plain)
	for i, at := range r.asked[:r.others] {
		needs := g.rules[at].needs
		for j := range needs {
			r.plain = append(r.plain, plainNeed{&needs[j], int32(i)})
		}
	}
}

// isPlain says whether the condition of a rule is a conjunction without pulses, and nothing that it reads has a floor.
func (g *program) isPlain(r *ruleInfo) bool {
	return r.needs != nil && !r.pulses && !slices.ContainsFunc(r.needs, func(n need) bool { return g.above(n.num, noTime) > noTime })
}

// mayRaise says whether a rule can rise by the event: one that needs a pulse cannot, where all that pulses in it waits for time or for
// other events.
func (r *reaction) mayRaise(g *program, at int32) bool {
	if !g.rules[at].pulses {
		return true
	}
	return slices.ContainsFunc(g.plan.Rules[at].When.Uses, func(u rules.Use) bool {
		return slices.ContainsFunc(r.touched, func(t *touch) bool { return int(t.op) == u.Op && isPulse(t.kind) && !isWait(t.kind) })
	})
}
