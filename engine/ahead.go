package engine

// What an event meets among ten thousand rules lies scattered over more memory than the processor's caches hold, and each step from test
// to operator to rule waits for the one before. So a block of records is matched before the first of them is applied, and then each step is
// made for all that the block meets at once, with nothing done at the end of it but to have been there: the processor waits for the
// lines of a step together.

// ahead is the scratch of a block.
type ahead struct {
	reactions []*reaction
	rules     []int32
	needs     [][]need
	unknown   []int32           // records of which memo does not know what they mean
	hashes    [lookAhead]uint64 // memo's, of these
	sets      [lookAhead]uint64 // hashes of the tests that they match
	sum       int               // keeps the steps from being left out
}

// fewRules is up to how many rules there are all of them are near anyway.
const fewRules = 200

// lookAt goes the way that take will go for the block's events.
func (s *shard) lookAt(b *Batch, block []int32) {
	g, a := s.program, &s.ahead
	if len(g.rules) <= fewRules {
		return
	}
	a.reactions = a.reactions[:0]
	for _, i := range block {
		for _, r := range b.met[i].fixed {
			if r != nil {
				a.reactions = append(a.reactions, r)
			}
		}
	}
	a.rules = a.rules[:0]
	for _, r := range a.reactions {
		a.sum += len(r.touched)
	}
	for _, r := range a.reactions {
		for i := range r.touched {
			a.sum += int(r.touched[i].num)
		}
		for j := range r.asked {
			a.rules = append(a.rules, r.asked[j].rule)
		}
	}
	a.needs = a.needs[:0]
	for _, at := range a.rules {
		if needs := g.rules[at].needs; needs != nil {
			a.needs = append(a.needs, needs)
		}
	}
	for _, needs := range a.needs {
		a.sum += needs[0].atLeast
	}
}
