package engine

import (
	"cmp"
	"slices"
	"strings"
	"unsafe"

	"nudge/rules"
)

// met is what events mean that match the same tests: which scopes are concerned, and how. Events of a site match few different sets of
// tests, so what follows from a set is worked out once and remembered.
type met struct {
	fixed  [rules.ScopeCompany + 1]*reaction // of visitor, user and company; nil: not concerned
	others []otherReaction                   // of the other scopes concerned, ascending
}

type otherReaction struct {
	scope    int
	reaction *reaction
}

// reaction is how the keys of one scope take such events.
type reaction struct {
	touched []touch // the operators concerned, ascending by number
	rules   []int32 // places of the rules that may rise by it, in settling order
	waits   bool    // whether some of touched wait
}

// touch is an operator that an input concerns.
type touch struct {
	at    *rules.Op
	op    int32
	num   uint32
	timed bool // whether its windows can set a timer
	kind  rules.OpKind
	roles role
}

// nothingMet is what an event means that matches no test.
var nothingMet = &met{}

func (m *met) concerned() bool { return m != nothingMet }

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
	recent, older map[string]*met // by the bytes of the tests
}

// recentSets bounds each of the two maps of metSets; a set takes some 500 bytes.
const recentSets = 1 << 14

// met is what the tests mean that an event matches, for the running program.
func (s *shard) met(tests []int32) *met {
	if len(tests) == 0 {
		return nothingMet
	}
	key := unsafe.String((*byte)(unsafe.Pointer(&tests[0])), 4*len(tests))
	if m := s.sets.recent[key]; m != nil {
		return m
	}
	m := s.sets.older[key]
	if m == nil {
		m = s.program.meet(tests, s.engine.options.Observe != nil)
	}
	if s.sets.recent == nil || len(s.sets.recent) == recentSets {
		s.sets.recent, s.sets.older = map[string]*met{}, s.sets.recent
	}
	s.sets.recent[strings.Clone(key)] = m
	return m
}

// use makes a program the shard's, or notes that it has changed.
func (s *shard) use(g *program) { s.program, s.sets = g, metSets{} }

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
	slices.SortFunc(m.others, func(a, b otherReaction) int { return a.scope - b.scope })
	for i := range m.others {
		m.others[i].reaction.finish(g, all)
	}
	if m.fixed == nothingMet.fixed && m.others == nil {
		return nothingMet
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

func (r *reaction) touch(g *program, l listener) {
	i := slices.IndexFunc(r.touched, func(t touch) bool { return t.op == l.op })
	if i < 0 {
		i = len(r.touched)
		op := &g.plan.Ops[l.op]
		r.touched = append(r.touched, touch{at: op, op: l.op, num: g.nums[l.op], kind: op.Kind, timed: g.timed[l.op] && !isWait(op.Kind)})
		r.waits = r.waits || isWait(op.Kind)
	}
	r.touched[i].roles |= l.role
}

// finish puts the operators in order and adds the rules whose when uses one of them.
func (r *reaction) finish(g *program, all bool) {
	slices.SortFunc(r.touched, func(a, b touch) int { return cmp.Compare(a.num, b.num) })
	for _, t := range r.touched {
		for _, number := range g.opRules[t.op] {
			r.rules = append(r.rules, g.at[number])
		}
	}
	slices.Sort(r.rules)
	r.rules = slices.Compact(r.rules)
	if !all {
		r.rules = slices.DeleteFunc(r.rules, func(at int32) bool { return !r.mayRaise(g, at) })
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
