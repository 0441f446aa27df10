package engine

import (
	"encoding/binary"
	"math"
	"math/bits"

	"nudge"
	"nudge/rules"
)

// sum128 adds numbers of 10⁻⁶ exactly, whatever their order: 10,000 entries of up to 10¹⁸ do not fit 64 bits. Two's complement.
type sum128 struct{ hi, lo uint64 }

func (s *sum128) add(v int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(v), 0)
	s.hi, _ = bits.Add64(s.hi, uint64(v>>63), carry)
}

// millionths is v as a sum.
func millionths(v int64) (s sum128) {
	s.add(v)
	return s
}

// over is the sum divided by a number, rounded once: what is whole comes out whole, whatever its size.
func (s sum128) over(by uint64) float64 {
	if v := int64(s.lo); s.hi == uint64(v>>63) && v > -1<<53 && v < 1<<53 && by < 1<<53 {
		return float64(v) / float64(by)
	}
	if int64(s.hi) < 0 {
		return -s.negated().over(by)
	}
	n := bits.LeadingZeros64(s.hi)
	if s.hi == 0 {
		n += bits.LeadingZeros64(s.lo)
	}
	s = s.shifted(uint(n))
	var rest uint64
	s.hi, rest = s.hi/by, s.hi%by
	s.lo, rest = bits.Div64(rest, s.lo, by)
	if rest != 0 {
		s.lo |= 1 // stands for all that follows: it decides only a tie
	}
	return math.Ldexp(s.float(), -n)
}

func (s sum128) shifted(n uint) sum128 {
	if n >= 64 {
		return sum128{s.lo << (n - 64), 0}
	}
	return sum128{s.hi<<n | s.lo>>(64-n), s.lo << n}
}

func (s sum128) negated() sum128 {
	lo, borrow := bits.Sub64(0, s.lo, 0)
	hi, _ := bits.Sub64(0, s.hi, borrow)
	return sum128{hi, lo}
}

// float is the sum rounded once, to the nearest float64.
func (s sum128) float() float64 {
	if int64(s.hi) < 0 {
		return -s.negated().float()
	}
	if s.hi == 0 {
		return float64(s.lo)
	}
	n := bits.LeadingZeros64(s.hi)
	top := s.hi<<n | s.lo>>(64-n)
	if s.lo<<n != 0 {
		top |= 1 // stands for all the bits below: they decide only a tie
	}
	return math.Ldexp(float64(top), 64-n)
}

// micro is a number in 10⁻⁶, the unit in which numbers are kept. Anything that is no number within ±rules.MaxNumber counts as missing.
func micro(v nudge.Value) (int64, bool) {
	if v.Kind != nudge.Number || !(math.Abs(v.Num) <= rules.MaxNumber) { // so that NaN is none either
		return 0, false
	}
	if scaled := v.Num * rules.Micro; math.Abs(scaled) < 1<<53 {
		return int64(math.Round(scaled)), true
	}
	whole, part := math.Modf(v.Num) // the product would be rounded: a large whole number stays exact
	return int64(whole)*rules.Micro + int64(math.Round(part*rules.Micro)), true
}

// totals is what sum, avg, min and max are made of.
type totals struct {
	sum         sum128
	n           uint64
	least, most int64
}

const totalsBytes = 40

func (t *totals) add(v int64) {
	if t.n == 0 {
		t.least, t.most = v, v
	}
	t.sum.add(v)
	t.n++
	t.least, t.most = min(t.least, v), max(t.most, v)
}

// merge adds what others is made of; neither is of nothing.
func (t *totals) merge(others totals) {
	var carry uint64
	t.sum.lo, carry = bits.Add64(t.sum.lo, others.sum.lo, 0)
	t.sum.hi, _ = bits.Add64(t.sum.hi, others.sum.hi, carry)
	t.n += others.n
	t.least, t.most = min(t.least, others.least), max(t.most, others.most)
}

// reading is the fold: the sum of nothing is 0, everything else of nothing is nothing.
func (t *totals) reading(f rules.Fold) rules.Reading {
	switch {
	case f == rules.FoldSum:
		return rules.Reading{N: t.sum.over(rules.Micro)}
	case t.n == 0:
		return rules.Reading{None: true}
	case f == rules.FoldAvg:
		return rules.Reading{N: t.sum.over(rules.Micro * t.n)} // no key comes to 18 trillion numbers, where this would overflow
	case f == rules.FoldMin:
		return rules.Reading{N: millionths(t.least).over(rules.Micro)}
	}
	return rules.Reading{N: millionths(t.most).over(rules.Micro)}
}

func (t *totals) read(src []byte) {
	t.sum.lo, t.sum.hi = binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
	t.n = binary.LittleEndian.Uint64(src[16:])
	t.least, t.most = int64(binary.LittleEndian.Uint64(src[24:])), int64(binary.LittleEndian.Uint64(src[32:]))
}

func (t *totals) write(dst []byte) {
	binary.LittleEndian.PutUint64(dst, t.sum.lo)
	binary.LittleEndian.PutUint64(dst[8:], t.sum.hi)
	binary.LittleEndian.PutUint64(dst[16:], t.n)
	binary.LittleEndian.PutUint64(dst[24:], uint64(t.least))
	binary.LittleEndian.PutUint64(dst[32:], uint64(t.most))
}
