package oracle

import (
	"math"
	"math/big"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// Numbers are added as whole millionths; one further from 0 than maxNumber counts as missing.
const (
	millionth = 1e6 // how many are 1
	maxNumber = 1e12
)

// fold is sum, avg, min or max of the numbers in the window. The sum of nothing is 0, the others are nothing.
func (s *state) fold(call *ast.CallNode) nudge.Value {
	var all []int64
	for _, e := range s.window(call) {
		if v := s.rule.eval(e, call.Arguments[1]); v.Kind == nudge.Number && math.Abs(v.Num) <= maxNumber {
			all = append(all, int64(math.Round(v.Num*millionth)))
		}
	}
	if callee(call) == "sum" {
		return nudge.NumberValue(total(all) / millionth)
	}
	if len(all) == 0 {
		return unknown
	}
	least, most := all[0], all[0]
	for _, n := range all {
		least, most = min(least, n), max(most, n)
	}
	switch callee(call) {
	case "min":
		return nudge.NumberValue(float64(least) / millionth)
	case "max":
		return nudge.NumberValue(float64(most) / millionth)
	}
	return nudge.NumberValue(total(all) / float64(len(all)) / millionth)
}

// total adds without a bound: ten numbers of the largest size are more than 64 bits hold.
func total(all []int64) float64 {
	sum := new(big.Int)
	for _, n := range all {
		sum.Add(sum, big.NewInt(n))
	}
	f, _ := new(big.Float).SetInt(sum).Float64()
	return f
}
