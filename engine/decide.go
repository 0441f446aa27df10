package engine

import (
	"math"
	"slices"
	"sort"

	"nudge"
	"nudge/rules"
)

// keyRef is a key in a table, with an entry or still without one.
type keyRef struct {
	t     *table
	i     uint32
	scope int
	num   uint16 // under which the key is stored: the scope's, or scopePast
	hash  nudge.KeyHash
	text  string
}

// scratch is what deciding one input needs. It is reused.
type scratch struct {
	touched  []touch
	opAt     []int32 // operator → position in touched + 1
	rules    []int32 // the rules concerned, in settling order
	ruleSeen []bool
	readings []rules.Reading
	pulses   []pulse
	kept     []byte
	row      rules.Row // of a firing born of time
}

// touch is an operator that an input concerns.
type touch struct {
	op    int32
	roles role
}

// pulse is an operator that may pulse at this instant. Of OpFirst it says when the newest event before was.
type pulse struct {
	op   int
	had  bool
	prev nudge.Millis
	ts   nudge.Millis
}

// turn is one key taking one input to its end, with everything that its own rules fire by it.
type turn struct {
	pending []*fired // settled, not yet taken by the key
}

// enter hands out the scratch of the next depth; leave gives it back.
func (s *shard) enter() *scratch {
	if s.depth == len(s.scratch) {
		s.scratch = append(s.scratch, &scratch{})
	}
	w := s.scratch[s.depth]
	s.depth++
	if n := len(s.program.plan.Ops); len(w.opAt) < n {
		w.opAt = make([]int32, n)
	}
	if n := len(s.program.plan.Rules); len(w.ruleSeen) < n {
		w.ruleSeen = make([]bool, n)
	}
	w.touched, w.rules, w.pulses = w.touched[:0], w.rules[:0], w.pulses[:0]
	return w
}

func (s *shard) leave() { s.depth-- }

// take gives one input to its key. Each rule concerned is decided once: it rises when its condition is false before the input,
// with the windows moved to the instant, and true after it.
func (s *shard) take(b *Batch, in *input, t *turn) {
	w := s.enter()
	if in.past != nil {
		s.concernPast(w, in.past)
	}
	if s.collect(w, in.scope, in.tests) || in.past != nil {
		k := s.key(in)
		s.dropTrue(w, &k, in.when.at)
		if in.past != nil {
			s.mergePast(&k, in.past, in.when.at)
		}
		s.applyEvent(b, w, &k, in)
		s.keepRisen(w, &k, in.when.at)
		if len(w.rules) > 0 {
			s.settle(b, w, &k, in, t)
		}
	}
	s.leave()
}

// collect finds the operators that the matched tests concern, and the rules that use them.
func (s *shard) collect(w *scratch, scope int, tests []int32) bool {
	g := s.program
	for _, test := range tests {
		for _, l := range g.listening(int(test), scope) {
			if at := w.opAt[l.op]; at > 0 {
				w.touched[at-1].roles |= l.role
				continue
			}
			w.touched = append(w.touched, touch{l.op, l.role})
			w.opAt[l.op] = int32(len(w.touched))
		}
	}
	for _, t := range w.touched {
		w.opAt[t.op] = 0
		s.concernRules(w, t.op)
	}
	w.sortRules()
	return len(w.touched) > 0
}

// listening are the operators of a scope that a test's matching events concern.
func (g *program) listening(test, scope int) []listener {
	all := g.heard[test]
	from := 0
	if len(all) > fewListeners {
		from = sort.Search(len(all), func(i int) bool { return int(all[i].scope) >= scope })
	}
	for from < len(all) && int(all[from].scope) < scope {
		from++
	}
	to := from
	for to < len(all) && int(all[to].scope) == scope {
		to++
	}
	return all[from:to]
}

// fewListeners is how many are looked through one by one, which is faster than a binary search there.
const fewListeners = 16

// concernRules adds the rules whose when uses an operator.
func (s *shard) concernRules(w *scratch, op int32) {
	g := s.program
	for _, r := range g.opRules[op] {
		w.concern(g.at[r])
	}
}

// concern adds a rule by its place.
func (w *scratch) concern(at int32) {
	if !w.ruleSeen[at] {
		w.ruleSeen[at] = true
		w.rules = append(w.rules, at)
	}
}

// sortRules puts the rules concerned in settling order, in which the plan lists them.
func (w *scratch) sortRules() {
	for _, r := range w.rules {
		w.ruleSeen[r] = false
	}
	if len(w.rules) > 1 {
		slices.Sort(w.rules)
	}
}

func (s *shard) key(in *input) keyRef {
	k := keyRef{
		t: &s.tables[levelOf(s.program.plan.Scopes[in.scope].Kind)], i: in.entry,
		scope: in.scope, num: s.program.scopeNums[in.scope], hash: in.hash, text: in.key,
	}
	if k.i == noEntry {
		k.i = k.t.find(in.hash, k.num, in.key)
	}
	return k
}

// ensure gives the key an entry, and must be called before the key's record is changed.
func (s *shard) ensure(k *keyRef) {
	if k.i == noEntry {
		k.i = k.t.add(k.hash, k.num, k.text)
	}
	k.t.touch(k.i)
}

// dropTrue keeps, of the rules concerned, those whose condition is false before.
func (s *shard) dropTrue(w *scratch, k *keyRef, at nudge.Millis) {
	g, kept := s.program, w.rules[:0]
	for _, ri := range w.rules {
		r := &g.plan.Rules[ri]
		s.observe(w, k, ri, at, false)
		if r.Mode != rules.ModePaused && !g.held[ri] && (g.rules[ri].pulses || !s.holds(w, k, &r.When, at)) {
			kept = append(kept, ri)
		}
	}
	w.rules = kept
}

// keepRisen keeps those whose condition is true after.
func (s *shard) keepRisen(w *scratch, k *keyRef, at nudge.Millis) {
	kept := w.rules[:0]
	for _, ri := range w.rules {
		s.observe(w, k, ri, at, true)
		if s.holds(w, k, &s.program.plan.Rules[ri].When, at) {
			kept = append(kept, ri)
		}
	}
	w.rules = kept
}

// holds evaluates a condition for a key at an instant.
func (s *shard) holds(w *scratch, k *keyRef, c *rules.Cond, at nudge.Millis) bool {
	return c.Eval(s.read(w, k, c.Uses, at))
}

// read returns what the uses read at an instant; valid until the next call. The commonest kinds are written in place: a reading is large.
func (s *shard) read(w *scratch, k *keyRef, uses []rules.Use, at nudge.Millis) []rules.Reading {
	for len(w.readings) < len(uses) {
		w.readings = append(w.readings, rules.Reading{})
	}
	out := w.readings[:len(uses)]
	for i := range uses {
		u := &uses[i]
		switch op := &s.program.plan.Ops[u.Op]; op.Kind {
		case rules.OpOn, rules.OpFirst, rules.OpAbsent, rules.OpDwell, rules.OpSequence:
			out[i].Pulse = w.pulsed(u)
		case rules.OpCount, rules.OpDistinct:
			n := 0
			if slot := k.t.slot(k.i, s.program.nums[u.Op]); slot != nil {
				expired := expiredAt(at, u.Window)
				if planted == bugWindow && op.Kind == rules.OpCount {
					expired--
				}
				n = timesOf(op.Kind, slot).after(expired)
			}
			out[i].N, out[i].More, out[i].None = float64(n), n >= op.Keep, false
		default:
			out[i] = s.readUse(k, u, at)
		}
	}
	return out
}

func (s *shard) readUse(k *keyRef, u *rules.Use, at nudge.Millis) rules.Reading {
	op := &s.program.plan.Ops[u.Op]
	slot := k.t.slot(k.i, s.program.nums[u.Op])
	if slot == nil {
		return nothing(op.Kind, u.Fold)
	}
	switch op.Kind {
	case rules.OpTotal:
		return rules.Reading{N: float64(readTotal(slot))}
	case rules.OpValues:
		return rules.Reading{Values: valuesAfter(slot, expiredAt(at, u.Window))}
	case rules.OpNumbers:
		return numbers(slot).reading(u.Fold, expiredAt(at, u.Window))
	case rules.OpTally:
		return readTally(slot, u.Fold)
	case rules.OpLast:
		return rules.Reading{Value: lastValue(slot)}
	case rules.OpSince:
		return sinceReading(slot, at)
	case rules.OpScore:
		return rules.Reading{N: score(slot).points(op.Window, at)}
	}
	panic("BUG: an operator that cannot be read")
}

// nothing is what is read of a key that has no state of the operator.
func nothing(kind rules.OpKind, f rules.Fold) rules.Reading {
	switch kind {
	case rules.OpNumbers, rules.OpTally:
		return rules.Reading{None: f != rules.FoldSum}
	case rules.OpSince:
		return rules.Reading{None: true}
	}
	return rules.Reading{}
}

// pulsed says whether the use's operator pulses at this instant.
func (w *scratch) pulsed(u *rules.Use) bool {
	for i := range w.pulses {
		if p := &w.pulses[i]; p.op == u.Op {
			return !p.had || p.prev <= expiredAt(p.ts, u.Window)
		}
	}
	return false
}

// expiredAt is the newest time that is outside a window of that length at an instant: windows are half open, (at − window, at].
func expiredAt(at, window nudge.Millis) nudge.Millis {
	if window == rules.Ever || at < math.MinInt64+window {
		return math.MinInt64
	}
	return at - window
}
