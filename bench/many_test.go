package bench

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/rules"
)

var manyCounts = [...]int{10, 100, 1_000, 10_000}

// BenchmarkRules is one event against 10 to 10,000 rules, of which it meets eight.
func BenchmarkRules(b *testing.B) {
	for _, n := range manyCounts {
		for _, even := range [...]bool{false, true} {
			b.Run(fmt.Sprintf("rules=%d/even=%v", n, even), func(b *testing.B) { benchmarkRules(b, n, even) })
		}
	}
}

func benchmarkRules(b *testing.B, n int, even bool) {
	r, err := newManyRun(n, 1<<18, even)
	if err != nil {
		b.Fatal(err)
	}
	r.apply(1 << 18) // most keys have their state
	b.ReportAllocs()
	b.ResetTimer()
	r.apply(b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// heap is what lives after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLoad compiles and deploys a folder into a new engine, and weighs it.
func BenchmarkLoad(b *testing.B) {
	for _, n := range manyCounts {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			sources := manyRules(n)
			names := nudge.NewNames()
			e, err := engine.New(engine.Options{Names: names, Shards: 1})
			if err != nil {
				b.Fatal(err)
			}
			before := heap()
			b.ReportAllocs()
			for b.Loop() {
				plan, err := compile(sources, names)
				if err != nil {
					b.Fatal(err)
				}
				e.Deploy(plan)
			}
			b.ReportMetric(float64(int64(heap()-before))/(1<<20), "MiB-live")
			runtime.KeepAlive(e)
		})
	}
}

// BenchmarkEdit adds a rule to those that run, or takes one away, from Compile to live.
func BenchmarkEdit(b *testing.B) {
	for _, n := range manyCounts {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			r, err := newManyRun(n, 1<<14, true)
			if err != nil {
				b.Fatal(err)
			}
			r.apply(4 * manyFew)
			sources := manyRules(n + 1)
			plan, slowest := r.plan, time.Duration(0)
			for i := 0; b.Loop(); i++ {
				next := sources
				if i%2 == 1 {
					next = sources[:n+1]
				}
				began := time.Now()
				var ds rules.Diagnostics
				if plan, ds = rules.Compile(next, rules.Options{Names: r.names, Previous: plan}); plan == nil {
					b.Fatal(ds.Text())
				}
				r.engine.Deploy(plan)
				slowest = max(slowest, time.Since(began))
			}
			b.ReportMetric(float64(slowest.Microseconds())/1e3, "ms-slowest")
		})
	}
}

// TestManyRulesAreLight: what ten thousand rules take in memory, and what one more costs. Neither grows with what was there before.
func TestManyRulesAreLight(t *testing.T) {
	const n, most, mostAllocs = 10_000, 40 << 20, 1500
	sources := manyRules(n + 1)
	names := nudge.NewNames()
	e, err := engine.New(engine.Options{Names: names, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	plan, err := compile(sources[:n+1], names)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(plan)
	if took := int64(heap() - before); took > most {
		t.Errorf("%d rules take %d bytes, want %d at most", n, took, most)
	}
	with := false
	allocs := testing.AllocsPerRun(10, func() {
		next := sources[:n+1]
		if with = !with; with {
			next = sources
		}
		var ds rules.Diagnostics
		if plan, ds = rules.Compile(next, rules.Options{Names: names, Previous: plan}); plan == nil {
			t.Fatal(ds.Text())
		}
		e.Deploy(plan)
	})
	if allocs > mostAllocs {
		t.Errorf("one rule more or less allocates %v times, want %d at most", allocs, mostAllocs)
	}
	t.Logf("%v allocations for one rule", allocs)
}

// BenchmarkMission is one event of the workload mission, all of whose visitors are live, and BenchmarkSignIn one of the workload sign-in.
func BenchmarkMission(b *testing.B) {
	for _, live := range missionLive {
		b.Run(fmt.Sprintf("visitors=%d", live), func(b *testing.B) { benchmarkStream(b, mission(live)) })
	}
}

func BenchmarkSignIn(b *testing.B) {
	for _, live := range missionLive {
		b.Run(fmt.Sprintf("visitors=%d", live), func(b *testing.B) { benchmarkStream(b, signIns(live)) })
	}
}

// BenchmarkSix is one event of the workload six, and of b2b.
func BenchmarkSix(b *testing.B) {
	for _, load := range []*workload{six, b2b} {
		b.Run(load.name, func(b *testing.B) { benchmarkStream(b, load) })
	}
}

// BenchmarkByHand is the same by the hand-written programs. Instructions can be counted on a busy machine too (docs/BENCHMARKS.md, "Where the time goes").
func BenchmarkByHand(b *testing.B) {
	loads := []*workload{six, b2b}
	for _, live := range missionLive {
		loads = append(loads, mission(live), signIns(live))
	}
	for _, load := range loads {
		b.Run(fmt.Sprintf("%s/visitors=%d", load.name, load.visitors), func(b *testing.B) {
			s, err := newStream(load, b.N)
			if err != nil {
				b.Fatal(err)
			}
			defer s.close()
			h := load.hand(s)
			for i := range s.events[:load.live] {
				h.apply(&s.events[i])
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range s.events[load.live:] {
				h.apply(&s.events[load.live+i])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func benchmarkStream(b *testing.B, load *workload) {
	s, err := newStream(load, b.N)
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	e, err := engine.New(engine.Options{Names: s.names, Shards: 1})
	if err != nil {
		b.Fatal(err)
	}
	e.Deploy(s.plan)
	a, firings := &applied{}, 0
	count := func(f []nudge.Firing) { firings += len(f) }
	a.applyAll(e, s, 0, load.live, count)
	b.ReportAllocs()
	b.ResetTimer()
	a.applyAll(e, s, load.live, len(s.events), count)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(firings)/float64(b.N), "firings/op")
}

// BenchmarkDense is one event of the workload dense-N.
func BenchmarkDense(b *testing.B) {
	load, ok := denseOf("dense-10000")
	if !ok {
		b.Fatal("there is no workload dense-10000")
	}
	benchmarkStream(b, load)
}
