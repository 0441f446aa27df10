package engine

import (
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
	touched []touch          // the operators concerned, by quick, then by number
	asked   []asked          // the rules that may rise by it: the plain ones, then others that can be true without a pulse, then those that cannot
	needs   []need           // of these, one after the other
	plain   []need           // of them those of plain rules
	byNum   []int32          // places in touched, ascending by number
	behind  [quickNone]int32 // by quick, the place behind the last of these touches, and of those before them
	others  int32            // place of the first of asked that is not plain
	pulsed  int32            // place of the first of asked that is false without a pulse: these need not be asked before
	waits   bool             // whether some of touched wait
	timed   bool             // whether windows of some of touched can set a timer
	stores  bool             // whether some of touched keep anything
}

// touch is an operator that an input concerns. What most kinds need of it stands here, beside that of the others of the same event.
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

// asked is a rule of a reaction. What deciding it takes stands in the reaction, so that an event meets it in one place.
type asked struct {
	rule  int32  // its place in plan.Rules
	needs []need // part of reaction.needs; there are some if its condition is a conjunction
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

// recentSets bounds each of the two tables of metSets; a set takes some 500 bytes.
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
		m = s.program.meet(tests, s.engine.options.Observe != nil)
		m.tests = append(m.few[:0], tests...)
	}
	if s.sets.recent.taken == recentSets {
		s.sets.recent, s.sets.older = metTable{}, s.sets.recent
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
func (g *program) meet(tests []int32, all bool) *met {
	m := &met{}
	for _, test := range tests {
		for _, l := range g.heard[test] {
			m.add(int(l.scope)).touch(g, l)
		}
	}
	for scope := range m.fixed {
		if r := m.fixed[scope]; r != nil {
			r.finish(g, all)
		}
	}
	m.join()
	slices.SortFunc(m.others, func(a, b otherReaction) int { return a.scope - b.scope })
	for i := range m.others {
		m.others[i].reaction.finish(g, all)
	}
	return m
}

// add is the scope's reaction, a new one if it has none so far.
func (m *met) add(scope int) *reaction {
	r := m.at(scope)
	switch {
	case r != nil:
	case scope < len(m.fixed):
		r = &reaction{}
		m.fixed[scope] = r
	default:
		r = &reaction{}
		m.others = append(m.others, otherReaction{scope, r})
	}
	return r
}

// join makes one reaction of a visitor's and of that of its past, which decides nothing: what its operators pulse nobody asks for. A past that waits has
// to be looked at first.
func (m *met) join() {
	own, past := m.fixed[rules.ScopeVisitor], m.fixed[rules.ScopeUser]
	if own == nil || past == nil || past.waits {
		return
	}
	m.joint = &reaction{
		touched: slices.Concat(own.touched, past.touched), asked: own.asked, needs: own.needs, plain: own.plain, others: own.others, pulsed: own.pulsed,
		waits: own.waits, timed: own.timed, stores: own.stores || past.stores,
	}
	m.joint.sort()
}

func (r *reaction) touch(g *program, l listener) {
	i := slices.IndexFunc(r.touched, func(t touch) bool { return t.op == l.op })
	if i < 0 {
		i = len(r.touched)
		op := &g.plan.Ops[l.op]
		window := op.Window
		if op.Kind == rules.OpFirst {
			window = op.Least
		}
		r.touched = append(r.touched, touch{
			value: op.Value, day: op.Day, window: window, keep: int32(op.Keep), op: l.op, num: g.nums[l.op], field: int32(op.Field), kind: op.Kind,
		})
		r.waits = r.waits || isWait(op.Kind)
		r.timed = r.timed || g.timed[l.op] && !isWait(op.Kind)
		r.stores = r.stores || op.Kind != rules.OpOn
	}
	r.touched[i].roles |= l.role
}

// finish puts the operators in order and adds the rules whose when uses one of them.
func (r *reaction) finish(g *program, all bool) {
	r.sort()
	var concerned []int32
	for i := range r.touched {
		for _, number := range g.opRules[r.touched[i].op] {
			concerned = append(concerned, g.at[number])
		}
	}
	slices.Sort(concerned)
	concerned = slices.Compact(concerned)
	r.ask(g, all, concerned, g.isPlain)
	r.others = int32(len(r.asked))
	r.ask(g, all, concerned, func(info *ruleInfo) bool { return !info.pulses && !g.isPlain(info) })
	r.pulsed = int32(len(r.asked))
	r.ask(g, all, concerned, func(info *ruleInfo) bool { return info.pulses })
	r.gather()
}

// gather puts the needs of all rules asked in one place.
func (r *reaction) gather() {
	plain := 0
	for i := range r.asked {
		for _, n := range r.asked[i].needs {
			n.asked = int32(i)
			r.needs = append(r.needs, n)
		}
		if i < int(r.others) {
			plain = len(r.needs)
		}
	}
	needs := r.needs
	r.plain = needs[:plain]
	for i := range r.asked {
		n := len(r.asked[i].needs)
		r.asked[i].needs, needs = needs[:n:n], needs[n:]
	}
}

// isPlain says whether the condition of a rule is a conjunction without pulses, and nothing that it reads has a floor.
func (g *program) isPlain(r *ruleInfo) bool {
	return r.needs != nil && !r.pulses && !slices.ContainsFunc(r.needs, func(n need) bool { return g.above(n.num, noTime) > noTime })
}

// ask adds those of the rules concerned that are of a kind. all: also rules that cannot rise.
func (r *reaction) ask(g *program, all bool, concerned []int32, ofKind func(*ruleInfo) bool) {
	for _, at := range concerned {
		if info := &g.rules[at]; ofKind(info) && (all || !info.silent() && r.mayRaise(g, at)) {
			r.asked = append(r.asked, asked{at, info.needs})
		}
	}
}

// mayRaise says whether a rule can rise by the event: one that needs a pulse cannot, where all that pulses in it waits for time or for
// other events.
func (r *reaction) mayRaise(g *program, at int32) bool {
	if !g.rules[at].pulses {
		return true
	}
	return slices.ContainsFunc(g.plan.Rules[at].When.Uses, func(u rules.Use) bool {
		return slices.ContainsFunc(r.touched, func(t touch) bool { return int(t.op) == u.Op && isPulse(t.kind) && !isWait(t.kind) })
	})
}
