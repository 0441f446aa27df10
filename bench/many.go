package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/rules"
)

// The workload "rules-N": N rules of mixed shapes, of which each event of a site meets about eight, however many there are. The rules come in
// groups of eight, each about one section of the site: count, distinct, happened, dwell and first over an equality, a prefix, an ending, a
// list, a range and a denial, per visitor, user and company. The people of a company keep to one section. So what
// grows with N is only what has to be found, not what is kept of a key, nor the length of any text.
const (
	manyGroup     = 8
	manyVisitors  = 1_000_000 // drawn by Zipf's law, as those of "six"
	manyFew       = 20_000    // drawn evenly, where nothing is to be popular
	manyCompanies = 5_000
	manyKnown     = 30 // visitors in a hundred that are known users
	manySeed      = 1
	manyStep      = nudge.Millis(20) // between two events
)

// sectionText is how a section is written.
func sectionText(section int) string { return fmt.Sprintf("%05d", section) }

// manyShapes are the rules of a section, as formats of its text, the numbers that its ranks lie between, and its number.
var manyShapes = [manyGroup]string{
	`{per: visitor, when: count(page_view and section == "s%[1]s", "7d") >= 40, then: alert("often in section %[1]s", {})}`,
	`{per: visitor, when: distinct(page_view and path startsWith "/s%[1]s/", path, "7d") >= 30, then: alert("reads section %[1]s", {})}`,
	`{per: visitor, when: happened(page_view and section in ["s%[1]s", "t%[1]s"], "1d") and count(purchase and section == "s%[1]s", "1d") >= 1, then: alert("bought", {})}`,
	`{per: visitor, when: dwell(page_view and path == "/s%[1]s/page-01", "20s", until(page_leave and section == "s%[1]s")), then: alert("dwells", {})}`,
	`{per: visitor, when: first(page_view and rank >= %[2]d and rank < %[3]d, "30d"), then: alert("new in section %[1]s", {})}`,
	`{per: user, when: count(page_view and section == "s%[1]s" and not (path endsWith "/page-00"), "7d") >= 50, then: alert("user", {})}`,
	`{per: company, when: distinct(page_view and topic == %[4]d, user, "7d") >= 20, then: alert("company", {})}`,
	`{per: visitor, when: count(page_view and path endsWith ".s%[1]s" and country != "xx", "7d") >= 60, then: alert("ending", {})}`,
}

// manyRules writes n rules.
func manyRules(n int) []rules.Source {
	sources := []rules.Source{{File: "catalog.expr", Text: `{purchase: {}, page_view: {section: "text", rank: "number", topic: "number", country: "text"}}`}}
	for i := range n {
		section := i / manyGroup
		sources = append(sources, rules.Source{
			File: fmt.Sprintf("rule-%06d.expr", i),
			Text: fmt.Sprintf(manyShapes[i%manyGroup]+"\n", sectionText(section), 10*section, 10*section+10, section),
		})
	}
	return sources
}

// manyStream writes events of the sections that n rules are about.
type manyStream struct {
	random   *rand.Rand
	zipf     *rand.Zipf // nil: every visitor is as likely as any other
	sections int
	b        nudge.RecordBuilder
	types    [3]nudge.NameID // page view, page leave, purchase
	fields   map[string]nudge.NameID
}

var manyTypes = [...]string{"page_view", "page_leave", "purchase"}

func newManyStream(names *nudge.Names, n int, even bool) (*manyStream, error) {
	s := &manyStream{random: rand.New(rand.NewPCG(manySeed, 0)), sections: max(n/manyGroup, 1), fields: map[string]nudge.NameID{}}
	if !even {
		s.zipf = rand.NewZipf(s.random, sixZipf, 1, manyVisitors-1)
	}
	var err error
	for i, name := range manyTypes {
		if s.types[i], err = names.Intern(name); err != nil {
			return nil, err
		}
	}
	for _, name := range [...]string{"section", "rank", "topic", "country"} {
		if s.fields[name], err = names.Intern(name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// records writes events, each a record of its own in one buffer.
func (s *manyStream) records(events int) []nudge.Record {
	s.b.Buf = nil
	for range events {
		s.write()
	}
	all := make([]nudge.Record, 0, events)
	for rest := s.b.Buf; len(rest) > 0; {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		all = append(all, rec)
	}
	return all
}

func (s *manyStream) write() {
	v := s.random.IntN(manyFew)
	if s.zipf != nil {
		v = int(s.zipf.Uint64())
	}
	h := mix(uint64(v))
	company := h / 100 % manyCompanies
	section := int(mix(company) % uint64(s.sections))
	typ := 0
	if n := s.random.IntN(100); n >= 95 {
		typ = 1 + n%2
	}
	s.b.Begin(nudge.RecordEvent, s.types[typ])
	visitor := "visitor-" + strconv.Itoa(v)
	s.b.Text(nudge.NameVisitor, visitor)
	if h%100 < manyKnown {
		s.b.Text(nudge.NameUser, "user-"+strconv.Itoa(v))
		s.b.Text(nudge.NameCompany, "company-"+strconv.Itoa(int(company))+".example")
	}
	text := "s" + sectionText(section)
	s.b.Text(nudge.NamePath, fmt.Sprintf("/%s/page-%02d.%s", text, s.random.IntN(100), text))
	s.b.Text(s.fields["section"], text)
	s.b.Number(s.fields["rank"], float64(10*section+s.random.IntN(10)))
	s.b.Number(s.fields["topic"], float64(section))
	s.b.Text(s.fields["country"], "de")
	s.b.End(nudge.HashKey("visitor", visitor))
}

// manyRun is an engine with n rules, and a stream for it that goes round.
type manyRun struct {
	names   *nudge.Names
	plan    *rules.Plan
	engine  *engine.Engine
	records []nudge.Record
	pos     int
	off     nudge.Offset
	at      nudge.Millis
	batch   engine.Batch
}

func newManyRun(n, events int, even bool) (*manyRun, error) {
	r := &manyRun{names: nudge.NewNames(), at: sixBegin}
	var err error
	if r.plan, err = compile(manyRules(n), r.names); err != nil {
		return nil, err
	}
	if r.engine, err = engine.New(engine.Options{Names: r.names, Shards: 1}); err != nil {
		return nil, err
	}
	r.engine.Deploy(r.plan)
	s, err := newManyStream(r.names, n, even)
	if err != nil {
		return nil, err
	}
	r.records = s.records(events)
	return r, nil
}

// apply applies the next n events in batches, and returns how many firings they made.
func (r *manyRun) apply(n int) (firings int) {
	for n > 0 {
		r.batch.Reset()
		size := min(n, batchRecords)
		for range size {
			r.off++
			r.at += manyStep
			r.batch.Add(r.off, r.at, r.records[r.pos])
			r.pos = (r.pos + 1) % len(r.records)
		}
		firings += len(r.engine.Apply(&r.batch))
		n -= size
	}
	return firings
}

// manyOf is how many rules the workload of that name has.
func manyOf(name string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(name, "rules-")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= manyLeast && n < rules.MaxFiles
}

// manyLeast is with how many rules the others are compared.
const manyLeast = 10

// runMany measures n rules beside ten.
func runMany(ctx context.Context, o *Options, r *Report, n int) error {
	var recorded bool
	seconds := map[int][]float64{}
	counts := []int{manyLeast, n}
	var all []contender
	for _, count := range counts {
		run, err := newManyRun(count, min(o.Events, 1<<18), false)
		if err != nil {
			return err
		}
		all = append(all, contender{fmt.Sprintf("%d rules", count), func(context.Context) error {
			began := time.Now()
			run.apply(o.Events)
			if recorded {
				seconds[count] = append(seconds[count], time.Since(began).Seconds())
			}
			return nil
		}})
	}
	o.Progress("streams written")
	if err := o.rounds(ctx, all, &recorded); err != nil {
		return err
	}
	t := Table{Title: "speed", Columns: []string{"events/s", "time ÷ 10 rules"}}
	for _, count := range slices.Compact(counts) {
		var rate, ratio []float64
		for i, sec := range seconds[count] {
			rate = append(rate, float64(o.Events)/sec)
			ratio = append(ratio, sec/seconds[manyLeast][i])
		}
		t.row(fmt.Sprintf("%d rules", count), spread(PerSecond, rate), spread(Times, ratio))
		r.EventsPerSecond = spread(PerSecond, rate).Median
	}
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method,
		"rules in groups of eight, each about one section of the site: count, distinct, happened, dwell, first over equality, prefix, ending, list, range and denial, per visitor, user and company; an event meets the eight of its section",
		fmt.Sprintf("%d visitor ids by Zipf %.2f, seed %d, %d %% known users of %d companies, each of one section; one shard, batches of %d, in memory", manyVisitors, sixZipf, manySeed, manyKnown, manyCompanies, batchRecords),
		"the state stays from round to round, the stream goes round",
	)
	return nil
}
