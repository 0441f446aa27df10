package ingest

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nudge"
)

// The edges of the gate: few are always let in; more only while the oldest has not waited too long, in requests or in bytes; and never more than the most.
func TestGateEdges(t *testing.T) {
	start := time.Unix(1764000000, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	small := func() *gate { return &gate{wait: 50 * time.Millisecond, free: 3, freeBytes: 100, most: 6} }

	g := small()
	var inside []*ticket
	for i := range 3 {
		if inside = append(inside, g.enter(at(i*1000), 1)); inside[i] == nil {
			t.Fatalf("request %d of the few is refused", i)
		}
	}
	if g.enter(at(3000), 1) != nil {
		t.Error("a fourth is let in though the oldest has waited for 3 s")
	}
	g.leave(inside[0])
	g.leave(inside[2]) // not in the order of coming
	if inside[0] = g.enter(at(3000), 1); inside[0] == nil {
		t.Error("a third is refused")
	}
	g.leave(inside[1])
	inside[1], inside[2] = g.enter(at(3050), 1), g.enter(at(3050), 1)
	if g.enter(at(3050), 1) == nil {
		t.Error("a fourth is refused though the oldest has waited for 50 ms only")
	}
	if g.enter(at(3051), 1) != nil {
		t.Error("a fifth is let in though the oldest has waited for 51 ms")
	}

	g = small()
	for range 6 {
		if g.enter(at(0), 1) == nil {
			t.Fatal("one of the most is refused")
		}
	}
	if g.enter(at(0), 1) != nil {
		t.Error("one more than the most is let in")
	}

	g = small()
	large := g.enter(at(0), 100)
	if g.enter(at(51), 1) != nil {
		t.Error("a second is let in beside a large one that has waited for 51 ms")
	}
	g.leave(large)
	if g.enter(at(51), 1) == nil || g.bytes != 1 || g.inside != 1 {
		t.Errorf("%d inside with %d bytes", g.inside, g.bytes)
	}
}

// However requests come and go, the gate knows the oldest and how many there are.
func TestGateKeepsOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	g := &gate{wait: time.Hour, free: 1 << 20, freeBytes: 1 << 30, most: 1 << 20}
	var inside []*ticket
	now := time.Unix(1764000000, 0)
	for range 20_000 {
		now = now.Add(time.Duration(rng.IntN(3)) * time.Millisecond)
		if len(inside) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(inside))
			g.leave(inside[i])
			inside = append(inside[:i], inside[i+1:]...)
		} else {
			inside = append(inside, g.enter(now, 1))
		}
		if g.inside != len(inside) || g.bytes != len(inside) || len(inside) > 0 && (g.oldest != inside[0] || g.newest != inside[len(inside)-1]) {
			t.Fatalf("%d inside, want %d, or the oldest or newest is another", g.inside, len(inside))
		}
	}
}

// heldSink holds what is submitted until it is let go.
type heldSink struct {
	held    chan struct{}
	waiting sync.WaitGroup
}

func (s *heldSink) Submit(context.Context, []byte, int, bool) ([]nudge.Firing, error) {
	s.waiting.Done()
	<-s.held
	return nil, nil
}

// A server whose requests are not answered refuses the next ones with 429, says when to come again, and lets them in once it has answered.
func TestOverload(t *testing.T) {
	sink := &heldSink{held: make(chan struct{})}
	registry := prometheus.NewRegistry()
	r := newRig(t, func(o *ServerOptions) { o.Sink, o.Registerer = sink, registry })
	r.srv.gate = &gate{wait: -1, free: 3, freeBytes: 1 << 20, most: 100} // beyond three, any age is too old
	const event = `{"type":"a","visitor":"v"}`
	sink.waiting.Add(3)
	answers := make(chan reply, 3)
	for range 3 {
		go func() { answers <- r.post("/v1/events", event) }()
	}
	sink.waiting.Wait()
	for _, path := range []string{"/v1/events", "/v1/events?decide=1", "/v1/track"} {
		a := r.post(path, event)
		a.wantError(t, 429, "busy", "")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: 429 without Retry-After", path)
		}
	}
	if a := r.do("GET", "/healthz", ""); a.status != 200 {
		t.Errorf("/healthz answers %d meanwhile", a.status)
	}
	close(sink.held)
	for range 3 {
		a := <-answers
		a.want(t, 200, `{"accepted":1}`)
	}
	sink.waiting.Add(1)
	r.post("/v1/events", event).want(t, 200, `{"accepted":1}`)
	r.post("/v1/events", "not json").wantError(t, 400, "bad_body", "") // leaves the gate too
	if n := r.srv.gate.count(); n != 0 {
		t.Errorf("%v requests are still inside", n)
	}
	if n := counted(t, registry, "nudge_ingest_overload_total"); n != 3 {
		t.Errorf("%v requests are counted as refused, want 3", n)
	}
}

// counted is the value of a counter without labels.
func counted(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
