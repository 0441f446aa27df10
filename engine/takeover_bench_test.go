package engine

import (
	"fmt"
	"testing"
	"time"

	"nudge"
	"nudge/ingest"
	"nudge/rules"
)

// BenchmarkTakeOver measures what the live record of a new rule costs the applier where the rule knows a million keys: the switch
// itself, the longest of the steps between batches that follow, and all of them together.
func BenchmarkTakeOver(b *testing.B) {
	const keys = 1_000_000
	names := nudge.NewNames()
	plan := func(sources []rules.Source) *rules.Plan {
		p, diags := rules.Compile(sources, rules.Options{Names: names})
		if p == nil {
			b.Fatal(diags.Err())
		}
		return p
	}
	codec := ingest.NewCodec(ingest.CodecOptions{Names: names})
	old := plan(ruleFiles("old", `{per: visitor, when: count(page_view, "30d") >= 20, then: alert("old", {})}`))
	both := plan(ruleFiles(
		"old", `{per: visitor, when: count(page_view, "30d") >= 20, then: alert("old", {})}`,
		"new", `{per: visitor, when: count(page_view and path != "/x", "30d") >= 20, then: alert("new", {})}`))
	for b.Loop() {
		b.StopTimer()
		e, err := New(Options{Names: names, Shards: 2})
		if err != nil {
			b.Fatal(err)
		}
		e.warms = true
		e.Deploy(old)
		var entries []nudge.Entry
		for off := nudge.Offset(1); off <= keys; {
			var buf nudge.RecordBuilder
			entry := nudge.Entry{First: off, At: nudge.Millis(off), Count: 4000}
			var batch Batch
			for range entry.Count {
				from := len(buf.Buf)
				if _, _, err := codec.ReplayEvent(fmt.Appendf(nil, `{"type":"page_view","visitor":"visitor-%d","path":"/a","ts":%d}`, off, off), &buf); err != nil {
					b.Fatal(err)
				}
				batch.Add(off, entry.At, nudge.Record(append([]byte(nil), buf.Buf[from:]...)))
				off++
			}
			entry.Records = buf.Buf
			e.Apply(&batch)
			entries = append(entries, entry)
		}
		e.deployed = e.next
		began := time.Now()
		e.Deploy(both)
		deploy := time.Since(began)
		w := newWarmer(e, 1)
		live := nudge.Entry{First: e.next, At: e.clock, Count: 1, Records: liveRecord{e.deployed, 1}.record()}
		began = time.Now()
		for _, entry := range append(entries, live) {
			if err := w.take(entry, func() error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		read := time.Since(began)
		var batch Batch
		batch.Add(live.First, live.At, live.Records)
		e.Apply(&batch)
		b.StartTimer()
		began = time.Now()
		e.goLive(w)
		switched, longest := time.Since(began), time.Duration(0)
		for done := false; !done; {
			step := time.Now()
			done = e.takeOver(takeOverKeys)
			longest = max(longest, time.Since(step))
		}
		b.ReportMetric(float64(deploy.Milliseconds()), "deploy-ms")
		b.ReportMetric(keys/read.Seconds(), "read-events/s")
		b.ReportMetric(float64(switched.Microseconds()), "switch-µs")
		b.ReportMetric(float64(longest.Microseconds()), "longest-step-µs")
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "all-steps-ms")
	}
}
