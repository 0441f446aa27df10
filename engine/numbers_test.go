package engine

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"nudge"
	"nudge/rules"
)

// TestSum128 adds numbers of all sizes and holds the sum and its float64 to arbitrary precision.
func TestSum128(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		var s sum128
		want := new(big.Int)
		for range 1 + r.IntN(40) {
			v := int64(r.Uint64()) >> r.IntN(64)
			s.add(v)
			want.Add(want, big.NewInt(v))
		}
		got := new(big.Int).Lsh(big.NewInt(int64(s.hi)), 64)
		got.Add(got, new(big.Int).SetUint64(s.lo))
		f, _ := new(big.Float).SetInt(want).Float64()
		if got.Cmp(want) != 0 || s.float() != f {
			t.Fatalf("seed %d: %v as %v, want %v as %v", seed, got, s.float(), want, f)
		}
		by := uint64(rules.Micro) * (1 + r.Uint64N(1<<r.IntN(44)))
		if q, _ := new(big.Rat).SetFrac(want, new(big.Int).SetUint64(by)).Float64(); s.over(by) != q {
			t.Fatalf("seed %d: %v over %d is %v, want %v", seed, want, by, s.over(by), q)
		}
	}
	for _, lo := range []uint64{0, 1, 1 << 10, 1<<10 + 1, 1<<11 - 1, 1 << 11, 3 << 10} { // ties and their neighbours
		for _, hi := range []uint64{1, 1 << 20, 1<<63 - 1, 1 << 62} {
			s := sum128{hi, lo}
			want, _ := new(big.Float).SetInt(new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64), new(big.Int).SetUint64(lo))).Float64()
			if got := s.float(); got != want {
				t.Fatalf("%x %x: %v, want %v", hi, lo, got, want)
			}
			if got, want := s.negated().float(), -want; got != want {
				t.Fatalf("-%x %x: %v, want %v", hi, lo, got, want)
			}
		}
	}
}

func TestMicro(t *testing.T) {
	for _, c := range []struct {
		v    nudge.Value
		want int64
		ok   bool
	}{
		{nudge.NumberValue(1.5), 1_500_000, true},
		{nudge.NumberValue(-0.0000005), -1, true}, // half away from 0
		{nudge.NumberValue(0.00000049), 0, true},
		{nudge.NumberValue(9007199254.740993), 9007199254740993, true},
		{nudge.NumberValue(-999_999_999_999), -999_999_999_999_000_000, true},
		{nudge.NumberValue(999_999_999_999.5), 999_999_999_999_500_000, true},
		{nudge.NumberValue(rules.MaxNumber), 1e18, true},
		{nudge.NumberValue(-rules.MaxNumber), -1e18, true},
		{nudge.NumberValue(math.Nextafter(rules.MaxNumber, 2e12)), 0, false},
		{nudge.NumberValue(math.NaN()), 0, false},
		{nudge.NumberValue(math.Inf(-1)), 0, false},
		{nudge.BoolValue(true), 0, false},
		{nudge.TextValue("3"), 0, false},
		{nudge.Value{}, 0, false},
		{nudge.Value{Kind: nudge.Null}, 0, false},
	} {
		if got, ok := micro(c.v); got != c.want || ok != c.ok {
			t.Errorf("%v: %d %v, want %d %v", c.v, got, ok, c.want, c.ok)
		}
	}
}

// numbersCase is a random life of one OpNumbers, and all that it was told.
type numbersCase struct {
	table
	keep    int
	largest nudge.Millis
	all     []struct{ ts, v int64 }
}

// naive folds all events in a window.
func (c *numbersCase) naive(f rules.Fold, from, to nudge.Millis) (n float64, none bool, count int) {
	over := func(n *big.Int, by int) float64 {
		f, _ := new(big.Rat).SetFrac(n, big.NewInt(int64(by))).Float64()
		return f
	}
	sum, least, most := new(big.Int), int64(math.MaxInt64), int64(math.MinInt64)
	for _, e := range c.all {
		if nudge.Millis(e.ts) > from && nudge.Millis(e.ts) <= to {
			count++
			sum.Add(sum, big.NewInt(e.v))
			least, most = min(least, e.v), max(most, e.v)
		}
	}
	switch {
	case f == rules.FoldSum:
		return over(sum, 1e6), false, count
	case count == 0:
		return 0, true, 0
	case f == rules.FoldAvg:
		return over(sum, 1e6*count), false, count
	case f == rules.FoldMin:
		return over(big.NewInt(least), 1e6), false, count
	}
	return over(big.NewInt(most), 1e6), false, count
}

// TestNumbersAgainstAllEvents holds the folds to all events there ever were: late ones, any window up to the largest, deployments that
// keep less or more. What is read is right or says that it lacks something, and it lacks nothing while all that is in the window fits.
func TestNumbersAgainstAllEvents(t *testing.T) {
	lacking, whole := 0, 0
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(seed, 3))
		c := numbersCase{keep: 1 + r.IntN(30), largest: nudge.Millis(1 + r.IntN(300))}
		i, now := c.add(1, 0, "k"), nudge.Millis(-50)
		dropped := 0
		for step := range 300 {
			if step == 150 && r.IntN(2) == 0 {
				c.keep = 1 + r.IntN(2*c.keep)
			}
			now += nudge.Millis(r.IntN(5))
			ts, v := now, int64(r.Uint64())>>(4+r.IntN(50))
			if r.IntN(4) == 0 {
				ts -= nudge.Millis(r.IntN(200))
			}
			c.all = append(c.all, struct{ ts, v int64 }{int64(ts), v})
			if ts > now-c.largest && c.addNumber(i, 1, c.keep, v, ts, now-c.largest) {
				dropped++
			}
			slot := c.slot(i, 1)
			if slot == nil {
				continue
			}
			f, window := rules.Fold(r.IntN(4)), 1+nudge.Millis(r.Int64N(int64(c.largest)))
			at := now + nudge.Millis(r.IntN(3)*r.IntN(300))
			got := numbers(slot).reading(f, at-window)
			n, none, count := c.naive(f, at-window, at)
			if got.More {
				lacking++
				if dropped == 0 {
					t.Fatalf("seed %d, step %d: something lacks, and nothing was dropped", seed, step)
				}
				continue
			}
			whole++
			if got.N != n || got.None != none {
				t.Fatalf("seed %d, step %d: fold %d over %d numbers is %v, none %v; want %v, %v", seed, step, f, count, got.N, got.None, n, none)
			}
		}
		if n := numbers(c.slot(i, 1)); n.len() > 60 {
			t.Fatalf("seed %d: %d entries are kept", seed, n.len())
		}
	}
	if lacking < 1000 || whole < 10000 {
		t.Fatalf("%d readings lacked something and %d nothing: the test tests one thing only", lacking, whole)
	}
}

// TestNumbersLackNothingThatFits drops an entry and sees it forgotten by the windows that it has left.
func TestNumbersLackNothingThatFits(t *testing.T) {
	var tb table
	i := tb.add(1, 0, "k")
	for ts := nudge.Millis(1); ts <= 4; ts++ {
		if dropped := tb.addNumber(i, 1, 3, int64(ts), ts, -100); dropped != (ts == 4) {
			t.Fatalf("dropped %v at %d", dropped, ts)
		}
	}
	n := numbers(tb.slot(i, 1))
	if !n.lacks(0) || n.lacks(1) || n.reading(rules.FoldSum, 1).N != 9e-6 {
		t.Fatalf("lacks %v %v, sum %v", n.lacks(0), n.lacks(1), n.reading(rules.FoldSum, 1))
	}
	if due := n.droppedExpiry(10, 5); due != 11 {
		t.Fatalf("the window of 10 is whole again at %d, want 11", due)
	}
	if due := n.droppedExpiry(10, 11); due != never {
		t.Fatalf("the window of 10 is whole again at %d a second time", due)
	}
	if !tb.addNumber(i, 1, 3, 1, 2, -100) || !numbers(tb.slot(i, 1)).lacks(1) {
		t.Fatal("a late number that had no room was not noted as dropped")
	}
}

// TestTallyAgainstAllNumbers holds sums over "ever" to arbitrary precision.
func TestTallyAgainstAllNumbers(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		var c numbersCase
		i := c.add(1, 0, "k")
		for range 1 + r.IntN(60) {
			v := int64(r.Uint64()) >> (4 + r.IntN(50))
			c.all = append(c.all, struct{ ts, v int64 }{0, v})
			c.addTally(i, 1, v)
			for f := rules.FoldSum; f <= rules.FoldMax; f++ {
				want, _, _ := c.naive(f, -1, 0)
				if got := readTally(c.slot(i, 1), f); got.N != want || got.None || got.More {
					t.Fatalf("seed %d: fold %d is %+v, want %v", seed, f, got, want)
				}
			}
		}
	}
}
