package engine

import (
	"cmp"
	"encoding/binary"
	"math"

	"nudge"
	"nudge/rules"
)

// score is the slot of OpScore: i64 the newest time of a matching event, f64 the points at that time. Older and newer times are a factor
// of 2^(−elapsed/half-life) away, so that one sum stands for all events there ever were.
type score []byte

const scoreBytes = 16

func (s score) at() nudge.Millis { return nudge.Millis(binary.LittleEndian.Uint64(s)) }
func (s score) sum() float64     { return math.Float64frombits(binary.LittleEndian.Uint64(s[8:])) }

func (s score) set(at nudge.Millis, sum float64) {
	binary.LittleEndian.PutUint64(s, uint64(at))
	binary.LittleEndian.PutUint64(s[8:], math.Float64bits(sum))
}

// decayed is what points are worth after so long. The conversion keeps the compiler of other machines from fusing the product with a sum,
// which would round differently (I2).
func decayed(points float64, elapsed, halfLife nudge.Millis) float64 {
	return float64(points * math.Exp2(-float64(elapsed)/float64(halfLife)))
}

// pointsOf is what an event is worth that matched the tests of roles.
func pointsOf(points []rules.Points, roles role) float64 {
	sum := 0.0
	for i := range points {
		if roles&pointsRole(i) != 0 {
			sum += points[i].Points
		}
	}
	return sum
}

// addPoints adds an event's points, however late it is.
func (t *table) addPoints(i, num uint32, points float64, ts, halfLife nudge.Millis) {
	s := score(t.slot(i, num))
	if s == nil {
		score(t.grow(i, num, scoreBytes)).set(ts, points)
		return
	}
	if at := s.at(); ts > at {
		s.set(ts, decayed(s.sum(), ts-at, halfLife)+points)
	} else {
		s.set(at, s.sum()+decayed(points, at-ts, halfLife))
	}
}

// points is the score at an instant, rounded to 10⁻⁶.
func (s score) points(halfLife, at nudge.Millis) float64 {
	return math.Round(decayed(s.sum(), at-s.at(), halfLife)*rules.Micro) / rules.Micro
}

// next is the first instant after now at which the score compares differently with mark. The score only ever moves towards 0, so it
// reaches the mark once and passes it once. The instant is calculated, then put right to the millisecond by what points says.
func (s score) next(mark float64, halfLife, now nudge.Millis) nudge.Millis {
	sum := s.sum()
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return never
	}
	compare := func(at nudge.Millis) int { return cmp.Compare(s.points(halfLife, at), mark) }
	is := compare(now)
	if cmp.Compare(0, mark) == is {
		return never
	}
	edge := math.Floor(math.Abs(mark)*rules.Micro) + 0.5 // in 10⁻⁶, where rounding begins to give the mark or less
	if is == 0 {
		edge = math.Abs(mark)*rules.Micro - 0.5
	}
	elapsed := float64(halfLife) * math.Log2(math.Abs(sum)*rules.Micro/edge)
	before, after := now, now+1
	if guess := float64(s.at()) + elapsed; guess > float64(after) {
		after = nudge.Millis(guess)
	}
	for step := nudge.Millis(1); compare(after) == is; step *= 2 {
		before, after = after, after+step
	}
	for step := nudge.Millis(1); after-step > before; step *= 2 {
		if compare(after-step) == is {
			before = after - step
			break
		}
		after -= step
	}
	for after-before > 1 {
		if mid := before + (after-before)/2; compare(mid) == is {
			before = mid
		} else {
			after = mid
		}
	}
	return after
}
