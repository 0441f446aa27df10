package rules

import (
	"fmt"
	"slices"
)

// The sizes that Cost reckons with, in bytes: what an engine keeps per key, not what a Go program needs around it.
const (
	bytesPerOperator = 16 // its place in a key's record
	bytesPerTime     = 8
	bytesPerDistinct = 24 // 128 bits of hash and a time
	bytesPerValue    = 56 // a value as text, a time and a stamp
	bytesPerWait     = 32 // a start, a deadline, the newest ending, a state
	bytesPerField    = 24 // of a starting event that is kept
	bytesPerRule     = 8  // the last delivered firing, where there is a cooldown
	bytesPerNumber   = 16 // a number and a time
	bytesPerTally    = 40 // sum, how many, least, most
	bytesPerLast     = 56 // a value as text, a time and a stamp
	bytesPerPartial  = 16 // a step's first and newest time
)

// Cost is what one rule needs per key.
type Cost struct {
	Rule   string
	Bytes  int // at most; operators that other rules share are counted for each of them
	Shared int // of these bytes, how many belong to operators that other rules of the same scope use too
}

// bytes is the most that an operator keeps per key.
func (op *Op) bytes() int {
	switch op.Kind {
	case OpOn:
		return 0
	case OpCount:
		return bytesPerOperator + op.Keep*bytesPerTime
	case OpDistinct:
		return bytesPerOperator + op.Keep*bytesPerDistinct
	case OpValues:
		return bytesPerOperator + op.Keep*bytesPerValue
	case OpNumbers:
		return bytesPerOperator + op.Keep*bytesPerNumber
	case OpTally:
		return bytesPerOperator + bytesPerTally
	case OpLast:
		return bytesPerOperator + bytesPerLast
	case OpScore:
		return bytesPerOperator + bytesPerNumber
	case OpSequence:
		return bytesPerOperator + (len(op.Steps)-1)*bytesPerPartial
	case OpAbsent, OpDwell:
		return bytesPerOperator + bytesPerWait + len(op.Slots)*bytesPerField
	}
	return bytesPerOperator + bytesPerTime
}

// unbounded says whether a keeps as many entries as may be where asking in another way would keep less.
func (a *ask) unbounded() bool {
	return a.keep == 0 && (a.kind == OpCount || a.kind == OpDistinct || a.kind == OpNumbers && !a.alone)
}

// bytes is what a's entries take.
func (a *ask) bytes(keep int) int {
	switch a.kind {
	case OpCount:
		return keep * bytesPerTime
	case OpNumbers:
		return keep * bytesPerNumber
	}
	return keep * bytesPerDistinct
}

// Cost lists what each rule needs per key, in the order of Rules.
func (p *Plan) Cost() []Cost {
	users := make([]int, len(p.Ops)) // how many rules use an operator
	for i := range p.Rules {
		for _, op := range p.Rules[i].ops() {
			users[op]++
		}
	}
	out := make([]Cost, len(p.Rules))
	for i := range p.Rules {
		r := &p.Rules[i]
		c := Cost{Rule: r.ID}
		if r.Cooldown > 0 {
			c.Bytes += bytesPerRule
		}
		if r.Limit != nil {
			c.Bytes += bytesPerOperator + r.Limit.N*bytesPerTime
		}
		for _, op := range r.ops() {
			n := p.Ops[op].bytes()
			if c.Bytes += n; users[op] > 1 {
				c.Shared += n
			}
		}
		out[i] = c
	}
	return out
}

// ops is the operators that a rule uses, ascending.
func (r *Rule) ops() []int {
	var ops []int
	add := func(uses []Use) {
		for _, u := range uses {
			ops = append(ops, u.Op)
		}
	}
	add(r.When.Uses)
	if r.Unless != nil {
		add(r.Unless.Uses)
	}
	for _, a := range r.Actions {
		add(a.Uses)
	}
	slices.Sort(ops)
	return slices.Compact(ops)
}

func sizeText(bytes int) string {
	if bytes < 10<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}
