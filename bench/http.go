package bench

import (
	"context"
	"errors"
	"fmt"
)

// What the http level varies.
var (
	httpSizes = []int{1, 100}                                              // events in a request
	httpConns = map[int][]int{1: {1, 16, 64, 256, 1000}, 100: {1, 16, 64}} // connections
)

// posted is one way of posting, at the server and at the floor.
type posted struct {
	size, conns  int
	nudge, floor *load

	ours, echo *loaded
	logBytes   []float64 // of an event
	perSync    []float64 // events
}

// runHTTP measures the server over loopback beside a bare echo.
func runHTTP(ctx context.Context, o *Options, r *Report) (err error) {
	s, end, err := o.serve(ctx, r, sixRules, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	e, err := startEcho()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()

	var all []*posted
	var contenders []contender
	var recorded bool
	for _, size := range httpSizes {
		for _, conns := range httpConns[size] {
			p := newPosted(s, e, size, conns, len(all)*1000)
			defer p.close()
			all = append(all, p)
			contenders = append(contenders, p.contenders(s, o, &recorded)...)
		}
	}
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellHTTP(r, all)
	return nil
}

func newPosted(s *server, e *echo, size, conns, firstWorker int) *posted {
	p := &posted{size: size, conns: conns, ours: newLoaded(), echo: newLoaded()}
	body := func(from int) func(int) func() []byte {
		return func(worker int) func() []byte {
			return newBodies(from + worker).oneOf(conns).events(size)
		}
	}
	p.nudge = newLoad(conns, s.addr(), "/v1/events", body(firstWorker))
	p.nudge.answers = fmt.Appendf(nil, `{"accepted":%d}`, size)
	p.floor = newLoad(conns, e.addr(), "/", body(firstWorker+conns))
	return p
}

func (p *posted) close() {
	p.nudge.close()
	p.floor.close()
}

func (p *posted) name() string {
	return plural(p.size, "event") + " × " + plural(p.conns, "connection")
}

func (p *posted) contenders(s *server, o *Options, recorded *bool) []contender {
	limit := max(o.Events/p.size, 1)
	return []contender{
		{p.name(), func(ctx context.Context) error {
			before, syncs := s.data.Log.Bytes(), s.node.Stats().Batches.Load()
			found, err := p.nudge.closed(ctx, o.slot(), limit)
			if err == nil && *recorded {
				p.ours.add(found)
				taken := float64(max(found.requests-found.refused, 1) * p.size)
				p.logBytes = append(p.logBytes, float64(s.data.Log.Bytes()-before)/taken)
				p.perSync = append(p.perSync, taken/float64(max(s.node.Stats().Batches.Load()-syncs, 1)))
			}
			return err
		}},
		{p.name() + ", echo", func(ctx context.Context) error {
			found, err := p.floor.closed(ctx, o.slot(), limit)
			if err == nil && *recorded {
				p.echo.add(found)
			}
			return err
		}},
	}
}

// tellHTTP puts the figures into the report.
func tellHTTP(r *Report, all []*posted) {
	rates := Table{Title: "per request", Columns: []string{"requests/s", "events/s", "bare echo, requests/s", "of the echo", "log/event", "events/sync", "refused"}}
	times := Table{Title: "answered after", Columns: []string{"p50", "p99", "p99.9 of all", "echo p50", "echo p99"}}
	r.Floors = map[string]float64{}
	for _, p := range all {
		var events, ratio []float64
		for i, rate := range p.ours.rate {
			events = append(events, rate*float64(p.size))
			ratio = append(ratio, rate/p.echo.rate[i])
		}
		rates.row(p.name(), spread(PerSecond, p.ours.rate), spread(PerSecond, events), spread(PerSecond, p.echo.rate), spread(Times, ratio),
			spread(Bytes, p.logBytes), spread(Count, p.perSync), spread(Count, p.ours.refused))
		times.row(p.name(), spread(Micros, p.ours.p50), spread(Micros, p.ours.p99), p.ours.p999(), spread(Micros, p.echo.p50), spread(Micros, p.echo.p99))
		r.EventsPerSecond = max(r.EventsPerSecond, spread(PerSecond, events).Median)
		if p.size == 1 {
			r.Floors["ratio_to_echo"] = max(r.Floors["ratio_to_echo"], spread(Times, ratio).Median)
		}
	}
	r.Tables = append(r.Tables, rates, times)
	r.Method = append(r.Method,
		"the server of `nudge serve` with its defaults, in this process: JSON decoded, every answer after its events are synced to the log, six rules running, checkpoints on",
		"events of the workload as a site sends them, about 230 bytes of JSON with two UUIDs; every message id is new",
		fmt.Sprintf("closed loop: each kept-alive connection sends when it has its answer, for %v a slot; clients and server share the cores", slotTime),
		"bare echo: the same HTTP library sends the same body back, same client, in turn with the server in every round",
		"events_per_second is that of the fastest row; ratio_to_echo that of one event a request, the best row",
	)
}
