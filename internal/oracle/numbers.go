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
			all = append(all, inMillionths(v.Num))
		}
	}
	if most := s.rule.kept[keepText(call, true)]; most > 0 && len(all) > most {
		return unknown
	}
	if callee(call) == "sum" {
		return nudge.NumberValue(over(total(all), millionth))
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
		return nudge.NumberValue(over(big.NewInt(least), millionth))
	case "max":
		return nudge.NumberValue(over(big.NewInt(most), millionth))
	}
	return nudge.NumberValue(over(total(all), millionth*int64(len(all))))
}

// inMillionths is a number in 10⁻⁶: its product where that is exact, else its whole part and the rest apart, so that a large whole number stays exact.
func inMillionths(f float64) int64 {
	if scaled := f * millionth; math.Abs(scaled) < 1<<53 {
		return int64(math.Round(scaled))
	}
	whole, rest := math.Modf(f)
	return int64(whole)*millionth + int64(math.Round(rest*millionth))
}

// over is a quotient, rounded once.
func over(n *big.Int, by int64) float64 {
	f, _ := new(big.Rat).SetFrac(n, big.NewInt(by)).Float64()
	return f
}

// total adds without a bound: ten numbers of the largest size are more than 64 bits hold.
func total(all []int64) *big.Int {
	sum := new(big.Int)
	for _, n := range all {
		sum.Add(sum, big.NewInt(n))
	}
	return sum
}
