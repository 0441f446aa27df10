package engine

import "nudge/rules"

// What an event meets among ten thousand rules lies scattered over more memory than the processor's caches hold, and each step from test
// to operator to rule waits for the one before. So a block of records is matched before the first of them is applied, and then each step is
// made for all that the block meets at once, with nothing done at the end of it but to have been there: the processor waits for the
// lines of a step together.

// ahead is the scratch of a block.
type ahead struct {
	reactions []*reaction
	unknown   []int32           // records of which memo does not know what they mean
	hashes    [lookAhead]uint64 // memo's, of these
	sets      [lookAhead]uint64 // hashes of the tests that they match
	sum       int               // keeps the steps from being left out
}

// fewRules is up to how many rules there are all of them are near anyway.
const fewRules = 200

// lookAt goes the way that takeRecord will go for the block's events.
func (s *shard) lookAt(b *Batch, block []int32) {
	if len(s.program.rules) <= fewRules {
		return
	}
	a := &s.ahead
	a.reactions = a.reactions[:0]
	for _, i := range block {
		m, who := b.met[i], &b.abouts[i]
		if who.user == "" && m.joint != nil {
			a.add(m.joint)
		} else {
			a.add(m.fixed[rules.ScopeVisitor])
			a.add(m.fixed[rules.ScopeUser])
		}
		if who.company != "" {
			a.add(m.fixed[rules.ScopeCompany])
		}
	}
	for _, r := range a.reactions {
		a.sum += len(r.touched) + len(r.asked)
	}
	for _, r := range a.reactions { // where the lists begin: their next lines the processor brings by itself
		a.sum += int(r.touched[0].num)
		if len(r.asked) > 0 {
			a.sum += int(r.asked[0])
		}
		if len(r.plain) > 0 {
			a.sum += int(r.plain[0].num)
		}
	}
	for _, r := range a.reactions {
		for _, t := range r.touched {
			a.sum += int(t.num)
		}
		for i := range r.plain {
			a.sum += int(r.plain[i].num)
		}
	}
}

func (a *ahead) add(r *reaction) {
	if r != nil {
		a.reactions = append(a.reactions, r)
	}
}
