package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
	"nudge/engine"
	"nudge/ingest"
	"nudge/internal/replay"
	"nudge/rules"
	"nudge/state"
)

// replayRule fires at five clicks of a visitor within ten minutes, both ends included: windows are half open, so it is a millisecond more.
var replayRule = rules.Source{
	File: "clicks.expr", Text: `{per: visitor, when: count(event("click"), "600001ms") >= 5, then: alert("5 clicks", {})}`,
}

// The same by hand.
const (
	replayClicks = 5
	replayWindow = 600_001 * nudge.Millis(1)
)

// globoName is the workload of real clicks, which are not a part of the repository.
const globoName = "globo"

// Columns of a file of clicks, as the data set of Globo.com names them.
const (
	clickVisitor = "user_id"
	clickArticle = "click_article_id"
	clickTime    = "click_timestamp"
)

// clickMapping is how `nudge replay` is told of them.
func clickMapping() (replay.Mapping, error) {
	return replay.ParseMapping([]string{"visitor=" + clickVisitor, "ts=" + clickTime, "article=" + clickArticle}, []string{"type=click"})
}

// replayed is one way of letting clicks come again, and what the rounds found.
type replayed struct {
	name    string
	run     func(context.Context) (replaySum, error)
	seconds []float64
	cpu     []float64 // microseconds of an event
}

// replaySum is what a pass saw: events, and firings without their order.
type replaySum struct {
	events  int
	firings int
	sum     uint64
}

func (s *replaySum) fired(visitor string, at nudge.Millis) {
	s.firings++
	s.sum += mix(uint64(nudge.HashKey("visitor", visitor)) ^ mix(uint64(at)))
}

func (s *replaySum) take(firings []nudge.Firing) error {
	for i := range firings {
		s.fired(firings[i].Key, firings[i].At)
	}
	return nil
}

// clicksFile is the clicks as a CSV file and as a log.
type clicksFile struct {
	csv   string
	names *nudge.Names
	plan  *rules.Plan
	data  *state.Dir
	sum   replaySum // by hand
}

// runReplay measures how fast events that lie in a file, and in a log, go through a rule.
func runReplay(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	c := &clicksFile{csv: o.Clicks, names: nudge.NewNames()}
	if o.Workload != globoName {
		c.csv = filepath.Join(dir, "clicks.csv")
		if err := writeClicks(c.csv, o.Events); err != nil {
			return err
		}
	}
	if c.plan, err = compile([]rules.Source{replayRule}, c.names); err != nil {
		return err
	}
	if err := c.writeLog(ctx, filepath.Join(dir, "data")); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	if c.data, err = state.Open(filepath.Join(dir, "data"), state.Options{Names: c.names}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.data.Close()) }()
	r.Events = int(c.data.Log.Next()) - 1
	o.Progress("file and log written")
	return c.measure(ctx, o, r)
}

func (c *clicksFile) measure(ctx context.Context, o *Options, r *Report) error {
	all := []*replayed{{name: "by hand, from CSV, one goroutine", run: func(context.Context) (replaySum, error) { return replayByHand(c.csv) }}}
	for shards := 1; shards <= 2; shards++ {
		all = append(all, &replayed{name: "from CSV, " + plural(shards, "shard"), run: func(ctx context.Context) (replaySum, error) { return c.fromCSV(ctx, shards) }})
	}
	for shards := 1; shards <= 2; shards++ {
		all = append(all, &replayed{name: "from the log, " + plural(shards, "shard"), run: func(context.Context) (replaySum, error) { return c.fromLog(shards) }})
	}
	var recorded bool
	var contenders []contender
	for _, p := range all {
		contenders = append(contenders, contender{p.name, func(ctx context.Context) error {
			begun, cpu := time.Now(), cpuTime()
			sum, err := p.run(ctx)
			took, cpuTook := time.Since(begun), cpuTime()-cpu
			switch {
			case err != nil:
				return err
			case p == all[0] && !recorded:
				c.sum = sum
			case sum != c.sum:
				return fmt.Errorf("%d events and %d firings, by hand %d and %d, or others", sum.events, sum.firings, c.sum.events, c.sum.firings)
			}
			if recorded {
				p.seconds = append(p.seconds, took.Seconds())
				p.cpu = append(p.cpu, float64(cpuTook.Nanoseconds())/1e3/float64(sum.events))
			}
			return nil
		}})
	}
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	return c.tell(o, r, all)
}

func (c *clicksFile) engine(shards int) (*engine.Engine, error) {
	e, err := engine.New(engine.Options{Names: c.names, Shards: shards, Replay: true, DropSuppressed: true})
	if err == nil {
		e.Deploy(c.plan)
	}
	return e, err
}

// fromCSV is what `nudge replay` does, but for printing.
func (c *clicksFile) fromCSV(ctx context.Context, shards int) (sum replaySum, err error) {
	e, err := c.engine(shards)
	if err != nil {
		return sum, err
	}
	mapping, err := clickMapping()
	if err != nil {
		return sum, err
	}
	var counts replay.Counts
	_, err = replay.Run(ctx, &replay.Options{
		Paths: []string{c.csv}, Mapping: mapping, Names: c.names, Plan: c.plan, Engine: e, Batch: batchRecords, Emit: sum.take, Counts: &counts,
	})
	sum.events = int(counts.Events.Load())
	return sum, err
}

// fromLog reads the log and applies what it hands out.
func (c *clicksFile) fromLog(shards int) (sum replaySum, err error) {
	e, err := c.engine(shards)
	if err != nil {
		return sum, err
	}
	var b engine.Batch
	err = c.data.Log.ReadAhead(0, func(entries []nudge.Entry) error {
		b.Reset()
		for _, entry := range entries {
			off := entry.First
			for rest := entry.Records; len(rest) > 0; off++ {
				var rec nudge.Record
				rec, rest = nudge.SplitRecord(rest)
				b.Add(off, entry.At, rec)
			}
		}
		sum.events += b.Len()
		return sum.take(e.Apply(&b))
	})
	return sum, err
}

// writeLog logs the clicks of the file as the records that a replay of it makes: those of one millisecond in one entry, as a server that is not busy would
// have, and rewrites all segments.
func (c *clicksFile) writeLog(ctx context.Context, dir string) (err error) {
	data, err := state.Open(dir, state.Options{Names: c.names, FS: unsynced{vfs.Default}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	w := clickLogger{log: data.Log, codec: ingest.NewCodec(ingest.CodecOptions{Names: c.names})}
	if err := errors.Join(readClicks(c.csv, w.add), w.flush()); err != nil {
		return err
	}
	_, err = data.Log.Rewrite(ctx, state.RewriteOptions{Hurry: true, Through: data.Log.Next() - 1})
	return err
}

// clickLogger writes clicks to a log.
type clickLogger struct {
	log   *state.Log
	codec *ingest.Codec
	b     nudge.RecordBuilder
	entry nudge.Entry
}

var clickFields = []string{"visitor", "ts", "article", "type"}

func (w *clickLogger) add(visitor, article, at []byte, ts nudge.Millis) error {
	if ts != w.entry.At || w.entry.Count == batchRecords {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.entry.At = ts
	w.entry.Count++
	_, _, err := w.codec.ReplayFields(clickFields, []string{string(visitor), string(at), string(article), "click"}, &w.b)
	return err
}

func (w *clickLogger) flush() error {
	if w.entry.Count == 0 {
		return nil
	}
	w.entry.First, w.entry.Records = w.log.Next(), w.b.Buf
	err := errors.Join(w.log.Append(w.entry), w.log.Sync())
	w.b.Buf, w.entry.Count = w.b.Buf[:0], 0
	return err
}

func (c *clicksFile) tell(o *Options, r *Report, all []*replayed) error {
	t := Table{Title: "replay", Columns: []string{"events/s", "time ÷ by hand", "CPU µs/event", "firings"}}
	n, by := float64(r.Events), all[0]
	for _, p := range all {
		t.row(p.name, spread(PerSecond, rates(n, p.seconds)), spread(Times, ratios(p.seconds, by.seconds)), spread(Count, p.cpu), once(Count, float64(c.sum.firings)))
		if p != by {
			r.EventsPerSecond = max(r.EventsPerSecond, spread(PerSecond, rates(n, p.seconds)).Median)
		}
	}
	r.RatioToHand = spread(Times, ratios(all[1].seconds, by.seconds)).Median
	r.Tables = append(r.Tables, t)
	info, err := os.Stat(c.csv)
	if err != nil {
		return err
	}
	bytes := func(n int64) string { return Bytes.text(float64(n)) }
	what := fmt.Sprintf("%d clicks of the workload six's visitors over 35 days, seed %d, as a CSV file of %s", r.Events, sixSeed, bytes(info.Size()))
	if o.Workload == globoName {
		what = fmt.Sprintf("%d clicks on a news portal, the Globo.com data set, as a file of %s, unpacked while it is read where it is packed", r.Events, bytes(info.Size()))
	}
	r.Method = append(r.Method, what,
		"one rule, five clicks of a visitor within ten minutes, both ends included: "+replayRule.Text,
		fmt.Sprintf("from CSV: what `nudge replay` does, without printing; from the log: the records that it makes of the clicks, %s in a log whose segments are rewritten, as those of a server are; batches of %d",
			bytes(c.data.Log.Bytes()), batchRecords),
		"by hand: Go for exactly this rule and these columns; every pass fired for the visitors, and at the instants, of the first one by hand",
		"the files are in the system's page cache; ratio_to_hand is that of CSV with one shard, events_per_second that of our fastest row",
	)
	return nil
}
