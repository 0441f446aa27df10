package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

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
	d := &s.engine.shards[0].dedup
	if d.queue.len() > 1000 || len(d.queue.pages) > 2 {
		t.Errorf("a window of 1000 events holds %d ids in %d pages", d.queue.len(), len(d.queue.pages))
	}
}

// Against a map that keeps everything: whatever ids come, again and again, however far apart in events and time, on either side of every edge of the
// pages and numbers.
func TestDedupAgainstAMap(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := dedup{window: uint64(1 + rng.IntN(20_000))}
		start := uint64(rng.IntN(3)) * (1<<32 - 2*dedupPage) // numbers of entries begin near where their low half does anew
		d.queue.first, d.queue.head, d.queue.tail = start, start, start
		type mark struct {
			ordinal uint64
			at      nudge.Millis
		}
		applied := map[string]mark{}
		ordinal, at := uint64(0), nudge.Millis(1_764_000_000_000)
		ids := 1 + rng.IntN(60_000)
		for range 60_000 {
			switch rng.IntN(2000) {
			case 0:
				at += nudge.Millis(rng.Int64N(int64(dedupAge)))
			case 1:
				at += 60 * dedupAge // further than a page's times reach
			case 2:
				ordinal += 1 << 33
			default:
				at += nudge.Millis(rng.IntN(3))
				ordinal += uint64(1 + rng.IntN(3))
			}
			id := fmt.Sprint(rng.IntN(ids))
			m, was := applied[id]
			want := was && ordinal-m.ordinal < d.window && at-m.at < dedupAge
			if got := d.seen(7, nudge.HashID(7, id), ordinal, at); got != want {
				t.Fatalf("seed %d: %s at %d: seen %v, want %v (last applied %+v)", seed, id, ordinal, got, want, m)
			}
			if !want {
				applied[id] = mark{ordinal, at}
			}
		}
		used := 0
		for i := range d.index.parts {
			used += d.index.parts[i].used
		}
		if used != d.queue.len() {
			t.Errorf("seed %d: the index holds %d ids, the queue %d", seed, used, d.queue.len())
		}
	}
}

// TestDedupWindowGrows: a window whose numbers need more room in the index than the one before forgets nothing, and the other way round.
func TestDedupWindowGrows(t *testing.T) {
	d := dedup{}
	d.setWindow(20_000)
	n := uint64(0)
	for _, window := range []uint64{20_000, 1 << 26, 1 << 40, 30_000} {
		d.setWindow(window)
		for range 10_000 {
			if d.seen(7, nudge.HashID(7, fmt.Sprint(n)), n, 0) {
				t.Fatalf("window %d: id %d was not there before", window, n)
			}
			n++
		}
		for i := n - 10_000; i < n; i++ {
			if !d.seen(7, nudge.HashID(7, fmt.Sprint(i)), n, 0) {
				t.Fatalf("window %d: id %d of %d is forgotten", window, i, n)
			}
		}
	}
	if got, want := d.index.low, lowFor(1<<40); got != want {
		t.Errorf("the index has %d bits for a number, want %d", got, want)
	}
}

// What an id takes in memory stays below what is stated.
func TestDedupMemory(t *testing.T) {
	d := dedup{window: 1 << 40}
	const n = 400_000
	for i := range uint64(n) {
		d.seen(7, nudge.HashID(7, fmt.Sprint(i)), i, nudge.Millis(i))
	}
	bytes := len(d.queue.pages) * int(unsafe.Sizeof(idPage{}))
	for i := range d.index.parts {
		bytes += len(d.index.parts[i].buckets) * int(unsafe.Sizeof(idBucket{}))
	}
	if bytes > n*DedupBytesMost {
		t.Errorf("%d ids take %d bytes, %.1f each; at most %d are stated", n, bytes, float64(bytes)/n, DedupBytesMost)
	}
}

// The reach is the age of the oldest id that is remembered: as old as the node at first, then as far as the window goes, in events or in time.
func TestDedupReach(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	s := newSingle(t, Options{Shards: 3, DedupEvents: 10}, everyView)
	want := func(what string, ids int, age nudge.Millis) {
		t.Helper()
		if gotIDs, gotAge := s.engine.dedupReach(); gotIDs != ids || gotAge != age {
			t.Errorf("%s: %d ids, %d ms; want %d, %d ms", what, gotIDs, gotAge, ids, age)
		}
	}
	want("at first", 0, 0)
	for i := range nudge.Millis(15) {
		s.take(1000+i*100, fmt.Sprintf(`{"type":"page_view","visitor":"v%d","id":"i"}`, i))
		if i < 9 {
			want("young", int(i)+1, i*100)
		}
	}
	want("ten events, of which the next one pushes one out", 9, 800)
	s.take(2400+day-500, `{"type":"click","visitor":"w"}`)
	want("a day later", 5, day-100)
}

// What a checkpoint has of the ids is what was remembered when it began and no checkpoint had yet, whatever is applied, and goes, before they are all
// serialised.
func TestDedupFrozen(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	lost := 0
	for range 30 {
		d := dedup{window: 1 + rng.Uint64N(3*dedupPage)}
		var ordinal uint64
		apply := func(n int) {
			for range n {
				ordinal += 1 + rng.Uint64N(2)
				d.seen(nudge.KeyHash(ordinal<<52), ordinal*7919, ordinal, nudge.Millis(ordinal))
			}
		}
		saved := uint64(0) // the newest ordinal in a checkpoint
		for range 1 + rng.IntN(5) {
			apply(rng.IntN(3 * dedupPage))
			var want []byte
			for n := d.queue.head; n < d.queue.tail; n = d.queue.after(n) {
				if m := d.queue.at(n); m.ordinal > saved {
					want = m.append(want)
				}
			}
			saved = ordinal
			d.freeze()
			frozen := d.queue.head
			for !d.serialise(rng.IntN(dedupPage)) {
				apply(rng.IntN(dedupPage))
			}
			if d.queue.head > frozen {
				lost++
			}
			var got []byte
			for _, r := range d.take(3) {
				got = append(got, r.value...)
				newest := r.value[len(r.value)-dedupEntryBytes:]
				if key := fmt.Appendf(nil, "%c%s\x00\x03", tableDedup, bigEndian(newest[dedupOrdinal:][:8])); string(r.key) != string(key) {
					t.Fatalf("the row's key is %q, want %q", r.key, key)
				}
			}
			if string(got) != string(want) {
				t.Fatalf("%d bytes of ids, want %d", len(got), len(want))
			}
		}
	}
	if lost == 0 {
		t.Error("no frozen id left the window before it was serialised: this tests too little")
	}
}

func bigEndian(little []byte) []byte {
	b := slices.Clone(little)
	slices.Reverse(b)
	return b
}
