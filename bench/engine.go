package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/state"
)

// What the engine level varies.
var engineRequests = []struct{ size, callers int }{{1, 1}, {1, 64}, {100, 1}, {100, 16}, {1000, 16}}

// submitted is one way of handing events to a node, and what the rounds found.
type submitted struct {
	size, callers int
	callersOf     []*caller
	found         *loaded
	cpu           []float64 // microseconds an event
	logBytes      []float64 // of an event
	perSync       []float64 // events
}

// caller hands in one request after the other, each when the one before is durable.
type caller struct {
	site    *site
	writer  *streamWriter
	latency latencies
	refused int
}

// runEngine measures the whole engine with its log on disk, without HTTP and JSON.
func runEngine(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := r.Machine.measureSync(dir); err != nil {
		return err
	}
	names := nudge.NewNames()
	return withNode(dir+"/data", names, nil, func(data *state.Dir, node *engine.Node) error { return measureEngine(ctx, o, r, names, data, node) })
}

func measureEngine(ctx context.Context, o *Options, r *Report, names *nudge.Names, data *state.Dir, node *engine.Node) error {
	diags, err := node.Deploy(ctx, sixRules)
	if err := errors.Join(err, diags.Err()); err != nil {
		return fmt.Errorf("deploy the rules: %w", err)
	}
	var recorded bool
	var all []*submitted
	var contenders []contender
	for i, q := range engineRequests {
		s, err := newSubmitted(streamsOf(o.Workload)[0], q.size, q.callers, names, uint64(i*1000))
		if err != nil {
			return err
		}
		all = append(all, s)
		contenders = append(contenders, contender{s.name(), func(ctx context.Context) error { return s.run(ctx, o, node, data, recorded) }})
	}
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellEngine(r, all)
	return nil
}

func newSubmitted(site *workload, size, callers int, names *nudge.Names, seed uint64) (*submitted, error) {
	s := &submitted{size: size, callers: callers, found: newLoaded()}
	for i := range callers {
		w, err := newStreamWriter(names)
		if err != nil {
			return nil, err
		}
		s.callersOf = append(s.callersOf, &caller{site: newSite(sixSeed+seed+uint64(i), site), writer: w, latency: newLatencies()})
	}
	return s, nil
}

func (s *submitted) name() string {
	return plural(s.size, "event") + " × " + plural(s.callers, "caller")
}

// run hands events in for one slot, o.Events at most.
func (s *submitted) run(ctx context.Context, o *Options, node *engine.Node, data *state.Dir, recorded bool) error {
	before, syncs, cpu := data.Log.Bytes(), node.Stats().Batches.Load(), cpuTime()
	var left atomic.Int64
	left.Store(int64(max(o.Events/s.size, 1)))
	begun := time.Now()
	errs := make([]error, len(s.callersOf))
	var wg sync.WaitGroup
	for i, c := range s.callersOf {
		wg.Go(func() { errs[i] = c.run(ctx, node, s.size, &left, begun.Add(o.slot())) })
	}
	wg.Wait()
	all := slot{took: time.Since(begun), latency: newLatencies()}
	for _, c := range s.callersOf {
		all.requests += int(c.latency.TotalCount()) + c.refused
		all.refused += c.refused
		all.latency.Merge(c.latency.Histogram)
	}
	if err := errors.Join(errs...); err != nil || !recorded {
		return err
	}
	s.found.add(all)
	taken := float64(max(all.requests-all.refused, 1) * s.size)
	s.cpu = append(s.cpu, float64((cpuTime()-cpu).Microseconds())/taken)
	s.logBytes = append(s.logBytes, float64(data.Log.Bytes()-before)/taken)
	s.perSync = append(s.perSync, taken/float64(max(node.Stats().Batches.Load()-syncs, 1)))
	return nil
}

// run hands requests in while there are some left and there is time.
func (c *caller) run(ctx context.Context, node *engine.Node, size int, left *atomic.Int64, until time.Time) error {
	c.latency.Reset()
	c.refused = 0
	for left.Add(-1) >= 0 && time.Now().Before(until) {
		c.writer.b.Buf = c.writer.b.Buf[:0]
		for range size {
			c.writer.write(c.site.next(), noTime, noTime)
		}
		begun := time.Now()
		switch _, err := node.Submit(ctx, c.writer.b.Buf, size, false); {
		case errors.Is(err, nudge.ErrBusy):
			c.refused++
		case err != nil:
			return err
		default:
			c.latency.add(time.Since(begun))
		}
	}
	return nil
}

// tellEngine puts the figures into the report.
func tellEngine(r *Report, all []*submitted) {
	t := Table{Title: "per request", Columns: []string{"events/s", "durable after, p50", "p99", "p99.9 of all", "CPU µs/event", "log/event", "events/sync", "refused"}}
	for _, s := range all {
		var events []float64
		for _, rate := range s.found.rate {
			events = append(events, rate*float64(s.size))
		}
		t.row(s.name(), spread(PerSecond, events), spread(Micros, s.found.p50), spread(Micros, s.found.p99), s.found.p999(), spread(Count, s.cpu),
			spread(Bytes, s.logBytes), spread(Count, s.perSync), spread(Count, s.found.refused))
		r.EventsPerSecond = max(r.EventsPerSecond, spread(PerSecond, events).Median)
	}
	r.Tables, r.Chart = append(r.Tables, t), Chart{"events/s"}
	r.Method = append(r.Method,
		"the engine with the defaults of `nudge serve` in this process, the six rules running, checkpoints on: sequencer, log, sync, identity, rules, feed; no HTTP and no JSON",
		fmt.Sprintf("callers hand in binary records, each its next request when the one before is durable, for %v a slot; the events happen now, those of the workload in their mix", slotTime),
		"making the records is part of the time, and of the CPU time, which is the whole process's; state and log grow from round to round",
		"events_per_second is that of the fastest row",
	)
}
