package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nudge/rules"
)

// decideRule fires a popup at every view of a page of prices.
var decideRule = rules.Source{
	File: "decide.expr",
	Text: `{per: visitor, when: on(page_view and path startsWith "/pricing"), then: popup("pricing-help", {headline: "Questions about prices?", page: path})}`,
}

// What the decide level varies.
var (
	decideConns = []int{1, 16}
	decideRate  = 1000.0 // requests a second of the slow open loop
)

// openConns is how many requests of an open loop can be under way.
const openConns = 64

// asked is one way of asking for decisions.
type asked struct {
	name  string
	load  *load
	found *loaded
	sync  float64        // the longest sync of the log in it, in microseconds
	rate  func() float64 // of an open loop; nil: closed
}

// runDecide measures the round trip of an event whose popup comes in the answer.
func runDecide(ctx context.Context, o *Options, r *Report) (err error) {
	s, end, err := o.serve(ctx, r, append(slices.Clone(sixRules), decideRule), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()

	var all []*asked
	var half float64 // of saturation, as the warm-up found it
	add := func(name string, conns int, rate func() float64) *asked {
		a := &asked{name: name, load: newDecideLoad(s, conns, len(all)*1000), found: newLoaded(), rate: rate}
		all = append(all, a)
		return a
	}
	for _, n := range decideConns {
		add("closed loop, "+plural(n, "connection"), n, nil)
	}
	saturated := all[len(all)-1]
	add(fmt.Sprintf("open loop, %.0f/s", decideRate), openConns, func() float64 { return decideRate })
	add("open loop, half of saturation", openConns, func() float64 { return half })
	var recorded bool
	var contenders []contender
	for _, a := range all {
		defer a.load.close()
		contenders = append(contenders, contender{a.name, func(ctx context.Context) error {
			found, err := a.run(ctx, o)
			if a == saturated && !recorded {
				half = found.perSecond() / 2
			}
			sync := s.log.takeLongest()
			if err == nil && recorded {
				a.found.add(found)
				a.sync = max(a.sync, sync)
			}
			return err
		}})
	}
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellDecide(r, all)
	return nil
}

func newDecideLoad(s *server, conns, firstWorker int) *load {
	l := newLoad(conns, s.addr(), "/v1/events?decide=1", func(worker int) func() []byte {
		return newBodies(firstWorker + worker).pricing()
	})
	l.answers = []byte(`{"accepted":1,"popups":[`)
	l.popup = []byte(`"template":"pricing-help"`)
	return l
}

func (a *asked) run(ctx context.Context, o *Options) (slot, error) {
	if a.rate == nil {
		return a.load.closed(ctx, o.slot(), o.Events)
	}
	return a.load.open(ctx, 2*o.slot(), o.Events, a.rate())
}

func tellDecide(r *Report, all []*asked) {
	t := Table{Title: "event → popup in the answer", Columns: []string{"requests/s", "p50", "p99", "p99.9 of all", "longest", "longest sync", "refused"}}
	for _, a := range all {
		t.row(a.name, spread(PerSecond, a.found.rate), spread(Micros, a.found.p50), spread(Micros, a.found.p99), a.found.p999(),
			once(Micros, a.found.all.quantile(100)), once(Micros, a.sync), spread(Count, a.found.refused))
		r.EventsPerSecond = max(r.EventsPerSecond, spread(PerSecond, a.found.rate).Median)
	}
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method,
		"POST /v1/events?decide=1, one page view each; the answer comes after the event is synced to the log and the rules have seen it, and must hold the popup of that view",
		"the server of `nudge serve` with its defaults, in this process, with the workload's six rules and the one that pops up",
		fmt.Sprintf("closed loop: each connection sends when it has its answer, for %v; open loop: requests at fixed instants over up to %d connections for %v, latency counted from the instant at which it was to be sent",
			slotTime, openConns, 2*slotTime),
		"half of saturation is half of what the warm-up's closed loop on the most connections reached; events_per_second is that of the fastest row",
		"clients and server share the cores, and an open loop's own delays count against the server",
		longestSyncMethod,
	)
}

// slot is how long a slot lasts.
func (o *Options) slot() time.Duration {
	if o.slotTime > 0 {
		return o.slotTime
	}
	return slotTime
}
