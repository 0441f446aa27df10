package engine

import (
	"fmt"
	"testing"
	"time"

	"nudge"
	"nudge/ingest"
	"nudge/rules"
)

// BenchmarkErase measures how long an erase record stops the rules where they know a million visitors, all of them users of 20,000 companies.
func BenchmarkErase(b *testing.B) {
	const visitors, companies = 1_000_000, 20_000
	names := nudge.NewNames()
	plan, diags := rules.Compile(ruleFiles(
		"often", `{per: visitor, when: count(page_view, "30d") >= 20, then: alert("often", {})}`,
		"waits", `{per: user, when: absent(page_view, "30d", after(page_view)), then: alert("gone", {u: user})}`,
		"people", `{per: company, when: distinct(page_view, user, "7d") >= 90, then: alert("people", {who: values(page_view, user, "7d")})}`),
		rules.Options{Names: names})
	if plan == nil {
		b.Fatal(diags.Err())
	}
	e, err := New(Options{Names: names, Shards: 2})
	if err != nil {
		b.Fatal(err)
	}
	e.Deploy(plan)
	codec := ingest.NewCodec(ingest.CodecOptions{Names: names})
	for off := nudge.Offset(1); off <= visitors; {
		var batch Batch
		for range 4000 {
			var buf nudge.RecordBuilder
			line := fmt.Appendf(nil, `{"type":"page_view","visitor":"visitor-%d","user":"user-%d","company":"c%d.example","ts":%d}`, off, off, off%companies, off)
			if _, _, err := codec.ReplayEvent(line, &buf); err != nil {
				b.Fatal(err)
			}
			batch.Add(off, nudge.Millis(off), buf.Buf)
			off++
		}
		e.Apply(&batch)
	}
	next := 0
	for _, kind := range []string{"visitor", "user"} {
		b.Run("kind="+kind, func(b *testing.B) {
			longest := time.Duration(0)
			for b.Loop() {
				next += 7
				began := time.Now()
				x := eraseNow(b, e, kind, fmt.Sprintf("%s-%d", kind, next))
				longest = max(longest, time.Since(began))
				if x.counts.Visitors != 1 {
					b.Fatalf("erased %+v", x.counts)
				}
			}
			b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
		})
	}
}
