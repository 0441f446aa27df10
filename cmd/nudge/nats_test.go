package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	broker "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// More events and no kills measure: go test ./cmd/nudge -run TestProcess/brokers -nats-events 100000 -nats-kills 0 -v
var (
	natsEvents = flag.Int("nats-events", 2000, "events that go through NATS")
	natsKills  = flag.Int("nats-kills", 2, "kills of the process meanwhile")
	natsSync   = flag.Bool("nats-sync", true, "the broker syncs every message")
)

// natsPatience is how long the test waits for the next event to come through.
const natsPatience = 2 * time.Minute

// natsBroker is a NATS server with the streams EVENTS and FIRED, and a client.
type natsBroker struct {
	*testing.T
	url string
	js  jetstream.JetStream
}

func startNATS(t *testing.T) *natsBroker {
	t.Helper()
	s, err := broker.NewServer(&broker.Options{
		Host: "127.0.0.1", Port: broker.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: *natsSync, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(natsPatience) {
		t.Fatal("the broker does not start")
	}
	b := &natsBroker{T: t, url: fmt.Sprintf("nats://127.0.0.1:%d", s.Addr().(*net.TCPAddr).Port)}
	nc, err := nats.Connect(b.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	b.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000))
	for _, c := range []jetstream.StreamConfig{
		{Name: "EVENTS", Subjects: []string{"events.>"}},
		{Name: "FIRED", Subjects: []string{"nudge.fired.>"}, Duplicates: 100 * time.Millisecond}, // its memory of ids must not be needed
	} {
		if err == nil {
			_, err = b.js.CreateStream(t.Context(), c)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// publish publishes events with the numbers [0, n), without ids.
func (b *natsBroker) publish(n int) {
	b.Helper()
	for i := range n {
		body := fmt.Appendf(nil, `{"type":"seen","visitor":"v%d","url":"https://www.acme.example/pricing?utm_source=mail","props":{"n":%d,"title":"Pricing"}}`, i%1000, i)
		if _, err := b.js.PublishAsync("events.web", body, jetstream.WithStallWait(natsPatience)); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-b.js.PublishAsyncComplete():
	case <-time.After(natsPatience):
		b.Fatal("the broker does not take the events")
	}
	if got := b.messages("EVENTS"); got != n {
		b.Fatalf("the stream has %d of %d events", got, n)
	}
}

func (b *natsBroker) messages(stream string) int {
	b.Helper()
	s, err := b.js.Stream(context.Background(), stream)
	if err != nil {
		b.Fatal(err)
	}
	return int(s.CachedInfo().State.Msgs)
}

// acknowledged is how many events are durable in the engine, as far as the broker knows.
func (b *natsBroker) acknowledged() int {
	c, err := b.js.Consumer(context.Background(), "EVENTS", "nudge")
	if err != nil {
		return 0
	}
	return int(c.CachedInfo().AckFloor.Stream)
}

// until waits for a count to reach n, and gives up when it stands still.
func (b *natsBroker) until(what string, n int, count func() int) {
	b.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for last, since := -1, time.Now(); ; {
		now := count()
		if now >= n {
			return
		}
		if now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > natsPatience {
			b.Fatalf("%s stand still at %d of %d", what, now, n)
		}
		<-look.C
	}
}

// survivesKillsBetweenBrokers reads events from a stream, publishes what they fire to another, and kills the process meanwhile. Every event must
// have fired once, in the stream.
func survivesKillsBetweenBrokers(t *testing.T, bin string) {
	b := startNATS(t)
	rules, data := crashRules(t), filepath.Join(t.TempDir(), "data")
	n := *natsEvents
	b.publish(n)
	flags := []string{"--data", data, "--rules", rules, "--listen", "127.0.0.1:0", "--source", b.url + "/EVENTS", "--nats", b.url}
	p := mustStart(t, bin, flags...)
	began := time.Now()
	fired := func() int { return b.messages("FIRED") }
	for i := range *natsKills {
		b.until("firings", (i*n+rand.IntN(n))/(*natsKills), fired)
		p.end(syscall.SIGKILL)
		p = mustStart(t, bin, flags...)
	}
	b.until("events", n, b.acknowledged)
	read := time.Since(began)
	b.until("firings", n, fired)
	published := time.Since(began)
	p.end(syscall.SIGTERM)
	if p.code() != exitDone {
		t.Errorf("after SIGTERM serve ends with code %d: %s", p.code(), p.errs.String())
	}
	b.check(n)
	t.Logf("%d events with %d kills: %.0f events/s from NATS, %.0f firings/s to NATS", n, *natsKills, float64(n)/read.Seconds(), float64(n)/published.Seconds())
}

// check wants the firings of the events [0, n), each once.
func (b *natsBroker) check(n int) {
	b.Helper()
	consumer, err := b.js.OrderedConsumer(b.T.Context(), "FIRED", jetstream.OrderedConsumerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	all, err := consumer.Messages()
	if err != nil {
		b.Fatal(err)
	}
	defer all.Stop()
	ids, events := map[string]bool{}, map[int]int{}
	for total := b.messages("FIRED"); total > 0; total-- {
		m, err := all.Next(jetstream.NextMaxWait(natsPatience))
		if err != nil {
			b.Fatal(err)
		}
		var f struct {
			ID      string
			Actions []struct{ Data struct{ N int } }
		}
		if err := json.Unmarshal(m.Data(), &f); err != nil || len(f.Actions) != 1 || f.ID != m.Headers().Get(jetstream.MsgIDHeader) {
			b.Fatalf("%s: %v", m.Data(), err)
		}
		ids[f.ID] = true
		events[f.Actions[0].Data.N]++
	}
	lost, doubled := 0, 0
	for i := range n {
		switch c := events[i]; {
		case c == 0:
			lost++
		case c > 1:
			doubled++
		}
	}
	if lost+doubled > 0 || len(ids) != n || len(events) != n {
		b.Errorf("of %d events %d did not fire and %d fired more than once; there are %d ids", n, lost, doubled, len(ids))
	}
}
