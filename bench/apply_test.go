package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"nudge"
	"nudge/engine"
	"nudge/rules"
)

// applyCase is one shape of rule, and the stream that makes it work. An iteration is one event.
type applyCase struct {
	rule  string // name in the benchmark
	texts []string
	write func(w *applyWriter, i int, visitor string)
	known bool // every visitor is identified before the clock starts
}

var applyCases = []applyCase{
	{
		rule:  "count",
		texts: []string{`{per: visitor, when: count(page_view, "30d") >= 20, then: alert("a", {})}`},
		write: (*applyWriter).view,
	},
	{
		rule:  "distinct",
		texts: []string{`{per: visitor, when: distinct(page_view, path, "7d") >= 10, then: alert("a", {})}`},
		write: (*applyWriter).view,
	},
	{
		rule:  "distinct-long",
		texts: []string{`{per: visitor, when: distinct(page_view, path, "7d") >= 10, then: alert("a", {})}`},
		write: (*applyWriter).longView,
	},
	{
		rule:  "dwell",
		texts: []string{`{per: visitor, when: dwell(form_view and form == "demo", "20s", until(page_leave)), then: alert("a", {})}`},
		write: (*applyWriter).formSeen,
	},
	{
		rule:  "on+cooldown",
		texts: []string{`{per: visitor, when: on(page_view), then: popup("a", {}), cooldown: "1d"}`},
		write: (*applyWriter).view,
	},
	{
		rule:  "sum",
		texts: []string{`{per: visitor, when: sum(page_view, len(path), "7d") >= 1e9, then: alert("a", {})}`},
		write: (*applyWriter).view,
	},
	{
		rule:  "score",
		texts: []string{`{per: visitor, when: score({page_view: 1, form_view: 5}, half_life("7d")) >= 1e9, then: alert("a", {})}`},
		write: (*applyWriter).view,
	},
	{
		rule:  "score-falls",
		texts: []string{`{per: visitor, when: score({page_view: 1, form_view: 5}, half_life("7d")) < 0.5, then: alert("a", {})}`},
		write: (*applyWriter).view,
	},
	{
		rule:  "sequence",
		texts: []string{`{per: visitor, when: sequence(page_view, no(form_submit), form_view, page_leave, "30m"), then: alert("a", {})}`},
		write: (*applyWriter).view,
	},
	{
		rule: "identity-forward",
		texts: []string{
			`{per: user, when: count(page_view, "30d") >= 20, then: alert("a", {})}`,
			`{per: company, when: distinct(page_view, user, "7d") >= 3, then: alert("a", {})}`,
		},
		write: (*applyWriter).view, known: true,
	},
	{
		rule:  "none",
		texts: []string{`{per: visitor, when: on(event("unheard")), then: alert("a", {})}`},
		write: (*applyWriter).view,
	},
}

// applyBatch is the number of events in a batch.
const applyBatch = 1024

// BenchmarkApply applies events of uniformly drawn visitors in one shard. An event comes each 10 ms of log time.
func BenchmarkApply(b *testing.B) {
	for _, c := range applyCases {
		for _, zeros := range []int{3, 5} {
			b.Run(fmt.Sprintf("rule=%s/keys=1e%d", c.rule, zeros), func(b *testing.B) { c.run(b, int(math.Pow10(zeros))) })
		}
	}
}

func (c *applyCase) run(b *testing.B, keys int) {
	a := c.newApplier(b, keys)
	for range max(2*keys/applyBatch, 8) { // most keys have their state
		a.batch(applyBatch)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= applyBatch {
		a.batch(min(left, applyBatch))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// applier takes records through an engine, over and over.
type applier struct {
	engine  *engine.Engine
	records []nudge.Record
	pos     int
	off     nudge.Offset
	at      nudge.Millis
	b       engine.Batch
}

func (c *applyCase) newApplier(tb testing.TB, keys int) *applier {
	names := nudge.NewNames()
	var sources []rules.Source
	for i, text := range c.texts {
		sources = append(sources, rules.Source{File: fmt.Sprintf("rule-%d.expr", i), Text: text})
	}
	plan, err := compile(sources, names)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := engine.New(engine.Options{Names: names, Shards: 1})
	if err != nil {
		tb.Fatal(err)
	}
	e.Deploy(plan)
	a := &applier{engine: e, at: sixBegin}
	w := newApplyWriter(tb, names)
	if c.known {
		for v := range keys {
			w.identify(v, fmt.Sprintf("visitor-%d", v))
		}
		a.records = w.records()
		for range (keys + applyBatch - 1) / applyBatch {
			a.batch(applyBatch)
		}
	}
	r := rand.New(rand.NewPCG(1, uint64(keys)))
	w.b.Buf = nil
	for i := range max(keys, 1<<16) {
		c.write(w, i, fmt.Sprintf("visitor-%d", r.IntN(keys)))
	}
	a.records, a.pos = w.records(), 0
	return a
}

func (a *applier) batch(n int) {
	a.b.Reset()
	for range n {
		a.off++
		a.at += 10
		a.b.Add(a.off, a.at, a.records[a.pos])
		a.pos = (a.pos + 1) % len(a.records)
	}
	a.engine.Apply(&a.b)
}

// applyWriter writes records.
type applyWriter struct {
	b                                          nudge.RecordBuilder
	formField, pageView, pageLeave, form, know nudge.NameID
}

func newApplyWriter(tb testing.TB, names *nudge.Names) *applyWriter {
	id := func(name string) nudge.NameID {
		n, err := names.Intern(name)
		if err != nil {
			tb.Fatal(err)
		}
		return n
	}
	return &applyWriter{formField: id("form"), pageView: id("page_view"), pageLeave: id("page_leave"), form: id("form_view"), know: id("identify")}
}

func (w *applyWriter) begin(typ nudge.NameID, visitor string) {
	w.b.Begin(nudge.RecordEvent, typ)
	w.b.Text(nudge.NameVisitor, visitor)
}

func (w *applyWriter) end(visitor string) { w.b.End(nudge.HashKey("visitor", visitor)) }

func (w *applyWriter) view(i int, visitor string) {
	w.begin(w.pageView, visitor)
	w.b.Text(nudge.NamePath, fmt.Sprintf("/page-%d", i%200))
	w.end(visitor)
}

// longView is a view of a page whose path is not short.
func (w *applyWriter) longView(i int, visitor string) {
	w.begin(w.pageView, visitor)
	w.b.Text(nudge.NamePath, fmt.Sprintf("/docs/getting-started/page-%d", i%200))
	w.end(visitor)
}

// formSeen writes a demo form that is seen, or left.
func (w *applyWriter) formSeen(i int, visitor string) {
	if i%2 == 1 {
		w.begin(w.pageLeave, visitor)
	} else {
		w.begin(w.form, visitor)
		w.b.Text(w.formField, "demo")
	}
	w.end(visitor)
}

func (w *applyWriter) identify(i int, visitor string) {
	w.begin(w.know, visitor)
	w.b.Text(nudge.NameUser, fmt.Sprintf("user-%d", i))
	w.b.Text(nudge.NameCompany, fmt.Sprintf("company-%d.example", i%sixCompanies))
	w.end(visitor)
}

// records splits what was written.
func (w *applyWriter) records() (all []nudge.Record) {
	for rest := w.b.Buf; len(rest) > 0; {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		all = append(all, rec)
	}
	return all
}
