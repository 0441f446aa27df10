package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"nudge"
	"nudge/ingest"
)

// send submits the events [from, to), each of which fires once, and waits until they have.
func (m *machine) send(from, to int) {
	m.Helper()
	var lines []string
	for n := from; n < to; n++ {
		lines = append(lines, numberedEvent(n))
	}
	m.submit(lines...)
}

func (m *machine) submit(lines ...string) {
	m.Helper()
	codec := ingest.NewCodec(ingest.CodecOptions{Names: m.names})
	var b nudge.RecordBuilder
	done, err := codec.Events([]byte(strings.Join(lines, "\n")), "", 0, &b)
	if err == nil {
		_, err = m.node.Submit(context.Background(), b.Buf, done.Records, true)
	}
	if err != nil {
		m.Fatal(err)
	}
}

// fired makes a stream of firings, which remembers ids for as short a time as can be.
func (b *broker) fired(change func(*jetstream.StreamConfig)) {
	b.Helper()
	c := jetstream.StreamConfig{Name: "FIRED", Subjects: []string{"nudge.fired.>"}, Duplicates: 100 * time.Millisecond}
	if change != nil {
		change(&c)
	}
	b.stream(c)
}

// wantFired waits until the stream has the firings [0, n), and wants each once and under its id.
func (b *broker) wantFired(m *machine, n int) {
	b.Helper()
	until(b, fmt.Sprint("there are messages of ", n, " firings"), func() bool {
		s, err := b.admin.js.Stream(context.Background(), "FIRED")
		return err == nil && s.CachedInfo().State.Msgs >= uint64(n)
	})
	ids := map[string]int{}
	for i, f := range m.feed() {
		ids[f.ID] = i
	}
	counts := map[int]int{}
	for _, msg := range b.messages("FIRED") {
		i, ok := ids[msg.header.Get(jetstream.MsgIDHeader)]
		if !ok {
			b.Fatalf("the feed has no firing of the id in %s %v", msg.data, msg.header)
		}
		counts[i]++
	}
	once(b, "in the stream of firings", counts, n)
}

// TestSinkPublishes looks at the messages themselves.
func TestSinkPublishes(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.fired(nil)
	m := startMachine(t, plan{sink: b.url(), rules: map[string]string{
		"each":   eachRule,
		"shadow": `{per: visitor, when: on(event("seen")), then: alert("no"), mode: "shadow"}`,
		"twice":  `{per: visitor, when: on(event("seen")), then: alert("twice"), cooldown: "1h"}`,
	}})
	m.submit(`{"type":"seen","visitor":"v1","n":1,"id":"e-1"}`)
	m.submit(`{"type":"seen","visitor":"v1","n":2}`)
	until(t, "three firings are published", func() bool { return m.value("firings_published_total") == 3 })
	until(t, "the log says so", func() bool { return m.sink.Needs() == 0 })
	var got []string
	for _, msg := range b.messages("FIRED") {
		got = append(got, msg.subject+" "+msg.header.Get(jetstream.MsgIDHeader)+" "+msg.header.Get("Content-Type")+" "+string(msg.data))
	}
	var want []string
	for _, f := range m.feed() {
		if !f.Delivered() {
			continue
		}
		actions := `{"kind":"alert","name":"twice","data":{}}`
		if f.Rule == "each" {
			actions = fmt.Sprintf(`{"kind":"alert","name":"seen","data":{"n":%d}},{"kind":"tag","name":"x","data":{}}`, numberOf(t, f.Actions[0].Data))
		}
		want = append(want, fmt.Sprintf(`nudge.fired.%s %s application/json {"id":"%s","cursor":"%s","rule":"%s","per":"visitor","key":"v1","at":%d,`+
			`"cause":"%s","visitor":"v1","actions":[%s]}`, f.Rule, f.ID, f.ID, f.Cursor, f.Rule, f.At, f.Cause, actions))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w || len(want) != 3 {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// A sink that is new publishes what fires from then on; one that was there before goes on where it was.
func TestSinkBeginsBehindWhatHasFired(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.fired(nil)
	m := startMachine(t, plan{})
	m.send(0, 5)
	m.end()
	m = startMachine(t, plan{fs: m.fs, sink: b.url()})
	m.send(5, 8)
	until(t, "three firings are published", func() bool { return m.value("firings_published_total") == 3 })
	m.end()
	m = startMachine(t, plan{fs: m.fs})
	m.send(8, 10)
	m.end()
	m = startMachine(t, plan{fs: m.fs, sink: b.url()})
	until(t, "two firings are published", func() bool { return m.value("firings_published_total") == 2 })
	counts := map[int]int{}
	for _, msg := range b.messages("FIRED") {
		var f struct {
			Actions []struct{ Data json.RawMessage }
		}
		if err := json.Unmarshal(msg.data, &f); err != nil {
			t.Fatal(err)
		}
		counts[numberOf(t, f.Actions[0].Data)]++
	}
	if fmt.Sprint(counts) != "map[5:1 6:1 7:1 8:1 9:1]" {
		t.Errorf("published are %v", counts)
	}
}

// A new sink's beginning is logged before anything fires: a crash before the broker was ever there leaves nothing out.
func TestSinkBeginsWithoutABroker(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.fired(nil)
	url := b.url()
	b.stop()
	m := startMachine(t, plan{sink: url})
	if needs := m.sink.Needs(); needs != 0 {
		t.Errorf("nothing has fired, and the sink needs the feed from offset %d on", needs)
	}
	m.send(0, 5)
	if last, needs := m.node.Last().Offset, m.sink.Needs(); needs == 0 || needs >= last {
		t.Errorf("nothing is published up to offset %d, and the sink needs the feed from %d on only", last, needs)
	}
	fs := m.crash(rand.New(rand.NewPCG(1, 1)))
	m.end()
	b.start()
	m = startMachine(t, plan{fs: fs, sink: url})
	b.wantFired(m, 5)
}

// TestSinkThroughFaults lets events fire while broker, connection and engine fail, in random order. Each firing must be in the stream once, though
// that forgets ids at once.
func TestSinkThroughFaults(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.fired(nil)
	w := newWire(b)
	rng := rand.New(rand.NewPCG(5, 5))
	m := startMachine(t, plan{sink: w.url()})
	sent, unheard := 0, 0.0
	send := func() {
		n := 30 + rng.IntN(100)
		m.send(sent, sent+n)
		sent += n
	}
	published := func(n float64) func() bool {
		return func() bool { return m.value("firings_published_total") >= n }
	}
	crash := func() {
		w.lose(true, true)
		fs := m.crash(rng)
		m.stopEnds()
		w.cut()
		m.end()
		m = startMachine(t, plan{fs: fs, sink: w.url()})
	}
	has := func() bool {
		s, err := b.admin.js.Stream(context.Background(), "FIRED")
		return err == nil && int(s.CachedInfo().State.Msgs) >= sent
	}
	loseConfirmations := func() {
		before := m.value("firings_published_total")
		m.send(sent, sent+1)
		sent++
		until(t, "there is a session", func() bool { return has() && m.value("firings_published_total") > before })
		w.lose(false, true)
		send()
		until(t, "the stream has what it cannot confirm", has)
	}
	faults := []func(){
		w.cut,
		func() { b.restart(func() {}) },
		func() { loseConfirmations(); w.cut() },
		func() { loseConfirmations(); b.restart(func() {}); w.cut() },
		func() { loseConfirmations(); crash() },
		func() { until(t, "some are confirmed", published(10)); crash() },
		func() { m.end(); m = startMachine(t, plan{fs: m.fs, sink: w.url()}) },
	}
	for range 2 {
		rng.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		for _, fault := range faults {
			send()
			fault()
			send()
			unheard += m.value("firings_known_total")
		}
	}
	b.wantFired(m, sent)
	m.end()
	t.Logf("%d firings", sent)
	m = startMachine(t, plan{fs: m.fs, sink: w.url()})
	m.send(sent, sent+1)
	until(t, "one is published", published(1))
	b.wantFired(m, sent+1)
	m.wantValue("firings_published_total", 1) // and nothing again
}

// Where no stream captures the firings they go to whoever listens. Once one did, they wait for it.
func TestSinkWithoutAStream(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	heard := make(chan *nats.Msg, 100)
	listener, err := b.admin.nc.ChanSubscribe("nudge.fired.*", heard)
	if err == nil {
		err = b.admin.nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(b)
	m := startMachine(t, plan{sink: w.url()})
	m.send(0, 3)
	for range 3 {
		<-heard
	}
	until(t, "it is said", func() bool {
		return m.logs.has("no stream captures nudge.fired.>") && m.value("firings_unconfirmed_total") == 3
	})
	m.end()
	m = startMachine(t, plan{fs: m.fs, sink: w.url()})
	m.send(3, 4)
	if msg := <-heard; !strings.Contains(string(msg.Data), `{"n":3}`) {
		t.Errorf("after a restart: %s", msg.Data)
	}
	until(t, "it is said", func() bool { return m.value("firings_unconfirmed_total") == 1 })

	if err := listener.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	b.fired(nil)
	w.cut() // it would also look by itself
	until(t, "it is connected again", func() bool { return m.logs.has("publishing firings") })
	m.send(4, 6)
	until(t, "they are confirmed", func() bool { return m.value("firings_published_total") == 2 })
	if err := b.admin.js.DeleteStream(context.Background(), "FIRED"); err != nil {
		t.Fatal(err)
	}
	m.send(6, 9)
	until(t, "it is said that the stream is gone", func() bool { return m.logs.has("firings wait for one") })
	m.wantValue("firings_unconfirmed_total", 1)
	b.fired(nil)
	until(t, "they are confirmed", func() bool { return m.value("firings_published_total") == 5 })
	if n := len(b.messages("FIRED")); n != 3 {
		t.Errorf("the new stream has %d firings", n)
	}
}

// A stream that is full holds the firings back; a firing that is too large for the broker or the stream does not.
func TestSinkAndAStreamThatRefuses(t *testing.T) {
	t.Parallel()
	b := startBroker(t, func(o *serverOptions) { o.MaxPayload = 8 << 10 })
	b.fired(func(c *jetstream.StreamConfig) {
		c.MaxMsgs, c.Discard, c.MaxMsgSize = 2, jetstream.DiscardNew, 1024
	})
	m := startMachine(t, plan{sink: b.url(), rules: map[string]string{"each": `{per: visitor, when: on(event("seen")), then: [alert("a", {x: x}), alert("b", {x: x})]}`}})
	m.submit(`{"type":"seen","visitor":"v1","x":"` + strings.Repeat("y", 5000) + `"}`) // twice that is too much for the broker
	m.submit(`{"type":"seen","visitor":"v1","x":"` + strings.Repeat("y", 1000) + `"}`) // for the stream
	for range 4 {
		m.submit(`{"type":"seen","visitor":"v1"}`)
	}
	until(t, "two are published", func() bool { return m.value("firings_published_total") == 2 && m.value("firings_too_large_total") == 2 })
	until(t, "it is said that the stream is full", func() bool { return m.logs.has("maximum messages exceeded") })
	s, err := b.admin.js.Stream(context.Background(), "FIRED")
	if err == nil {
		err = s.Purge(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the rest are published", func() bool { return m.value("firings_published_total") == 4 })
	if n := len(b.messages("FIRED")); n != 2 {
		t.Errorf("the stream has %d firings behind the purge", n)
	}
	m.wantValue("firings_known_total", 0)
}

// shortFeed is one whose oldest part has gone.
type shortFeed struct{ begins, ends nudge.Offset }

func (f *shortFeed) Firings(after nudge.Cursor, limit int) (page []nudge.Firing, err error) {
	for o := max(f.begins, after.Offset+1); o < f.ends && len(page) < limit; o++ {
		page = append(page, nudge.Firing{Cursor: nudge.Cursor{Offset: o}, Shadow: true})
	}
	return page, nil
}

func (f *shortFeed) Last() nudge.Cursor                { return nudge.Cursor{Offset: f.ends - 1} }
func (f *shortFeed) Span() (begins, ends nudge.Offset) { return f.begins, f.ends }

// A sink that lags behind what the feed keeps says so, once; one that has only had nothing to do does not.
func TestSinkBehindTheFeed(t *testing.T) {
	t.Parallel()
	values := prometheus.NewRegistry()
	m, err := NewMetrics(values)
	if err != nil {
		t.Fatal(err)
	}
	feed := &shortFeed{1, 10}
	s, err := NewSink(SinkOptions{Feed: feed, Place: `{"cursor":"3-0"}`, Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	if s.Needs() != 3 {
		t.Errorf("the sink needs the feed from offset %d on", s.Needs())
	}
	p := &publisher{Sink: s, read: s.place.Cursor.Cursor}
	step := func(begins, ends nudge.Offset, gaps float64) {
		t.Helper()
		*feed, p.idles = shortFeed{begins, ends}, false
		for range 3 {
			if err := p.send(); err != nil {
				t.Fatal(err)
			}
			for len(p.flights) > 0 {
				if err := p.land(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := valueOf(t, values, "feed_gaps_total"); got != gaps {
			t.Errorf("feed from %d to %d: %v gaps, want %v", begins, ends, got, gaps)
		}
		if want := upTo(ends); s.place.Cursor.Cursor != want {
			t.Errorf("feed from %d to %d: the place is %v, want %v", begins, ends, s.place.Cursor, want)
		}
	}
	step(4, 10, 0)    // the next one is the first there is
	step(10, 10, 0)   // everything went, but everything was read
	step(500, 500, 1) // what is between is not known
	step(500, 600, 1)
	step(601, 700, 2)
	step(700, 2000, 2) // more than a window at once
}
