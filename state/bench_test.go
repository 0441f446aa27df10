package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// clicks makes an entry of events as a site sends them: two UUIDs, a path of a few hundred, a number.
func clicks(b *builder, rng *rand.Rand, first nudge.Offset, at nudge.Millis, count int) nudge.Entry {
	b.rb.Buf = b.rb.Buf[:0]
	typ, _ := b.names.Intern("page_view")
	price, _ := b.names.Intern("price")
	for range count {
		visitor := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rng.Uint32(), rng.Uint32N(1<<16), rng.Uint32N(1<<12), rng.Uint32N(1<<12), rng.Uint64N(1<<48))
		b.rb.Begin(nudge.RecordEvent, typ)
		b.rb.Ts(at)
		b.rb.Text(nudge.NameID_, fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rng.Uint32(), rng.Uint32N(1<<16), rng.Uint32N(1<<12), rng.Uint32N(1<<12), rng.Uint64N(1<<48)))
		b.rb.Text(nudge.NameVisitor, visitor)
		b.rb.Text(nudge.NameURL, fmt.Sprintf("https://shop.example/products/%d?ref=mail", rng.IntN(300)))
		b.rb.Number(price, float64(rng.IntN(10000))/100)
		b.rb.End(nudge.HashKey("visitor", visitor))
	}
	return nudge.Entry{First: first, At: at, Count: count, Records: b.rb.Buf}
}

func benchLog(b *testing.B, segmentBytes int64) (*Log, *builder) {
	names := nudge.NewNames()
	d, err := Open(b.TempDir(), Options{Names: names, SegmentBytes: segmentBytes})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d.Log, &builder{names: names}
}

// BenchmarkAppend appends to a log on the real disk. An operation is one entry; sync=true is what the sequencer does per batch.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, batch := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("sync=%v/batch=%d", sync, batch), func(b *testing.B) { benchAppend(b, sync, batch) })
		}
	}
}

func benchAppend(b *testing.B, sync bool, batch int) {
	l, build := benchLog(b, 0)
	e := clicks(build, rand.New(rand.NewPCG(1, 1)), 1, 1, batch)
	b.ReportAllocs()
	b.SetBytes(int64(len(e.Records)))
	before := l.Bytes()
	for b.Loop() {
		e.First = l.Next()
		if err := l.Append(e); err != nil {
			b.Fatal(err)
		}
		if !sync { // what Append would do next time; the cost of the disk is left out
			l.mu.Lock()
			l.synced = l.appended
			l.mu.Unlock()
		} else if err := l.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	events := float64(b.N * batch)
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(l.Bytes()-before)/events, "logB/event")
}

// BenchmarkRead reads a log of 200,000 events. An operation is one event.
func BenchmarkRead(b *testing.B) {
	for _, batch := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			const events = 200_000
			l, build := benchLog(b, 8<<20)
			rng := rand.New(rand.NewPCG(1, 1))
			bytes := 0
			for range events / batch {
				e := clicks(build, rng, l.Next(), 1, batch)
				bytes += len(e.Records)
				if err := l.Append(e); err != nil {
					b.Fatal(err)
				}
				l.mu.Lock()
				l.synced = l.appended
				l.mu.Unlock()
			}
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for n < b.N {
				if err := l.Read(0, func(e nudge.Entry) error { n += e.Count; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(bytes / events))
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
		})
	}
}

// BenchmarkRewrite writes a sealed segment of 200,000 events, logged in batches, anew: read, written, read back. An operation is one event.
func BenchmarkRewrite(b *testing.B) {
	for _, batch := range []int{1, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			const events = 200_000
			l, build := benchLog(b, 64<<20)
			rng := rand.New(rand.NewPCG(1, 1))
			for range events / batch {
				if err := l.Append(clicks(build, rng, l.Next(), 1, batch)); err != nil {
					b.Fatal(err)
				}
				l.mu.Lock()
				l.synced = l.appended
				l.mu.Unlock()
			}
			var r RewriteReport
			n := 0
			b.ResetTimer()
			for ; n < b.N; n += events {
				var err error
				drop := func(off nudge.Offset, _ nudge.Record) bool { return off == nudge.Offset(1+n/events) } // or once would be enough
				if r, err = l.Rewrite(b.Context(), RewriteOptions{Hurry: true, Through: events, Drop: drop}); err != nil || r.Segments == 0 {
					b.Fatal(r, err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(r.After)/events, "B/event")
		})
	}
}

// Appending allocates nothing once the buffers have grown and the names are known.
func TestAppendDoesNotAllocate(t *testing.T) {
	for _, count := range []int{1, 500} {
		tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 16 << 20})
		e := clicks(&tl.build, rand.New(rand.NewPCG(1, 1)), 1, 1, count)
		one := func() {
			e.First = tl.Log.Next()
			if err := tl.Log.Append(e); err != nil {
				t.Fatal(err)
			}
			tl.Log.mu.Lock()
			tl.Log.synced = tl.Log.appended // the memory file system's sync allocates
			tl.Log.mu.Unlock()
		}
		one()
		if n := testing.AllocsPerRun(20, one); n >= 1 {
			t.Errorf("%d records: %v allocations per append", count, n)
		}
	}
}
