package engine

import (
	"slices"

	"nudge"
	"nudge/rules"
)

// keyRef is a key in a table, with an entry or still without one.
type keyRef struct {
	t     *table
	i     uint32
	scope int
	num   uint16 // under which the key is stored: the scope's, or the visitor's for its past
	hash  nudge.KeyHash
	text  string

	isPast  bool
	touched bool // see ensure
}

// scratch is what deciding one input needs. It is reused.
type scratch struct {
	rules    []int32 // the rules concerned, in settling order
	left     []int32 // of a reaction's operators those that are not changed quickly, by their places in touched
	open     []int32 // of a reaction's rules those that may rise, by their places in asked
	readings []rules.Reading
	whole    []rules.Use // of readWhole
	pulses   []pulse
	added    []slotCopy
	kept     []byte
	row      rules.Row // of a firing born of time
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
	w.rules, w.pulses = w.rules[:0], w.pulses[:0]
	return w
}

func (s *shard) leave() { s.depth-- }

// take gives one input to its key, which k is. Each rule concerned is decided once: it rises when its condition is false before the input,
// with the windows moved to the instant, and true after it.
func (s *shard) take(b *Batch, k *keyRef, in *input, t *turn) {
	s.takeBy(b, k, in, in.met.at(in.scope), t)
}

// takeBy is take where the key's reaction is at hand; nil: it has none.
func (s *shard) takeBy(b *Batch, k *keyRef, in *input, r *reaction, t *turn) {
	w := s.enter()
	if in.past != nil || s.engine.options.Observe != nil {
		s.takeWhole(b, w, k, in, r)
	} else {
		k.t.focusOn(k.i)
		s.findOpen(w, k, r, in.when.at)
		s.applyEvent(b, w, k, in, r)
		if len(w.open)+len(w.pulses) > 0 {
			s.findRisen(w, k, r, in.when.at)
		}
	}
	if len(w.rules) > 0 {
		s.settle(b, w, k, in, t)
	}
	s.leave()
}

// takeWhole is take up to settling, with a past, and for those who observe.
func (s *shard) takeWhole(b *Batch, w *scratch, k *keyRef, in *input, r *reaction) {
	if r != nil {
		w.rules = append(w.rules, r.asked...)
	}
	if in.past != nil {
		s.concernPast(w, in.past)
	}
	w.sortRules()
	k.t.focusOn(k.i)
	s.dropTrue(w, k, in.when.at)
	if in.past != nil {
		s.mergePast(k, in.past, in.when.at)
	}
	if r != nil {
		s.applyEvent(b, w, k, in, r)
	}
	s.keepRisen(w, k, in.when.at)
}

// findOpen finds, of the rules of a reaction, those that may rise: the condition is false before, and not so far from true that one event cannot make it so.
func (s *shard) findOpen(w *scratch, k *keyRef, r *reaction, at nudge.Millis) {
	w.open = w.open[:0]
	from := 0
	if f := k.t.focusOf(k.i); f != nil {
		w.findOpenPlain(f, r.plain, at)
		from = int(r.others)
	}
	for i := range r.asked[from:r.pulsed] {
		if !s.isTrue(w, k, r.asked[from+i], at) {
			w.open = append(w.open, int32(from+i))
		}
	}
}

// findRisen makes those of them, and of the rules that need a pulse where there is one, the rules concerned whose condition is true after, in settling
// order.
func (s *shard) findRisen(w *scratch, k *keyRef, r *reaction, at nudge.Millis) {
	if len(w.pulses) > 0 {
		w.open = appendRest(w.open, int(r.pulsed), len(r.asked))
	}
	f := k.t.focusOf(k.i)
	for _, i := range w.open {
		ri := r.asked[i]
		if needs := s.program.rules[ri].needs; needs == nil || f == nil {
			if s.isTrue(w, k, ri, at) {
				w.rules = append(w.rules, ri)
			}
		} else if f.areMet(w, s.program, needs, at) {
			w.rules = append(w.rules, ri)
		}
	}
	if len(w.rules) > 1 {
		slices.Sort(w.rules)
	}
}

// concern adds the rules whose when uses an operator. sortRules comes after it.
func (w *scratch) concern(g *program, op int32) {
	for _, number := range g.opRules[op] {
		w.rules = append(w.rules, g.at[number])
	}
}

// sortRules puts the rules concerned in settling order, in which the plan lists them, each once.
func (w *scratch) sortRules() {
	slices.Sort(w.rules)
	w.rules = slices.Compact(w.rules)
}

// key is the key of an input. It is written where it is wanted: of a literal see takeRecord.
func (s *shard) key(k *keyRef, in *input) {
	level, num := in.scope, uint16(in.scope) // of visitors, users and companies
	if in.scope > rules.ScopeCompany {
		level, num = levelOf(s.program.plan.Scopes[in.scope].Kind), s.program.scopeNums[in.scope]
	}
	k.t, k.i, k.scope, k.num, k.hash, k.text = &s.tables[level], in.entry, in.scope, num, in.hash, in.key
	if k.i == noEntry {
		k.i = k.t.find(in.hash, k.num, in.key)
	}
}

// ensure gives the key an entry, and must be called before the key's record is changed.
func (s *shard) ensure(k *keyRef) {
	if !k.touched {
		s.touch(k, nil)
	}
}

// touch is ensure; slots are those of a new entry, ascending by number.
func (s *shard) touch(k *keyRef, slots []slotCopy) {
	k.touched = true
	if k.i == noEntry {
		if k.i = k.t.find(k.hash, k.num, k.text); k.i == noEntry { // what a rule of the key has fired may have joined its past meanwhile
			k.i = k.t.addWith(k.hash, k.num, k.text, slots)
		}
		k.t.focusOn(k.i)
	}
	k.t.touch(k.i)
}

// dropTrue keeps, of the rules concerned, those whose condition is false before.
func (s *shard) dropTrue(w *scratch, k *keyRef, at nudge.Millis) {
	g, kept, observed := s.program, w.rules[:0], s.engine.options.Observe != nil
	for _, ri := range w.rules {
		r := &g.rules[ri]
		if observed {
			s.observe(w, k, ri, at, false)
		}
		if !r.silent() && (r.pulses || !s.isTrue(w, k, ri, at)) {
			kept = append(kept, ri)
		}
	}
	w.rules = kept
}

// keepRisen keeps those whose condition is true after.
func (s *shard) keepRisen(w *scratch, k *keyRef, at nudge.Millis) {
	kept, observed := w.rules[:0], s.engine.options.Observe != nil
	for _, ri := range w.rules {
		if observed {
			s.observe(w, k, ri, at, true)
		}
		if s.isTrue(w, k, ri, at) {
			kept = append(kept, ri)
		}
	}
	w.rules = kept
}

// isTrue evaluates a rule's condition for a key at an instant.
func (s *shard) isTrue(w *scratch, k *keyRef, ri int32, at nudge.Millis) bool {
	needs := s.program.rules[ri].needs
	if needs == nil {
		return s.holds(w, k, &s.program.plan.Rules[ri].When, at)
	}
	for i := range needs {
		if n := &needs[i]; n.pulse {
			if !w.pulsed(int(n.num), n.window) {
				return false
			}
		} else if !n.isMet(s.program, k.t.slot(k.i, n.num), at) {
			return false
		}
	}
	return true
}

// holds evaluates a condition for a key at an instant.
func (s *shard) holds(w *scratch, k *keyRef, c *rules.Cond, at nudge.Millis) bool {
	return c.Eval(s.read(w, k, c.Uses, at))
}

// expiredIn is expiredAt for a use of OpCount or OpDistinct.
func expiredIn(kind rules.OpKind, window, at nudge.Millis) nudge.Millis {
	expired := expiredAt(at, window)
	if planted(bugWindow) && kind == rules.OpCount {
		expired--
	}
	return expired
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
			out[i].Pulse = w.pulsed(u.Op, u.Window)
		case rules.OpCount, rules.OpDistinct:
			num := s.program.nums[u.Op]
			countIn(&out[i], op, u, k.t.slot(k.i, num), s.program.above(num, expiredIn(op.Kind, u.Window, at)))
		default:
			out[i] = s.readUse(k, u, at)
		}
	}
	return out
}

// countIn reads a use of OpCount or OpDistinct: what is newer than expired.
func countIn(out *rules.Reading, op *rules.Op, u *rules.Use, slot []byte, expired nudge.Millis) {
	if n := u.AtLeast; n > 0 {
		if slot == nil || !timesOf(op.Kind, slot).reach(n, expired) {
			n--
		}
		out.N = float64(n)
		return
	}
	n := 0
	if slot != nil {
		n = timesOf(op.Kind, slot).after(expired)
	}
	out.N, out.More, out.None = float64(n), n >= op.Keep, false
}

// readWhole is read for those who want to see what there is, not only what decides.
func (s *shard) readWhole(w *scratch, k *keyRef, uses []rules.Use, at nudge.Millis) []rules.Reading {
	w.readings, w.whole = nil, append(w.whole[:0], uses...) // read writes of each reading only what its kind has
	for i := range w.whole {
		w.whole[i].AtLeast = 0
	}
	return s.read(w, k, w.whole, at)
}

func (s *shard) readUse(k *keyRef, u *rules.Use, at nudge.Millis) rules.Reading {
	op := &s.program.plan.Ops[u.Op]
	num := s.program.nums[u.Op]
	slot := k.t.slot(k.i, num)
	if slot == nil {
		return nothing(op.Kind, u.Fold)
	}
	switch op.Kind {
	case rules.OpTotal:
		return rules.Reading{N: float64(readTotal(slot))}
	case rules.OpValues:
		return rules.Reading{Values: valuesAfter(slot, s.program.above(num, expiredAt(at, u.Window)))}
	case rules.OpNumbers:
		return numbers(slot).reading(u.Fold, s.program.above(num, expiredAt(at, u.Window)))
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

// pulsed says whether an operator pulses at this instant, to a use with that window.
func (w *scratch) pulsed(op int, window nudge.Millis) bool {
	for i := range w.pulses {
		if p := &w.pulses[i]; p.op == op {
			return !p.had || p.prev <= expiredAt(p.ts, window)
		}
	}
	return false
}

// expiredAt is the newest time that is outside a window of that length at an instant: windows are half open, (at − window, at]. Of rules.Ever it is older
// than any event. Neither an event's time nor the log's is before 1970, so the difference is always a time.
func expiredAt(at, window nudge.Millis) nudge.Millis { return at - window }
