package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"slices"
	"strconv"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/rules"
	"nudge/state"
)

// The load of the warm level.
const (
	warmRate   = 2000.0 // requests a second
	warmBefore = 6      // slots before the deployment
	warmAfter  = 4      // slots at least behind the rule's going live, in which it fires
)

// warmRule is a rule over 30 days that no round before had.
func warmRule(round int) rules.Source {
	test := fmt.Sprintf(`page_view and path != "/bench/%d"`, round)
	return rules.Source{
		File: "warm.expr",
		Text: fmt.Sprintf(`{per: visitor, when: count(%s, "30d") >= 20 and days(%s, "30d") >= 3, then: alert("engaged", {})}`, test, test),
	}
}

// warmed is what the rounds found.
type warmed struct {
	dir    string
	server *server
	load   *load
	rounds int // so far, the warm-up too

	phases                   [warmPhases]phase
	deploy, live, rate, read []float64
}

// phase is a part of every round.
type phase struct {
	name   string
	found  *loaded
	slow   []float64 // longest latency of each round
	heap   []float64 // most bytes of objects on the heap, garbage included
	ratios []float64 // its p99 ÷ that of the first phase
}

// The phases of a round.
const (
	phaseBefore = iota
	phaseWarming
	phaseBehind // until all keys are taken over and a checkpoint holds them
	warmPhases
)

// runWarm measures how soon a rule over 30 days is live, what that costs the traffic meanwhile, and whether its answers are right.
func runWarm(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := r.Machine.measureSync(dir); err != nil {
		return err
	}
	w := &warmed{dir: dir + "/data"}
	for i, name := range []string{"before", "while it warms", "behind its going live"} {
		w.phases[i] = phase{name: name, found: newLoaded()}
	}
	wall, err := writeWarmLog(ctx, o, w.dir)
	if err != nil {
		return err
	}
	o.Progress("data folder written")
	if err := w.serve(ctx, o, wall); err != nil {
		return err
	}
	o.Progress("reading the log from the beginning for the comparison")
	found, err := w.compare(ctx, wall)
	if err != nil {
		return err
	}
	tellWarm(o, r, w, found)
	return nil
}

// writeWarmLog writes a data folder with the workload's events and a checkpoint of them, and returns a clock by which the last of them is now.
func writeWarmLog(ctx context.Context, o *Options, dir string) (wall func() time.Time, err error) {
	s, err := newStream(six, o.Events)
	if err != nil {
		return nil, err
	}
	err = writeLog(ctx, dir, s)
	ends := s.events[len(s.events)-1].at
	if err = errors.Join(err, s.close()); err != nil {
		return nil, err
	}
	ahead := time.Until(time.UnixMilli(int64(ends) + 1))
	wall = func() time.Time { return time.Now().Add(ahead) }
	err = withNode(dir, nudge.NewNames(), wall, func(*state.Dir, *engine.Node) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("write the checkpoint: %w", err)
	}
	return wall, nil
}

// serve runs the rounds on a server.
func (w *warmed) serve(ctx context.Context, o *Options, wall func() time.Time) (err error) {
	w.server = &server{names: nudge.NewNames(), wall: wall}
	defer func() { err = errors.Join(err, w.server.close()) }()
	if err := w.server.open(w.dir, nil); err != nil {
		return err
	}
	w.load = newLoad(openConns, w.server.addr(), "/v1/events?decide=1", warmBodies)
	w.load.answers = []byte(`{"accepted":1`)
	defer w.load.close()
	var recorded bool
	return o.rounds(ctx, []contender{{"warming", func(ctx context.Context) error { return w.run(ctx, o, recorded) }}}, &recorded)
}

// run deploys a new rule under load, waits until it is live and then until a checkpoint holds it.
func (w *warmed) run(ctx context.Context, o *Options, recorded bool) error {
	w.rounds++
	slots := 0
	before, err := w.loaded(ctx, o, func() bool { slots++; return slots > warmBefore })
	if err != nil {
		return err
	}
	stats := w.server.node.Stats()
	next, checkpoints := stats.LogNext.Load(), stats.Checkpoints.Load()
	begun := time.Now()
	var deployed, live time.Duration
	done := make(chan error, 1)
	go func() {
		diags, err := w.server.node.Deploy(ctx, append(slices.Clone(sixRules), warmRule(w.rounds)))
		deployed = time.Since(begun)
		for err == nil && stats.RulesWarming.Load() > 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		live = time.Since(begun)
		done <- errors.Join(err, diags.Err())
	}()
	warming, err := w.loaded(ctx, o, func() bool { return len(done) > 0 })
	if err = errors.Join(err, <-done); err != nil {
		return fmt.Errorf("deploy the new rule: %w", err)
	}
	slots = 0
	behind, err := w.loaded(ctx, o, func() bool { slots++; return slots > warmAfter && stats.Checkpoints.Load() > checkpoints })
	if err != nil || !recorded {
		return err
	}
	for i, s := range []loadedSlot{before, warming, behind} {
		w.phases[i].add(s, before)
	}
	w.deploy, w.live = append(w.deploy, float64(deployed.Microseconds())), append(w.live, float64(live.Microseconds()))
	w.rate = append(w.rate, float64(next)/live.Seconds())
	w.read = append(w.read, float64(next))
	return nil
}

// loadedSlot is a slot and the most that was on the heap at its ends.
type loadedSlot struct {
	slot
	heap float64
}

// loaded is the load, slot after slot, until over.
func (w *warmed) loaded(ctx context.Context, o *Options, over func() bool) (all loadedSlot, err error) {
	all.latency = newLatencies()
	for !over() {
		s, err := w.load.open(ctx, 2*o.slot(), o.Events, warmRate)
		if err != nil {
			return all, err
		}
		all.requests, all.refused, all.took = all.requests+s.requests, all.refused+s.refused, all.took+s.took
		all.latency.Merge(s.latency.Histogram)
		all.heap = max(all.heap, heapBytes())
	}
	return all, nil
}

// heapBytes is what objects take on the heap, garbage included.
func heapBytes() float64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}

func (p *phase) add(s, before loadedSlot) {
	p.found.add(s.slot)
	p.slow = append(p.slow, s.latency.quantile(100))
	p.heap = append(p.heap, s.heap)
	p.ratios = append(p.ratios, s.latency.quantile(99)/before.latency.quantile(99))
}

// warmBodies returns a function that makes events of the log's visitors.
func warmBodies(worker int) func() []byte {
	visits, id := newSite(sixSeed+1+uint64(worker), six), 0
	var body []byte
	return func() []byte {
		v := visits.next()
		id++
		body = strconv.AppendInt(append(body[:0], `{"id":"`...), int64(worker), 10)
		body = strconv.AppendInt(append(body, '-'), int64(id), 10)
		body = append(append(append(body, `","type":"`...), kindName[v.kind]...), `","visitor":"visitor-`...)
		body = strconv.AppendInt(body, int64(v.visitor), 10)
		body = append(body, `","path":"`...)
		return append(appendPath(body, v.path), `"}`...)
	}
}

func tellWarm(o *Options, r *Report, w *warmed, found compared) {
	live := Table{Title: "the new rule", Columns: []string{"deployed after", "live after", "records in the log", "records/s"}}
	live.row("30 days, beside traffic", spread(Micros, w.deploy), spread(Micros, w.live), spread(Count, w.read), spread(PerSecond, w.rate))
	times := Table{Title: "decision after", Columns: []string{"requests/s", "p50", "p99", "p99 ÷ before", "p99.9 of all", "longest", "refused", "heap"}}
	for i := range w.phases {
		p := &w.phases[i]
		times.row(p.name, spread(PerSecond, p.found.rate), spread(Micros, p.found.p50), spread(Micros, p.found.p99), spread(Times, p.ratios),
			p.found.p999(), spread(Micros, p.slow), spread(Count, p.found.refused), spread(Bytes, p.heap))
	}
	equal := Table{Title: "against a replay from the beginning", Columns: []string{"compared", "that hold something", "different"}}
	equal.row("(rule, key) pairs", once(Count, float64(found.pairs)), once(Count, float64(found.holding)), once(Count, 0))
	equal.row("firings behind the live record", once(Count, float64(found.firings)), once(Count, float64(found.firings)), once(Count, 0))
	r.Tables = append(r.Tables, live, times, equal)
	r.EventsPerSecond = spread(PerSecond, w.rate).Median
	r.Floors = map[string]float64{"p99_warming_to_before": spread(Times, w.phases[phaseWarming].ratios).Median}
	r.Method = append(r.Method,
		fmt.Sprintf("a data folder with the workload's six rules and %d events over 35 days, up to now; in each round a rule that counts in 30 days, whose test no round before had", o.Events),
		fmt.Sprintf("an open loop of %.0f requests a second, one event of one of the log's visitors each, ?decide=1; latency from the instant at which a request was to be sent", warmRate),
		"live after: from handing in the deployment to the live record's having been applied; \"while it warms\" goes from there to the end of the slot in which it went live, \"behind its going live\" on until all keys are taken over and a checkpoint holds them; heap is the most that objects took at the slots' ends, garbage included",
		fmt.Sprintf("at the end the server is stopped and its folder recovered; for the last round's rule and each visitor of the log, what its condition reads equals what it reads in an engine that has had the rule from the log's first record on: equal: yes, %d (rule, key) pairs; and so do its firings behind its live record (%d), by id",
			found.pairs, found.firings),
		"clients and server share the cores, and an open loop's own delays count against the server; events_per_second is the log's records over the time until live",
	)
}
