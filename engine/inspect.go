package engine

import (
	"nudge"
	"nudge/rules"
)

// Decision is a rule's condition as it was read for a key on one side of an instant, or its unless when it rose.
type Decision struct {
	Rule     *rules.Rule
	Key      string
	At       nudge.Millis    // where its windows stand: before timers, one millisecond before the instant
	After    bool            // the instant has been applied; a rule that was true before is not read again
	Unless   bool            // it is the unless that was read, after the instant
	Readings []rules.Reading // of When.Uses, or of Unless.Uses; valid during the call
}

// observe tells whoever wants to know of a rule's condition.
func (s *shard) observe(w *scratch, k *keyRef, ri int32, at nudge.Millis, after bool) {
	r := &s.program.plan.Rules[ri]
	s.tell(w, k, r.When.Uses, Decision{Rule: r, At: at, After: after})
}

// observeUnless tells of a rule's unless.
func (s *shard) observeUnless(w *scratch, k *keyRef, ri int32, at nudge.Millis) {
	if s.engine.options.Observe != nil {
		r := &s.program.plan.Rules[ri]
		s.tell(w, k, r.Unless.Uses, Decision{Rule: r, At: at, After: true, Unless: true})
	}
}

// tell reads once more what the decision itself reads: nobody listens where speed matters.
func (s *shard) tell(w *scratch, k *keyRef, uses []rules.Use, d Decision) {
	if k.text == "" { // of a timer
		_, text := k.t.identity(k.i)
		k.text = string(text)
	}
	d.Key, d.Readings = k.text, s.readWhole(w, k, uses, d.At)
	s.engine.options.Observe(d)
}

// UseState is what one use of a rule's condition holds for a key.
type UseState struct {
	Use     rules.Use
	Reading rules.Reading // never a pulse: those pass with their instant
	Wait    *WaitState    // absent and dwell that have ever begun for the key; else nil
}

// WaitState is where an absent or a dwell stands.
type WaitState struct {
	Open    bool         // started, not ended, and not due yet
	Pulsed  bool         // dwell: has pulsed and waits for an end
	Started nudge.Millis // where Open or Pulsed
	Due     nudge.Millis // where Open or Pulsed
}

// Inspect is what the uses of a rule's condition hold for a key at an instant, after what has been applied so far. It changes nothing;
// nil where there is no such rule. A key that has never been met has nothing but zero readings.
func (e *Engine) Inspect(ruleID, key string, at nudge.Millis) []UseState {
	r, ok := e.program.plan.RuleByID(ruleID)
	if !ok {
		return nil
	}
	sc := &e.program.plan.Scopes[r.Scope]
	hash := nudge.HashKey(sc.Per, key)
	s := e.shards[hash.Shard(len(e.shards))]
	var k keyRef
	s.key(&k, &input{scope: r.Scope, hash: hash, key: key, entry: noEntry})
	w := s.enter()
	defer s.leave()
	readings := s.readWhole(w, &k, r.When.Uses, at)
	states := make([]UseState, len(r.When.Uses))
	for i, u := range r.When.Uses {
		states[i] = UseState{Use: u, Reading: readings[i]}
		if isWait(e.program.plan.Ops[u.Op].Kind) {
			states[i].Wait = waitStateOf(k.t.slot(k.i, e.program.nums[u.Op]))
		}
	}
	return states
}

func waitStateOf(w wait) *WaitState {
	if w == nil {
		return nil
	}
	st := &WaitState{Open: w[0] == waitOpen, Pulsed: w[0] == waitPulsed}
	if st.Open || st.Pulsed {
		st.Started, st.Due = w.startTs(), w.deadline()
	}
	return st
}
