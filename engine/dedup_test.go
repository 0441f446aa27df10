package engine

import (
	"fmt"
	"testing"

	"nudge"
	"nudge/ingest"
	"nudge/rules"
)

// single is an engine that takes one line at a time.
type single struct {
	testing.TB
	engine *Engine
	codec  *ingest.Codec
	off    nudge.Offset
}

func newSingle(t testing.TB, o Options, rule string) *single {
	o.Names = nudge.NewNames()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	plan, diags := rules.Compile([]rules.Source{{File: "r.expr", Text: rule}}, rules.Options{Names: o.Names})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	e.Deploy(plan)
	return &single{TB: t, engine: e, codec: ingest.NewCodec(ingest.CodecOptions{Names: o.Names})}
}

// take applies a line and returns how often rules fired.
func (s *single) take(at nudge.Millis, line string) int {
	s.Helper()
	var rb nudge.RecordBuilder
	if _, _, err := s.codec.ReplayEvent([]byte(line), &rb); err != nil {
		s.Fatal(err)
	}
	var b Batch
	s.off++
	b.Add(s.off, at, nudge.Record(rb.Buf))
	return len(s.engine.Apply(&b))
}

const everyView = `{per: visitor, when: on(page_view), then: alert("x")}`

func TestDedupWindowEdges(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	for _, c := range []struct {
		between int          // events between the two
		after   nudge.Millis // time between the two
		want    int
	}{
		{8, 1000, 0}, {9, 1000, 1}, {0, day - 1, 0}, {0, day, 1},
	} {
		s := newSingle(t, Options{Shards: 3, DedupEvents: 10}, everyView)
		s.take(1000, `{"type":"page_view","visitor":"a","id":"same"}`)
		for i := range c.between {
			s.take(1000, fmt.Sprintf(`{"type":"click","visitor":"w%d"}`, i))
		}
		if got := s.take(1000+c.after, `{"type":"page_view","visitor":"a","id":"same"}`); got != c.want {
			t.Errorf("%d events and %d ms later the same id fired %d times, want %d", c.between, c.after, got, c.want)
		}
	}
}

// TestDedupForgetsByTheWindowOfThen: a deployment that widens the window does not bring back what the old one had forgotten, on
// any number of shards (I2).
func TestDedupForgetsByTheWindowOfThen(t *testing.T) {
	for shards := 1; shards <= 64; shards *= 4 {
		s := newSingle(t, Options{Shards: shards, DedupEvents: 10}, everyView)
		s.take(1000, `{"type":"page_view","visitor":"a","id":"same"}`)
		for i := range 20 {
			s.take(2000, fmt.Sprintf(`{"type":"page_view","visitor":"w","id":"i%d"}`, i))
		}
		wider := s.engine.settings
		wider.DedupEvents = 1000
		s.engine.use(wider)
		if s.take(3000, `{"type":"page_view","visitor":"a","id":"same"}`) != 1 {
			t.Errorf("%d shards: an id that was forgotten is a duplicate again", shards)
		}
	}
}

func TestDedupQueueIsBounded(t *testing.T) {
	s := newSingle(t, Options{Shards: 1, DedupEvents: 1000}, everyView)
	for i := range 30_000 {
		s.take(1000, fmt.Sprintf(`{"type":"click","visitor":"v","id":"i%d"}`, i))
	}
	if d := &s.engine.shards[0].dedup; len(d.queue) > 10_000 || len(d.seenAt) > 1000 {
		t.Errorf("a window of 1000 events holds %d entries and %d ids", len(d.queue), len(d.seenAt))
	}
}
