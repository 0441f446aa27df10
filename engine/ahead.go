package engine

import "nudge/rules"

// What an event meets among ten thousand rules lies scattered over more memory than the processor's caches hold, and each step from test
// to operator to rule waits for the one before. So a block of records is matched before the first of them is applied, and then each step is
// made for all that the block meets at once, with nothing done at the end of it but to have been there: the processor waits for the
// lines of a step together.

// ahead is the scratch of a block.
type ahead struct {
	ops, rules []int32
	lists      [][]listener
	numbers    [][]int32
	uses       [][]rules.Use
	sum        int // keeps the steps from being left out
}

// fewRules is up to how many rules there are all of them are near anyway.
const fewRules = 200

// lookAt goes the way that collect, dropTrue and readUse will go for the block's tests.
func (s *shard) lookAt(b *Batch, block []int32) {
	g, a := s.program, &s.ahead
	if len(g.rules) <= fewRules {
		return
	}
	a.lists = a.lists[:0]
	for _, i := range block {
		for _, t := range b.tests[i] {
			a.lists = append(a.lists, g.heard[t])
		}
	}
	a.ops = a.ops[:0]
	for _, list := range a.lists {
		for i := range list {
			a.ops = append(a.ops, list[i].op)
		}
	}
	a.numbers = a.numbers[:0]
	for _, op := range a.ops {
		a.numbers = append(a.numbers, g.opRules[op])
		a.sum += int(g.nums[op]) + int(g.plan.Ops[op].Kind) + len(g.plan.Ops[op].Text)
	}
	a.rules = a.rules[:0]
	for _, list := range a.numbers {
		a.rules = append(a.rules, list...)
	}
	for i, n := range a.rules {
		a.rules[i] = g.at[n]
	}
	a.uses = a.uses[:0]
	for _, at := range a.rules {
		r := &g.plan.Rules[at]
		a.uses = append(a.uses, r.When.Uses)
		a.sum += int(g.rules[at].cooldown) + int(r.Mode)
	}
	for _, uses := range a.uses {
		a.sum += uses[0].Op
	}
}
