package rules

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// What is filed under a text is what was put there and not taken away, in the newest plan and in those before it, however often it is packed anew.
func TestFiled(t *testing.T) {
	type version struct {
		filed
		want map[string][]int32
	}
	r := rand.New(rand.NewPCG(3, 0))
	var f filed
	var versions []version
	want, packs := map[string][]int32{}, 0
	text := func() string { n := r.IntN(300); return strings.Repeat("x", n%20) + fmt.Sprint(n) }
	for age := range uint64(60) {
		if !f.own(age + 1) {
			t.Fatal("it was the plan's own before")
		}
		for range r.IntN(40) {
			text, test := text(), int32(r.IntN(1000))
			had := slices.Contains(want[text], test)
			f.change(text, test, !had)
			want[text] = changed(slices.Clone(want[text]), test, !had)
		}
		before := f.packed.taken
		f.settle()
		if f.packed.taken != before {
			packs++
		}
		versions = append(versions, version{f, maps.Clone(want)})
		for range 100 {
			v, text := &versions[r.IntN(len(versions))], text()
			if got := v.appendTo([]int32{7}, text); got[0] != 7 || !slices.Equal(got[1:], v.want[text]) {
				t.Fatalf("under %q there is %v, want %v", text, got[1:], v.want[text])
			}
		}
	}
	if packs < 3 {
		t.Errorf("packed %d times: the test shows too little", packs)
	}
}

// Texts with the same hash are told apart, and one that is not there is not taken for one that is.
func TestPackedToldApart(t *testing.T) {
	var all table[string, []int32]
	const hash = 1 << 63
	for i := range int32(20) {
		all.put(hash, fmt.Sprint("text ", i), []int32{i})
	}
	all.put(hash, "taken away", nil)
	p := pack(&all)
	for i := range int32(20) {
		if got := p.appendTo(nil, hash, fmt.Sprint("text ", i)); !slices.Equal(got, []int32{i}) {
			t.Errorf("under text %d there is %v", i, got)
		}
	}
	for _, text := range [...]string{"", "text", "text 20", "text 1 ", "taken away"} {
		if got := p.appendTo(nil, hash, text); got != nil {
			t.Errorf("under %q there is %v", text, got)
		}
	}
	if p.taken != 20 {
		t.Errorf("%d texts, want 20", p.taken)
	}
}

// The spans that hold a value are found however they overlap.
func TestSpansAgainstAll(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	trees := 0
	for range 300 {
		var s spans
		s.own(1)
		n, width := r.IntN(60), 1+r.IntN(40)
		for i := range n {
			from := float64(r.IntN(100) - 50)
			f := filedSpan{from, from + float64(r.IntN(width)), int32(i)}
			switch r.IntN(12) {
			case 0:
				f.from = math.Inf(-1)
			case 1:
				f.to = math.Inf(1)
			case 2:
				f.from, f.to = math.Nextafter(f.from, 0), f.from // maybe empty
			}
			s.list = append(s.list, f)
		}
		s.settle()
		for range 60 {
			v := [...]float64{float64(r.IntN(200) - 100), math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1), r.Float64() - 0.5}[r.IntN(6)]
			var want []int32
			for _, f := range s.list {
				if f.from <= v && v <= f.to {
					want = append(want, f.test)
				}
			}
			got := s.at(v, []int32{-7})[1:]
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%v: %v hold %v, want %v", s.list, got, v, want)
			}
			if len(want) > nearSpans {
				trees++
			}
		}
	}
	if trees < 100 {
		t.Errorf("%d values in many spans: the test shows too little", trees)
	}
}
