package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"nudge"
	"nudge/rules"
)

// timerRules: a wait of one second that is measured, and one of a day that is only there.
var timerRules = []rules.Source{
	{File: "measured.expr", Text: `{per: visitor, when: dwell(form_view and form == "measured", "1s", until(page_leave)), then: popup("help", {form: form})}`},
	{File: "pending.expr", Text: `{per: visitor, when: dwell(form_view and form == "pending", "1d", until(page_leave)), then: popup("help", {form: form})}`},
}

const (
	timerPending  = 1_000_000        // waits that stay open all the time
	timerRate     = 5000             // deadlines a second
	timerSparse   = 100              // deadlines a second where little happens
	timerPatience = 15 * time.Second // for the last firing of a round
	timerStep     = time.Millisecond
)

// due is one way of letting deadlines come.
type due struct {
	name      string
	perSecond int
	count     int

	p50, p99, longest []float64
	all               latencies
}

// runTimers measures how late dwells fire.
func runTimers(ctx context.Context, o *Options, r *Report) (err error) {
	late := make(chan time.Duration, max(o.Events, timerRate)) // of every firing of a round: the applier never waits for us
	s, end, err := o.serve(ctx, r, timerRules, func(firings []nudge.Firing) {
		now := time.Now()
		for i := range firings {
			late <- now.Sub(time.UnixMilli(int64(firings[i].At)))
		}
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	w, err := newFormViews(s)
	if err != nil {
		return err
	}
	pending := o.pending()
	for left := pending; left > 0; left -= batchRecords {
		if err := w.send(ctx, "pending", min(left, batchRecords)); err != nil {
			return err
		}
	}
	o.Progress(fmt.Sprintf("%d waits opened", pending))

	all := []*due{
		{name: fmt.Sprintf("%d due a second", timerRate), perSecond: timerRate, count: o.Events, all: newLatencies()},
		{name: fmt.Sprintf("%d due a second", timerSparse), perSecond: timerSparse, count: max(o.Events*timerSparse/timerRate, 1), all: newLatencies()},
	}
	var recorded bool
	var contenders []contender
	for _, d := range all {
		contenders = append(contenders, contender{d.name, func(ctx context.Context) error { return d.run(ctx, w, late, recorded) }})
	}
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellTimers(r, all, pending)
	return nil
}

// run opens the waits at an even rate and takes the lateness of each firing.
func (d *due) run(ctx context.Context, w *formViews, late <-chan time.Duration, recorded bool) error {
	begun := time.Now()
	for sent := 0; sent < d.count; {
		want := min(int(time.Since(begun).Seconds()*float64(d.perSecond))+1, d.count)
		if want > sent {
			if err := w.send(ctx, "measured", want-sent); err != nil {
				return err
			}
			sent = want
		}
		time.Sleep(timerStep)
	}
	found := newLatencies()
	patience := time.NewTimer(timerPatience)
	defer patience.Stop()
	for n := range d.count {
		select {
		case l := <-late:
			found.add(l)
		case <-patience.C:
			return fmt.Errorf("only %d of %d waits fired within %v", n, d.count, timerPatience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if recorded {
		d.p50 = append(d.p50, found.quantile(50))
		d.p99 = append(d.p99, found.quantile(99))
		d.longest = append(d.longest, found.quantile(100))
		d.all.Merge(found.Histogram)
	}
	return nil
}

// formViews submits form views of ever new visitors to the node.
type formViews struct {
	s        *server
	typ      nudge.NameID
	form     nudge.NameID
	visitors int
	b        nudge.RecordBuilder
}

func newFormViews(s *server) (*formViews, error) {
	w := &formViews{s: s}
	var err error
	if w.typ, err = s.names.Intern("form_view"); err != nil {
		return nil, err
	}
	w.form, err = s.names.Intern("form")
	return w, err
}

// send returns when the events are durable.
func (w *formViews) send(ctx context.Context, form string, n int) error {
	w.b.Buf = w.b.Buf[:0]
	for range n {
		w.visitors++
		visitor := "visitor-" + strconv.Itoa(w.visitors)
		w.b.Begin(nudge.RecordEvent, w.typ)
		w.b.Text(nudge.NameVisitor, visitor)
		w.b.Text(w.form, form)
		w.b.End(nudge.HashKey("visitor", visitor))
	}
	_, err := w.s.node.Submit(ctx, w.b.Buf, n, false)
	return err
}

func tellTimers(r *Report, all []*due, pending int) {
	t := Table{Title: "fired after its deadline", Columns: []string{"p50", "p99", "longest", "p99.9 of all", "firings"}}
	for _, d := range all {
		t.row(d.name, spread(Micros, d.p50), spread(Micros, d.p99), spread(Micros, d.longest), once(Micros, d.all.quantile(99.9)),
			once(Count, float64(d.all.TotalCount())))
	}
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method,
		"a node with a data folder; form views come at an even rate, each opens a dwell of 1 s, nothing else happens: the ticks that fire them are written to the log and synced",
		fmt.Sprintf("%d other waits are open all the time", pending),
		"lateness: the wall clock when the firing, rendered, is handed to the deliverers, less its deadline, which is a whole millisecond",
	)
}

func (o *Options) pending() int {
	if o.fewPending > 0 {
		return o.fewPending
	}
	return timerPending
}
