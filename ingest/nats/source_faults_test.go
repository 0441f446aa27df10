package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"nudge"
	"nudge/ingest"
)

// TestSourceThroughFaults publishes events while broker, connection, consumer and engine fail in every way, in random order. Each event must be
// in the log once.
func TestSourceThroughFaults(t *testing.T) {
	t.Parallel()
	for i, retention := range []jetstream.RetentionPolicy{jetstream.LimitsPolicy, jetstream.WorkQueuePolicy, jetstream.InterestPolicy} {
		t.Run(retention.String(), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, uint64(i), retention)
			for range 2 {
				faults := []func(){h.cut, h.loseAcks, h.restartBroker, h.crashBefore, h.crashBehind, h.nothing}
				if retention != jetstream.InterestPolicy { // which then drops what nobody wants
					faults = append(faults, h.skip, h.deleteConsumer)
				}
				h.rng.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
				for _, fault := range faults {
					h.publish()
					fault()
					h.publish()
				}
			}
			h.machine.wantRead(h.b, h.sent)
			h.machine.wantEachOnce(h.sent)
			h.machine.end()
			t.Logf("%d events, %d crashes of the engine", h.sent, h.crashes)
		})
	}
}

// history is a source with everything around it.
type history struct {
	testing.TB
	rng     *rand.Rand
	b       *broker
	wire    *wire
	machine *machine
	sent    int
	crashes int // each while the source was submitting

	mu   sync.Mutex
	hook func(before bool) // is called around each Submit of the source
}

func newHistory(t testing.TB, seed uint64, retention jetstream.RetentionPolicy) *history {
	h := &history{TB: t, rng: rand.New(rand.NewPCG(seed, 11)), b: startBroker(t, nil)}
	h.b.stream(jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}, Retention: retention})
	h.wire = newWire(h.b)
	h.startMachine(nil)
	h.consumer()
	return h
}

// consumer waits until the source has its consumer.
func (h *history) consumer() {
	h.Helper()
	until(h, "the source has its consumer", func() bool {
		_, err := h.b.admin.js.Consumer(context.Background(), "EVENTS", DefaultConsumer)
		return err == nil
	})
}

// hooked is the engine as the source sees it.
type hooked struct {
	ingest.Sink
	h *history
}

func (s hooked) Submit(ctx context.Context, records []byte, count int, decide bool) ([]nudge.Firing, error) {
	s.h.called(true)
	firings, err := s.Sink.Submit(ctx, records, count, decide)
	s.h.called(false)
	return firings, err
}

func (h *history) called(before bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hook != nil {
		h.hook(before)
	}
}

func (h *history) onSubmit(hook func(before bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hook = hook
}

func (h *history) startMachine(fs *vfs.MemFS) {
	h.machine = startMachine(h, plan{fs: fs, source: h.wire.url() + "/EVENTS", submit: func(s ingest.Sink) ingest.Sink { return hooked{s, h} }})
}

func (h *history) publish() {
	n := 20 + h.rng.IntN(40)
	h.b.numbered(h.sent, h.sent+n)
	h.sent += n
}

func (h *history) nothing() { h.machine.wantRead(h.b, h.sent) }
func (h *history) cut()     { h.wire.cut() }

// loseAcks loses what the source says while it goes on reading, and then the connection.
func (h *history) loseAcks() {
	read := make(chan struct{})
	once := sync.OnceFunc(func() { close(read) })
	lost := false
	h.onSubmit(func(before bool) {
		switch {
		case before:
			h.wire.lose(true, false)
			lost = true
		case lost:
			once()
		}
	})
	h.await(read)
	h.onSubmit(nil)
	h.wire.cut()
}

// await publishes one more event, so that there is something to submit, and waits for what the source's submitting brings about.
func (h *history) await(done <-chan struct{}) {
	h.Helper()
	h.b.numbered(h.sent, h.sent+1)
	h.sent++
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		h.Fatal("the source submits nothing")
	}
}

func (h *history) restartBroker() { h.b.restart(func() {}) }

// crashBefore and crashBehind let the engine crash around the sync: before it, and between it and the acknowledgement.
func (h *history) crashBefore() { h.crashAt(true) }
func (h *history) crashBehind() { h.crashAt(false) }

func (h *history) crashAt(before bool) {
	var fs *vfs.MemFS
	crashed := make(chan struct{})
	h.onSubmit(func(now bool) {
		if now == before && fs == nil {
			h.wire.lose(true, true) // the process is dead from here on: nobody hears it
			fs = h.machine.crash(h.rng)
			close(crashed)
		}
	})
	h.await(crashed)
	h.onSubmit(nil)
	h.machine.stopEnds()
	h.wire.cut() // or it would wait for the flush of what nobody hears
	h.machine.end()
	h.crashes++
	h.startMachine(fs)
}

// skip puts the consumer to the stream's end, as somebody might by mistake.
func (h *history) skip() {
	h.consumer()
	h.ask("the consumer stands at the stream's end", func(ctx context.Context) error {
		stream, err := h.b.admin.js.Stream(ctx, "EVENTS")
		if err == nil {
			_, err = h.b.admin.js.ResetConsumerToSequence(ctx, "EVENTS", DefaultConsumer, stream.CachedInfo().State.LastSeq+1)
		}
		return err
	})
}

// ask asks something of the broker, again where it does not answer in time: of a busy one, soon behind its start, a request can be lost.
func (h *history) ask(what string, ask func(context.Context) error) {
	h.Helper()
	until(h, what, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := ask(ctx)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			h.Fatal(err)
		}
		return err == nil
	})
}

func (h *history) deleteConsumer() {
	h.consumer()
	if err := h.b.admin.js.DeleteConsumer(context.Background(), "EVENTS", DefaultConsumer); err != nil {
		h.Fatal(err)
	}
}

// A stream that is deleted and made again, or that comes back with a new broker, gives out its numbers again. Nothing is lost and nothing doubled,
// also where the machine was down meanwhile, and where the new stream has outgrown the old one.
func TestStreamMadeAnew(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		for _, more := range []int{5, 40} {
			t.Run(fmt.Sprint("down=", down, " more=", more), func(t *testing.T) {
				t.Parallel()
				b := startBroker(t, nil)
				b.events()
				url := b.url() + "/EVENTS"
				m := startMachine(t, plan{source: url})
				b.numbered(0, 20)
				m.wantRead(b, 20)
				if down {
					m.end()
				}
				b.restart(b.empty)
				b.events()
				b.numbered(20, 20+more)
				if down {
					m = startMachine(t, plan{source: url, fs: m.fs})
				}
				m.wantRead(b, 20+more)
				m.wantEachOnce(20 + more)
				m.wantValue("streams_anew_total", 1)
				m.wantValue("messages_missing_total", 0)
				m.end()
				m = startMachine(t, plan{source: url, fs: m.fs})
				b.numbered(20+more, 30+more)
				m.wantRead(b, 30+more)
				m.wantEachOnce(30 + more)
				m.wantValue("streams_anew_total", 0)
			})
		}
	}
}

// A stream that has lost its end, but is the same one, gives out numbers again too.
func TestStreamThatLostItsEnd(t *testing.T) {
	t.Parallel()
	for _, down := range []bool{false, true} {
		for _, more := range []int{0, 5, 40} {
			t.Run(fmt.Sprint("down=", down, " more=", more), func(t *testing.T) {
				t.Parallel()
				b := startBroker(t, nil)
				b.events()
				url := b.url() + "/EVENTS"
				m := startMachine(t, plan{source: url})
				b.numbered(0, 20)
				m.wantRead(b, 20)
				var back func()
				b.restart(func() { back = b.keep() })
				b.numbered(20, 40)
				m.wantRead(b, 40)
				if down {
					m.end()
				}
				b.restart(back) // without the second twenty
				b.numbered(40, 40+more)
				if down {
					m = startMachine(t, plan{source: url, fs: m.fs})
				}
				until(t, "it is seen that the stream has lost its end", func() bool { return m.value("streams_anew_total") > 0 })
				b.numbered(40+more, 60+more)
				m.wantRead(b, 60+more)
				m.wantEachOnce(60 + more)
				m.wantValue("messages_missing_total", 0)
			})
		}
	}
}

// What a stream does not have any more is counted, and nothing else.
func TestMessagesThatAreMissing(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.events()
	url := b.url() + "/EVENTS"
	one := func(n int) { b.publish("events.web", numberedEvent(n)) }
	for n := range 3 {
		one(n)
	}
	b.delete(1) // before anybody has read anything: that is how the stream begins
	m := startMachine(t, plan{source: url})
	m.wantRead(b, 2)
	m.end()
	for n := 3; n < 20; n++ {
		one(n)
	}
	for _, seq := range []uint64{5, 6, 10} {
		b.delete(seq)
	}
	m = startMachine(t, plan{source: url, fs: m.fs})
	m.wantRead(b, 16)
	m.wantValue("messages_missing_total", 3)
	m.end()
	for n := 20; n < 30; n++ {
		one(n)
	}
	stream, err := b.admin.js.Stream(context.Background(), "EVENTS")
	if err == nil {
		err = stream.Purge(context.Background(), jetstream.WithPurgeSequence(25))
	}
	if err != nil {
		t.Fatal(err)
	}
	m = startMachine(t, plan{source: url, fs: m.fs})
	m.wantRead(b, 22)
	m.wantValue("messages_missing_total", 4) // 21 to 24
	if !m.logs.has("first=21 last=24") {
		t.Error("it is not said which")
	}
	if got := m.numbers(); len(got) != 22 || got[0]+got[4]+got[5]+got[9]+got[20]+got[23] != 0 || got[24] != 1 {
		t.Errorf("read are %v", got)
	}
}

// withoutReset is a broker that cannot put a consumer back, as older ones; denied is the user for whom that is so.
func withoutReset(o *serverOptions) {
	o.Users = []*server.User{
		{Username: "denied", Password: "x", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.CONSUMER.RESET.>"}}}},
		{Username: "admin", Password: "x"},
	}
	o.NoAuthUser = "admin"
}

// What a consumer has delivered to a session that took nothing comes again only later, where the broker cannot put it back. It is read in its turn,
// also where it is how the stream begins.
func TestFirstMessagesDeliveredBefore(t *testing.T) {
	t.Parallel()
	b := startBroker(t, withoutReset)
	b.events()
	for n := range 5 {
		b.publish("events.web", numberedEvent(n))
	}
	consumer, err := b.admin.js.CreateConsumer(t.Context(), "EVENTS", jetstream.ConsumerConfig{Durable: DefaultConsumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour})
	for range 2 {
		if err == nil {
			_, err = consumer.Next()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	m := startMachine(t, plan{source: strings.Replace(b.url(), "//", "//denied:x@", 1) + "/EVENTS"})
	until(t, "the last event is in the log", func() bool { return m.numbers()[4] == 1 })
	m.wantEachOnce(5)
	m.wantValue("messages_filled_total", 2)
	m.wantValue("messages_missing_total", 0)
}

// A used consumer still says where to begin when the first sessions have failed at it.
func TestUsedConsumerBehindAFailedSession(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.events()
	for n := range 3 {
		b.publish("events.web", numberedEvent(n))
	}
	config := jetstream.ConsumerConfig{Durable: DefaultConsumer, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "events.web"}
	consumer, err := b.admin.js.CreateConsumer(t.Context(), "EVENTS", config)
	var msg jetstream.Msg
	if err == nil {
		msg, err = consumer.Next()
	}
	if err == nil {
		err = msg.DoubleAck(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	m := startMachine(t, plan{source: b.url() + "/EVENTS"})
	until(t, "the consumer is refused", func() bool { return m.logs.has("leaves out subjects") })
	config.FilterSubject = ""
	if _, err := b.admin.js.UpdateConsumer(t.Context(), "EVENTS", config); err != nil {
		t.Fatal(err)
	}
	m.wantRead(b, 2)
	if got := m.numbers(); len(got) != 2 || got[0] != 0 {
		t.Errorf("read are %v", got)
	}
}

func (b *broker) delete(seq uint64) {
	b.Helper()
	stream, err := b.admin.js.Stream(context.Background(), "EVENTS")
	if err == nil {
		err = stream.DeleteMsg(context.Background(), seq)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// busy is an engine that is at its bound at first, or has no room on its disk.
type busy struct {
	ingest.Sink
	refuse int
}

func (s *busy) Submit(ctx context.Context, records []byte, count int, decide bool) ([]nudge.Firing, error) {
	if s.refuse--; s.refuse >= 0 {
		return nil, []error{nudge.ErrBusy, nudge.ErrFull}[s.refuse%2]
	}
	return s.Sink.Submit(ctx, records, count, decide)
}

// A busy engine is asked again until it takes the events.
func TestSourceWaitsForABusyEngine(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.events()
	b.numbered(0, 10)
	m := startMachine(t, plan{source: b.url() + "/EVENTS", submit: func(s ingest.Sink) ingest.Sink { return &busy{s, 6} }})
	m.wantRead(b, 10)
	m.wantEachOnce(10)
	m.wantValue("busy_total", 6)
	if !m.logs.has("events wait for the engine") {
		t.Error("it is not said")
	}
}

// What a place means in a stream as it is now.
func TestPlaceInAStream(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.events()
	for n := range 10 {
		b.publish("events.web", numberedEvent(n))
	}
	b.delete(4)
	b.delete(7)
	all := b.messages("EVENTS")
	at := map[uint64]int64{}
	for _, m := range all {
		at[m.seq] = m.time.UnixNano()
	}
	stream, err := b.admin.js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	info := stream.CachedInfo()
	created := info.Created.UnixNano()
	for _, tt := range []struct {
		name     string
		is, want place
	}{
		{"never read", place{}, place{Created: created}},
		{"another stream, however young", place{created - 1, 5, at[10] + 1e12}, place{Created: created}},
		{"it is there", place{created, 5, at[5]}, place{created, 5, at[5]}},
		{"it is the last", place{created, 10, at[10]}, place{created, 10, at[10]}},
		{"it is not known when it was", place{created, 5, 0}, place{created, 5, 0}},
		{"it is gone", place{created, 7, at[6] + 1}, place{created, 7, at[6] + 1}},
		{"nothing was read", place{created, 0, 0}, place{created, 0, 0}},
		{"behind the end", place{created, 12, at[10] + 1}, place{created, 10, at[10]}},
		{"behind the end, and all of it younger", place{created, 12, at[1] - 1}, place{Created: created}},
		{"another message has its number", place{created, 9, at[6] + 1}, place{created, 6, at[6]}},
		{"another message has its number, and some before are gone", place{created, 9, at[3]}, place{created, 3, at[3]}},
		{"it is gone, and a younger one has a number before", place{created, 7, at[5]}, place{created, 5, at[5]}},
		{"all are younger", place{created, 9, at[1] - 1}, place{Created: created}},
	} {
		m, err := NewMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := Source{o: SourceOptions{Logger: slog.New(slog.DiscardHandler)}, metrics: m.source("x"), place: tt.is}
		if got, err := s.verify(t.Context(), b.admin, info); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
}
