package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"nudge"
	"nudge/engine"
)

// batchRecords is the size of the batches handed to Apply: the most that the sequencer seals at once.
const batchRecords = 4096

// runCore measures Engine.Apply in memory beside the hand-written program.
func runCore(ctx context.Context, o *Options, r *Report) error {
	if n, ok := manyOf(o.Workload); ok {
		return runMany(ctx, o, r, n)
	}
	for _, load := range streamsOf(o.Workload) {
		if err := runStream(ctx, o, r, load); err != nil {
			return err
		}
	}
	return nil
}

func runStream(ctx context.Context, o *Options, r *Report, load *workload) (err error) {
	s, err := newStream(load, o.Events)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	o.Progress("stream written")
	var runs []*applied
	if !load.tooLargeByHand() {
		runs = append(runs, &applied{})
	}
	runs = append(runs, &applied{shards: 1})
	if p := runtime.GOMAXPROCS(0); p > 1 && (!load.isMission() || load.tooLargeByHand()) {
		runs = append(runs, &applied{shards: p})
	}
	var recorded bool
	var all []contender
	for _, a := range runs {
		all = append(all, contender{a.name(), func(context.Context) error { return a.run(s, recorded) }})
	}
	if err := o.rounds(ctx, all, &recorded); err != nil {
		return err
	}
	for _, a := range runs[1:] {
		if a.answers != runs[0].answers {
			return fmt.Errorf("%s and %s do not give the same firings: %v and %v", a.name(), runs[0].name(), a.answers, runs[0].answers)
		}
	}
	tellCore(o, r, load, runs)
	return nil
}

// applied is one way of applying the stream, and what the rounds found.
type applied struct {
	shards  int // 0: the hand-written program
	answers answers
	keys    int // as the program that ran last counts them

	first float64 // seconds of the warm-up

	seconds, cpu, allocs, allocated, live, record, collections, pause []float64

	began    time.Time // when the visitors of the stream were live
	cpuBegan time.Duration
	before   runtime.MemStats // then
}

// answers are the firings of a run, without their order: how many of each rule, and a sum over all of them.
type answers struct {
	count [mostRules]int
	sum   uint64
}

func (a *answers) add(rule int, key string, at nudge.Millis, columns int) {
	a.count[rule%columns]++
	a.sum += mix(uint64(nudge.HashKey(strconv.Itoa(rule), key)) ^ mix(uint64(at)))
}

func (a *applied) name() string {
	switch a.shards {
	case 0:
		return "by hand, one goroutine"
	case 1:
		return "core, 1 shard"
	}
	return fmt.Sprintf("core, %d shards", a.shards)
}

// run applies the whole stream to fresh state. The warm-up keeps the answers; the recorded rounds must give as many.
func (a *applied) run(s *stream, recorded bool) error {
	runtime.GC()
	var empty, after, settled runtime.MemStats
	runtime.ReadMemStats(&empty)
	total, state, err := a.apply(s, !recorded)
	took, cpuTook := time.Since(a.began), cpuTime()-a.cpuBegan
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&settled)
	runtime.KeepAlive(state)
	if !recorded {
		a.first = took.Seconds()
		return nil
	}
	want := 0
	for _, n := range a.answers.count {
		want += n
	}
	if total != want {
		return fmt.Errorf("%d firings, %d in the warm-up", total, want)
	}
	n, before := float64(len(s.events)-s.load.live), &a.before
	if e, ok := state.(*engine.Engine); ok {
		keys, bytes := e.Memory()
		a.keys, a.record = keys, append(a.record, float64(bytes)/float64(keys))
	}
	a.seconds = append(a.seconds, took.Seconds())
	a.cpu = append(a.cpu, cpuTook.Seconds())
	a.allocs = append(a.allocs, float64(after.Mallocs-before.Mallocs)/n)
	a.allocated = append(a.allocated, float64(after.TotalAlloc-before.TotalAlloc)/n)
	a.live = append(a.live, float64(int64(settled.HeapAlloc)-int64(empty.HeapAlloc)))
	a.collections = append(a.collections, float64(after.NumGC-empty.NumGC))
	a.pause = append(a.pause, longestPause(&empty, &after))
	return nil
}

// longestPause of the collections between two readings, in microseconds. The runtime keeps the newest 256.
func longestPause(before, after *runtime.MemStats) float64 {
	longest := uint64(0)
	for n := max(before.NumGC, after.NumGC-min(after.NumGC, 256)); n < after.NumGC; n++ {
		longest = max(longest, after.PauseNs[n%256])
	}
	return float64(longest) / 1e3
}

// apply returns how many firings there were, and the state, to be weighed.
func (a *applied) apply(s *stream, keep bool) (total int, state any, err error) {
	columns := len(s.load.columns())
	if a.shards == 0 {
		h := s.load.hand(s)
		for i := range s.events {
			if i == s.load.live {
				a.start()
			}
			h.apply(&s.events[i])
		}
		if keep {
			a.answers = answers{}
			for _, f := range h.fired() {
				a.answers.add(f.rule, f.key, f.at, columns)
			}
		}
		total, a.keys = len(h.fired()), h.keys()
		h.forget()
		return total, h, nil
	}
	e, err := engine.New(engine.Options{Names: s.names, Shards: a.shards})
	if err != nil {
		return 0, nil, err
	}
	e.Deploy(s.plan)
	ids := map[string]int{}
	for i, id := range s.load.ids() {
		ids[id] = i
	}
	if keep {
		a.answers = answers{}
	}
	take := func(firings []nudge.Firing) {
		for i := range firings {
			if !firings[i].Delivered() {
				continue
			}
			if total++; keep {
				a.answers.add(ids[firings[i].Rule], firings[i].Key, firings[i].At, columns)
			}
		}
	}
	a.applyAll(e, s, 0, s.load.live, take)
	a.start()
	a.applyAll(e, s, s.load.live, len(s.events), take)
	return total, e, nil
}

// start begins what is measured.
func (a *applied) start() {
	runtime.ReadMemStats(&a.before)
	a.began, a.cpuBegan = time.Now(), cpuTime()
}

// applyAll applies events of the stream in batches.
func (a *applied) applyAll(e *engine.Engine, s *stream, from, to int, take func([]nudge.Firing)) {
	var b engine.Batch
	for ; from < to; from += batchRecords {
		b.Reset()
		for i := from; i < min(from+batchRecords, to); i++ {
			ev := &s.events[i]
			b.Add(nudge.Offset(i+1), ev.at, s.record(ev))
		}
		take(e.Apply(&b))
	}
}

// tellCore puts the figures into the report.
func tellCore(o *Options, r *Report, load *workload, runs []*applied) {
	n, by, of := float64(o.Events), runs[0], "" // by is the program by hand, or one shard where that is left out
	if load.live > 0 {
		of = fmt.Sprintf(", %d visitors", load.live)
	}
	to := "÷ by hand"
	if by.shards > 0 {
		to = "÷ one shard"
	}
	speed := Table{Title: "speed" + of, Columns: []string{"events/s", "time " + to, "CPU time " + to, "allocations/event", "heap allocated/event"}}
	memory := Table{Title: "memory" + of, Columns: []string{"live heap at the end", "per key", "of it record and index", "collections", "longest pause"}}
	for _, a := range runs {
		var rate, ratio, cpu, perKey []float64
		for i, sec := range a.seconds {
			rate = append(rate, n/sec)
			ratio = append(ratio, sec/by.seconds[i])
			cpu = append(cpu, a.cpu[i]/max(by.cpu[i], 1e-9))
			perKey = append(perKey, a.live[i]/float64(a.keys))
		}
		speed.row(a.name(), spread(PerSecond, rate), spread(Times, ratio), spread(Times, cpu), spread(Count, a.allocs), spread(Bytes, a.allocated))
		memory.row(a.name(), spread(Bytes, a.live), spread(Bytes, perKey), spread(Bytes, a.record), spread(Count, a.collections), spread(Micros, a.pause))
		if a.shards > 0 && spread(PerSecond, rate).Median > r.EventsPerSecond {
			r.EventsPerSecond = spread(PerSecond, rate).Median
		}
		if a.shards == 1 && by.shards == 0 {
			r.RatioToHand = spread(Times, ratio).Median
		}
	}
	firings := Table{Title: "firings" + of, Columns: load.columns()}
	for _, a := range runs {
		var cells []Spread
		for _, n := range a.answers.count[:len(load.columns())] {
			cells = append(cells, once(Count, float64(n)))
		}
		firings.row(a.name(), cells...)
	}
	if by.shards > 0 {
		r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s: its state of %d visitors and what the collector needs beside it do not fit into a small machine's memory", new(applied).name(), load.live))
	}
	r.Tables = append(r.Tables, speed, memory, firings)
	if len(r.Method) == 0 {
		r.Method = load.method(o, by.keys)
	}
}

// method says what was measured and how.
func (w *workload) method(o *Options, keys int) []string {
	about := "rules R1 dwell 20 s, R2 count >= 20 and days >= 3 in 30 d, R3 distinct users per company in 7 d, R4 a price, then the demo form within 30 min, R5 pricing views in 7 d, R6 absent 3 d"
	events := fmt.Sprintf("80 %% page views of %d paths, 8 %% form events", sixPaths)
	if w.shapes != nil {
		events = fmt.Sprintf("95 %% page views, of %d pages in each of %d sections, one of which the people of a company keep to", densePages, denseSections)
		about = fmt.Sprintf("%d rules in eight shapes, count, distinct, happened, dwell, first, per visitor, user and company; those of a section differ in the page that does not count, in window and threshold; an event meets those of its section, %d", len(w.rules), len(w.rules)/denseSections)
	}
	if w.isMission() {
		about = "twelve rules: dwell 20 s, absent 3 d and 1 h, first 14 d and 30 d, count, days, distinct, happened, on, per visitor, user and company"
	}
	if w.signIn {
		about += "; known users are visitors without a user up to some instant, and what they did before counts for them: the program by hand keeps that of every visitor too"
	}
	if w.live > 0 {
		about += "; every visitor has a page view before the clock starts; collections and their pauses count from that on"
	}
	if w.delay != nil {
		about += fmt.Sprintf("; %d %% of the events come up to %d minutes later than they happened, %d %% between %d minutes and %d days, past the lateness of an hour; the program by hand knows late events too",
			lateShare, lateMost/60/second, lateBeyond, lateBeyondFrom/60/second, lateBeyondMost/day)
	}
	floor := "by hand: Go for exactly these rules over decoded events and text keys, one goroutine, one map for each kind of key; the floor, not an engine"
	equal := "the hand-written program's"
	if w.tooLargeByHand() {
		floor, equal = "live heap: everything that the engine keeps, records, index, identities and timers", "those of one shard"
	}
	return []string{
		fmt.Sprintf("%d events over 35 days, strictly rising times; visitor ids by Zipf %.2f, seed %d, %d %% of them known users, %d to a company; %s",
			o.Events, sixZipf, sixSeed, w.identified, w.visitors*w.identified/100/w.companies, events),
		about,
		fmt.Sprintf("the core reads binary records in memory, in batches of %d, with rules compiled from their text; no log, no HTTP, no message ids; the stream lies outside the heap, so collections are as frequent as the state alone makes them", batchRecords),
		floor,
		fmt.Sprintf("same process, interleaved rounds, fresh state in each; the warm-up compared rule, key and instant of every firing with %s: equal (%d keys)", equal, keys),
		"CPU time is the whole process's, the garbage collector's too; it suffers least where other programs want the cores",
		"ratio_to_hand, where there is one, is that of one shard, events_per_second that of the fastest number of shards",
	}
}
