package nats

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"nudge"
)

// TestSourceTakesEveryForm publishes events in every form, and some that are wrong.
func TestSourceTakesEveryForm(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.events()
	b.stream(jetstream.StreamConfig{Name: "DEAD", Subjects: []string{RejectedSubject}})
	packed := "\x92" + strings.Repeat("\x82\xa4type\xa6packed\xa7visitor\xa2v1", 2)
	b.publish("events.web", `{"type":"one","visitor":"v1"}`)
	b.publish("events.web", `[{"type":"array","visitor":"v1","id":"own","ts":1000},{"type":"array","visitor":"v1"}]`)
	b.publish("events.web", "{\"type\":\"lines\",\"visitor\":\"v1\"}\n{\"type\":\"lines\",\"visitor\":\"v1\"}\n")
	b.publish("events.app", packed, "Content-Type", "application/msgpack; charset=binary")
	b.publish("events.web", `{"type":"named","visitor":"v1"}`, jetstream.MsgIDHeader, "publisher-7")
	b.publish("events.web", `{"type":"cut`, "Content-Type", "application/json")
	b.publish("events.web", `[{"type":"half","visitor":"v1"},{"type":"half"},{"visitor":"v1"}]`)
	b.publish("events.web", "")
	b.publish("events.web", strings.Repeat(" ", 1<<20-100)+numberedEvent(0))
	b.publish("events.web", `{"type":"last","visitor":"v1"}`)

	m := startMachine(t, plan{source: b.url() + "/EVENTS"})
	m.wantRead(b, 11)
	at := map[int]string{}
	for i, msg := range b.messages("EVENTS") {
		at[i+1] = fmt.Sprintf("EVENTS:%d:", i+1)
		if ts, _ := m.records()[0].Ts(); i == 0 && ts != nudge.Millis(msg.time.UnixMilli()) {
			t.Errorf("ts is %d, the broker took the event at %v", ts, msg.time)
		}
	}
	var got []string
	for _, rec := range m.records() {
		id := rec.Field(nudge.NameID_).Text
		for n := range at {
			if rest, ok := strings.CutPrefix(id, at[n]); ok {
				_, index, _ := strings.Cut(rest, ":")
				id = strings.TrimSuffix(fmt.Sprintf("#%d:%s", n, index), ":")
			}
		}
		got = append(got, m.names.Text(rec.Type())+" "+id)
	}
	want := "one #1, array own, array #2:1, lines #3, lines #3:1, packed #4, packed #4:1, named publisher-7, half #7, seen #9, last #10"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var letters []string
	for _, msg := range b.messages("DEAD") {
		h := msg.header
		letters = append(letters, fmt.Sprintf("%s %s %s/%s@%s %s", h.Get("Nudge-Sequence"), h.Get("Nudge-Code"), h.Get("Nudge-Index"), h.Get("Nudge-Rejected"),
			h.Get("Nudge-Subject"), h.Get("Nudge-Field")))
	}
	want = "6 bad_body 0/1@events.web , 7 missing 1/2@events.web visitor, 8 bad_body 0/1@events.web "
	if text := strings.Join(letters, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	m.wantValue("messages_total", 10)
	m.wantValue("events_accepted_total", 11)
	m.wantValue("events_rejected_total", 4)
	m.wantValue("messages_missing_total", 0)
	m.wantValue("connected", 1)
}

// What is too large for a request is too large here; where nothing captures dead letters the message is still in its stream.
func TestSourcePassesOverWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	b := startBroker(t, func(o *serverOptions) { o.MaxPayload = 3 << 20 })
	b.events()
	b.publish("events.web", strings.Repeat(" ", 2<<20)+numberedEvent(0))
	b.publish("events.web", numberedEvent(0))
	m := startMachine(t, plan{source: b.url() + "/EVENTS"})
	m.wantRead(b, 1)
	m.wantEachOnce(1)
	m.wantValue("events_rejected_total", 1)
}

// A dead letter that is too large with its headers, for the broker or the stream, does not keep those behind it from being published.
func TestLettersBehindOneThatIsTooLarge(t *testing.T) {
	t.Parallel()
	b := startBroker(t, func(o *serverOptions) { o.MaxPayload = 8 << 10 })
	b.events()
	b.stream(jetstream.StreamConfig{Name: "DEAD", Subjects: []string{RejectedSubject}, MaxMsgSize: 4 << 10})
	for _, size := range []int{8100, 10, 5000, 20} {
		b.publish("events.web", strings.Repeat("x", size))
	}
	b.publish("events.web", numberedEvent(0))
	m := startMachine(t, plan{source: b.url() + "/EVENTS"})
	m.wantRead(b, 1)
	m.wantValue("events_rejected_total", 4)
	var letters []string
	for _, msg := range b.messages("DEAD") {
		letters = append(letters, msg.header.Get("Nudge-Sequence"))
	}
	if text := strings.Join(letters, ", "); text != "2, 4" {
		t.Errorf("there are dead letters of the messages %s, want those of 2, 4", text)
	}
	if !m.logs.has("a dead letter was not published") {
		t.Error("nobody says that others are missing")
	}
}

// A stream that captures what Nudge publishes does not make it read that as events, or its own dead letters for ever.
func TestSourcePassesOverOurOwn(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.stream(jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>", "nudge.>"}})
	m := startMachine(t, plan{source: b.url() + "/EVENTS", sink: b.url()})
	b.publish("events.web", "not an event")
	b.numbered(0, 3)
	m.wantRead(b, 3)
	until(t, "the firings are published", func() bool { return m.value("firings_published_total") == 3 })
	until(t, "all seven messages are passed", func() bool { return b.consumer("nudge").AckFloor.Stream >= 7 })
	m.wantEachOnce(3)
	m.wantValue("events_rejected_total", 1)
	if n := len(b.messages("EVENTS")); n != 7 {
		t.Errorf("the stream has %d messages", n)
	}
}

// A consumer that was used before this data folder says where to begin; one that was made for something else is refused.
func TestSourceAndAConsumerThatIsThere(t *testing.T) {
	t.Parallel()
	b := startBroker(t, nil)
	b.events()
	b.numbered(0, 1)
	b.numbered(1, 2)
	b.numbered(2, 3)
	make := func(name string, change func(*jetstream.ConsumerConfig)) jetstream.Consumer {
		c := jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy}
		change(&c)
		consumer, err := b.admin.js.CreateConsumer(context.Background(), "EVENTS", c)
		if err != nil {
			t.Fatal(err)
		}
		return consumer
	}
	used := make("used", func(*jetstream.ConsumerConfig) {})
	msg, err := used.Next()
	if err == nil {
		err = msg.DoubleAck(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := used.Next(); err != nil { // is delivered, and not acknowledged
		t.Fatal(err)
	}
	m := startMachine(t, plan{source: b.url() + "/EVENTS?consumer=used"})
	m.wantRead(b, 2)
	if got := m.numbers(); got[0] != 0 || got[1] != 1 || got[2] != 1 {
		t.Errorf("read are %v", got)
	}
	m.wantValue("messages_missing_total", 0)
	m.end()

	make("newest", func(c *jetstream.ConsumerConfig) { c.DeliverPolicy = jetstream.DeliverLastPolicy })
	m = startMachine(t, plan{source: b.url() + "/EVENTS?consumer=newest"})
	m.wantRead(b, 1)
	if got := m.numbers(); got[2] != 1 || len(got) != 1 {
		t.Errorf("read are %v", got)
	}
	m.end()

	for name, tt := range map[string]struct {
		change func(*jetstream.ConsumerConfig)
		want   string
	}{
		"filtered": {func(c *jetstream.ConsumerConfig) { c.FilterSubject = "events.web" }, "leaves out subjects"},
		"all":      {func(c *jetstream.ConsumerConfig) { c.AckPolicy = jetstream.AckAllPolicy }, "does not want every message acknowledged"},
	} {
		make(name, tt.change)
		m := startMachine(t, plan{source: b.url() + "/EVENTS?consumer=" + name})
		until(t, "it is said that the consumer "+tt.want, func() bool { return m.logs.has(tt.want + ": delete it") })
		m.end()
	}
	m = startMachine(t, plan{source: b.url() + "/NONE"})
	until(t, "it is said that there is no such stream", func() bool { return m.logs.has("the broker has no stream NONE: make one") })
}
