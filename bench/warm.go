package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/rules"
)

// The load of the warm level.
const (
	warmRate  = 2000.0 // requests a second
	warmAfter = 4      // slots behind the rule's going live, in which it fires
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
	server *server
	load   *load
	rounds int // so far, the warm-up too

	quiet, busy                         *loaded
	deploy, live, rate, read, slowQuiet []float64
	slowBusy                            []float64
	fired                               int // by the new rule behind its going live, in the round that was checked
}

// runWarm measures how soon a rule over 30 days is live, and what that costs the traffic meanwhile.
func runWarm(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := r.Machine.measureSync(dir); err != nil {
		return err
	}
	s, err := newStream(six, o.Events)
	if err != nil {
		return err
	}
	err = writeLog(ctx, dir+"/data", s)
	ends := s.events[len(s.events)-1].at
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	ahead := time.Until(time.UnixMilli(int64(ends) + 1)) // the log's last event is now
	wall := func() time.Time { return time.Now().Add(ahead) }
	err = withNode(dir+"/data", nudge.NewNames(), wall, func(*engine.Node) error { return nil })
	if err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	o.Progress("data folder written")
	w := &warmed{server: &server{names: nudge.NewNames(), wall: wall}, quiet: newLoaded(), busy: newLoaded()}
	defer func() { err = errors.Join(err, w.server.close()) }()
	if err := w.server.open(dir+"/data", nil); err != nil {
		return err
	}
	w.load = newLoad(openConns, w.server.addr(), "/v1/events?decide=1", warmBodies)
	w.load.answers = []byte(`{"accepted":1`)
	defer w.load.close()
	var recorded bool
	err = o.rounds(ctx, []contender{{"warming", func(ctx context.Context) error { return w.run(ctx, o, recorded) }}}, &recorded)
	if err != nil {
		return err
	}
	tellWarm(o, r, w)
	return nil
}

// run deploys a new rule under load and waits until it is live.
func (w *warmed) run(ctx context.Context, o *Options, recorded bool) error {
	w.rounds++
	quiet, err := w.slot(ctx, o)
	if err != nil {
		return err
	}
	stats, next := w.server.node.Stats(), w.server.node.Stats().LogNext.Load()
	begun := time.Now()
	deployed := make(chan error, 1)
	var deployTook time.Duration
	live := make(chan time.Duration, 1)
	go func() {
		diags, err := w.server.node.Deploy(ctx, append(slices.Clone(sixRules), warmRule(w.rounds)))
		deployTook = time.Since(begun)
		deployed <- errors.Join(err, diags.Err())
		for stats.RulesWarming.Load() > 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		live <- time.Since(begun)
	}()
	busy := slot{latency: newLatencies()}
	for len(live) == 0 {
		more, err := w.slot(ctx, o)
		if err != nil {
			return err
		}
		busy.requests, busy.refused, busy.took = busy.requests+more.requests, busy.refused+more.refused, busy.took+more.took
		busy.latency.Merge(more.latency.Histogram)
	}
	if err := <-deployed; err != nil {
		return fmt.Errorf("deploy the new rule: %w", err)
	}
	took := (<-live).Seconds()
	if !recorded {
		return w.check(ctx, o)
	}
	w.quiet.add(quiet)
	w.busy.add(busy)
	w.slowQuiet, w.slowBusy = append(w.slowQuiet, quiet.latency.quantile(100)), append(w.slowBusy, busy.latency.quantile(100))
	w.deploy, w.live = append(w.deploy, float64(deployTook.Microseconds())), append(w.live, took*1e6)
	w.rate = append(w.rate, float64(next)/took)
	w.read = append(w.read, float64(next))
	return nil
}

// slot is a while of the load.
func (w *warmed) slot(ctx context.Context, o *Options) (slot, error) {
	return w.load.open(ctx, 2*o.slot(), o.Events, warmRate)
}

// check lets the rule fire, and wants it to have fired what it would have, had it been there from the log's beginning.
func (w *warmed) check(ctx context.Context, o *Options) error {
	for range warmAfter {
		if _, err := w.slot(ctx, o); err != nil {
			return err
		}
	}
	var want []string
	live := nudge.Offset(0)
	e, err := engine.New(engine.Options{Names: w.server.names})
	if err != nil {
		return err
	}
	plan, err := compile(append(slices.Clone(sixRules), warmRule(w.rounds)), w.server.names)
	if err != nil {
		return err
	}
	e.Deploy(plan)
	var b engine.Batch
	err = w.server.data.Log.Read(0, func(entry nudge.Entry) error {
		b.Reset()
		off := entry.First
		for rest := entry.Records; len(rest) > 0; off++ {
			var rec nudge.Record
			rec, rest = nudge.SplitRecord(rest)
			b.Add(off, entry.At, rec)
			if rec.Kind() == nudge.RecordLive {
				live, want = off, nil
			}
		}
		for _, f := range e.Apply(&b) {
			if f.Rule == "warm" && live > 0 {
				want = append(want, f.ID)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var got []string
	for after := (nudge.Cursor{Offset: live}); ; {
		firings, err := w.server.node.Firings(after, 1000)
		if err != nil {
			return err
		}
		if len(firings) == 0 {
			break
		}
		for _, f := range firings {
			if after = f.Cursor; f.Rule == "warm" {
				got = append(got, f.ID)
			}
		}
	}
	if w.fired = len(got); !slices.Equal(got, want) {
		return fmt.Errorf("the new rule fired %d times behind its going live, but %d times had it been there from the beginning", len(got), len(want))
	}
	return nil
}

// warmBodies returns a function that makes events of the log's visitors.
func warmBodies(worker int) func() []byte {
	visits, id := newSite(sixSeed+1+uint64(worker), sixVisitors, sixCompanies), 0
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

func tellWarm(o *Options, r *Report, w *warmed) {
	live := Table{Title: "the new rule", Columns: []string{"deployed after", "live after", "records in the log", "records/s"}}
	live.row("30 days, beside traffic", spread(Micros, w.deploy), spread(Micros, w.live), spread(Count, w.read), spread(PerSecond, w.rate))
	times := Table{Title: "decision after", Columns: []string{"requests/s", "p50", "p99", "p99.9 of all", "longest", "refused"}}
	for _, x := range []struct {
		name    string
		found   *loaded
		longest []float64
	}{{"before", w.quiet, w.slowQuiet}, {"while it warms", w.busy, w.slowBusy}} {
		times.row(x.name, spread(PerSecond, x.found.rate), spread(Micros, x.found.p50), spread(Micros, x.found.p99), x.found.p999(),
			spread(Micros, x.longest), spread(Count, x.found.refused))
	}
	r.Tables = append(r.Tables, live, times)
	r.EventsPerSecond = spread(PerSecond, w.rate).Median
	r.Method = append(r.Method,
		fmt.Sprintf("a data folder with the workload's five rules and %d events over 35 days, up to now; in each round a rule that counts in 30 days, whose test no round before had", o.Events),
		fmt.Sprintf("an open loop of %.0f requests a second, one event of one of the log's visitors each, ?decide=1; latency from the instant at which a request was to be sent", warmRate),
		"live after: from handing in the deployment to the live record's having been applied; the slots of \"while it warms\" go from there to the end of the one in which it went live, the taking over of keys included",
		fmt.Sprintf("in the warm-up the new rule's firings behind its live record (%d) were compared with those of an engine that read the whole log with the rule there from the beginning: equal", w.fired),
		"clients and server share the cores, and an open loop's own delays count against the server; events_per_second is the log's records over the time until live",
	)
}
