package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"nudge"
	"nudge/engine"
	"nudge/ingest"
	"nudge/rules"
	"nudge/state"
)

const eachRule = `{per: visitor, when: on(event("seen")), then: [alert("seen", {n: n}), tag("x")]}`

// machine is a node with its ends on a broker. Its disk can be carried into the next one, as a crash leaves it.
type machine struct {
	testing.TB
	fs     *vfs.MemFS
	names  *nudge.Names
	dir    *state.Dir
	node   *engine.Node
	stop   context.CancelFunc
	done   chan error
	logs   *lockedBuffer
	logger *slog.Logger
	values *prometheus.Registry

	metrics  *Metrics
	source   *Source
	sink     *Sink
	stopEnds context.CancelFunc
	running  sync.WaitGroup
	ended    bool
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.b.Bytes(), []byte(text))
}

// testPause bounds the pause between two sessions.
const testPause = 200 * time.Millisecond

// plan is what a machine is to do.
type plan struct {
	fs     *vfs.MemFS                    // nil: a new disk
	rules  map[string]string             // by id; nil: eachRule
	source string                        // URL of a stream; "": none
	sink   string                        // URL of a broker; "": none
	submit func(ingest.Sink) ingest.Sink // what stands between the source and the engine; nil: nothing
}

// startMachine recovers from the disk and runs the node and its ends; a new disk gets one rule.
func startMachine(t testing.TB, p plan) *machine {
	t.Helper()
	fresh := p.fs == nil
	if fresh {
		p.fs = vfs.NewCrashableMem()
	}
	m := &machine{TB: t, fs: p.fs, names: nudge.NewNames(), done: make(chan error, 1), logs: &lockedBuffer{}, values: prometheus.NewRegistry()}
	m.logger = slog.New(slog.NewTextHandler(m.logs, nil))
	var err error
	if m.dir, err = state.Open("data", state.Options{FS: p.fs, SegmentBytes: 1 << 20, Names: m.names, CacheBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	m.node, err = engine.NewNode(engine.NodeOptions{
		Engine: engine.Options{Names: m.names, Shards: 2}, Log: m.dir.Log, Store: m.dir.Store, Logger: slog.New(slog.DiscardHandler), CheckpointRecords: 1500,
		OnFirings: func([]nudge.Firing) {
			if m.sink != nil {
				m.sink.Wake()
			}
		},
	})
	if err == nil {
		m.metrics, err = NewMetrics(m.values)
	}
	if err == nil {
		err = m.node.Recover()
	}
	if err == nil {
		err = m.newEnds(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	var ctx, ends context.Context
	ctx, m.stop = context.WithCancel(context.Background())
	ends, m.stopEnds = context.WithCancel(context.Background())
	t.Cleanup(m.end)
	go func() { m.done <- m.node.Run(ctx) }()
	if fresh {
		m.deploy(p.rules)
	}
	if m.sink != nil {
		m.keep(m.sink.Begin(ends))
	}
	if m.source != nil {
		m.source.link.longest = testPause
		m.running.Go(func() { m.keep(m.source.Run(ends)) })
	}
	if m.sink != nil {
		m.sink.link.longest = testPause
		m.running.Go(func() { m.keep(m.sink.Run(ends)) })
	}
	return m
}

func (m *machine) newEnds(p plan) (err error) {
	if p.source != "" {
		stream := parseStream(m, p.source)
		submit := ingest.Sink(m.node)
		if p.submit != nil {
			submit = p.submit(submit)
		}
		m.source, err = NewSource(SourceOptions{
			Stream: stream, Sink: submit, Names: m.names, Place: m.node.Position(stream.Position()), Metrics: m.metrics, Logger: m.logger,
		})
	}
	if p.sink != "" && err == nil {
		server, err := ParseServer(p.sink)
		if err != nil {
			return err
		}
		m.sink, err = NewSink(SinkOptions{
			Server: server, Feed: m.node, Sink: m.node, Place: m.node.Position(SinkPosition), Metrics: m.metrics, Logger: m.logger,
		})
		return err
	}
	return err
}

// keep notes an end's error.
func (m *machine) keep(err error) {
	if err != nil {
		m.Error(err)
	}
}

// deploy deploys rules; none are the one rule.
func (m *machine) deploy(byID map[string]string) {
	m.Helper()
	sources := []rules.Source{{File: "each.expr", Text: eachRule}}
	if byID != nil {
		sources = nil
	}
	for id, text := range byID {
		sources = append(sources, rules.Source{File: id + ".expr", Text: text})
	}
	diags, err := m.node.Deploy(context.Background(), sources)
	if err != nil || diags.HasErrors() {
		m.Fatal(err, diags.Err())
	}
}

// crash is the disk as a crash leaves it now. The machine goes on, unseen, until it is ended.
func (m *machine) crash(rng *rand.Rand) *vfs.MemFS {
	return m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
}

// end stops everything in order, as a signal does.
func (m *machine) end() {
	m.Helper()
	if m.ended {
		return
	}
	m.ended = true
	m.stopEnds()
	m.running.Wait()
	m.stop()
	if err := errors.Join(<-m.done, m.dir.Close()); err != nil {
		m.Error(err)
	}
}

// value is that of a metric, summed over its labels.
func (m *machine) value(name string) float64 {
	m.Helper()
	return valueOf(m, m.values, name)
}

func valueOf(t testing.TB, values *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := values.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "nudge_nats_"+name {
			continue
		}
		for _, s := range f.GetMetric() {
			sum += s.GetCounter().GetValue() + s.GetGauge().GetValue()
		}
	}
	return sum
}

func (m *machine) wantValue(name string, want float64) {
	m.Helper()
	if got := m.value(name); got != want {
		m.Errorf("%s is %v, want %v", name, got, want)
	}
}

// numbers counts the events of the log by the number that they carry.
func (m *machine) numbers() map[int]int {
	m.Helper()
	name, _ := m.names.Find("n")
	counts := map[int]int{}
	for _, rec := range m.records() {
		counts[int(rec.Field(name).Num)]++
	}
	return counts
}

// records are the events of the log.
func (m *machine) records() (all []nudge.Record) {
	m.Helper()
	err := m.dir.Log.Read(0, func(e nudge.Entry) error {
		for rest := bytes.Clone(e.Records); len(rest) > 0; {
			var rec nudge.Record
			if rec, rest = nudge.SplitRecord(rest); rec.Kind() == nudge.RecordEvent {
				all = append(all, rec)
			}
		}
		return nil
	})
	if err != nil {
		m.Fatal(err)
	}
	return all
}

// wantEachOnce wants the log to hold the events [0, n), each once, and each to have fired once.
func (m *machine) wantEachOnce(n int) {
	m.Helper()
	once(m, "in the log", m.numbers(), n)
	until(m, "everything is applied", func() bool { _, ends := m.node.Span(); return ends == m.dir.Log.Next() })
	fired := map[int]int{}
	for _, f := range m.feed() {
		fired[numberOf(m, f.Actions[0].Data)]++
	}
	once(m, "in the feed", fired, n)
}

// feed is all of it.
func (m *machine) feed() []nudge.Firing {
	m.Helper()
	all, err := m.node.Firings(nudge.Cursor{}, 1<<20)
	if err != nil {
		m.Fatal(err)
	}
	return all
}

// numberOf is the number in the data of the rule's alert.
func numberOf(t testing.TB, data []byte) int {
	t.Helper()
	var d struct{ N int }
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d.N
}

func once(t testing.TB, where string, counts map[int]int, n int) {
	t.Helper()
	lost, doubled := 0, 0
	for i := range n {
		switch c := counts[i]; {
		case c == 0:
			lost++
		case c > 1:
			doubled++
		}
	}
	if lost+doubled > 0 || len(counts) != n {
		t.Errorf("%s: of %d numbers %d are lost and %d doubled; there are %d", where, n, lost, doubled, len(counts))
	}
}

// wantRead waits until the log has so many events, and the broker an acknowledgement of all.
func (m *machine) wantRead(b *broker, n int) {
	m.Helper()
	until(m, fmt.Sprintf("the log has %d events; it has %d", n, len(m.records())), func() bool {
		return m.node.Stats().Records.Load() > 0 && len(m.records()) >= n
	})
	until(m, "everything is acknowledged", func() bool {
		c := b.consumer(m.source.o.Stream.Consumer)
		return c.NumAckPending == 0 && c.NumPending == 0
	})
}

func parseStream(t testing.TB, url string) Stream {
	t.Helper()
	s, err := ParseStream(url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
