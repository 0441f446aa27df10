package engine

import (
	"encoding/binary"
	"testing"

	"nudge"
)

// BenchmarkDedup notes an id that is new while as many are remembered as may be, so that one is forgotten for it.
func BenchmarkDedup(b *testing.B) {
	d := dedup{window: DefaultDedupEvents}
	var id [8]byte
	var prints [lookAhead]uint64
	n, sum := uint64(0), 0
	take := func(count int) {
		for j := range count {
			binary.LittleEndian.PutUint64(id[:], n+uint64(j))
			prints[j] = nudge.HashID(1, string(id[:]))
			sum += d.near(prints[j], j)
		}
		for j := range count {
			if d.seen(1, prints[j], n, nudge.Millis(n/1000)) {
				b.Fatalf("id %d was not there before", n)
			}
			n++
		}
	}
	for n < DefaultDedupEvents {
		take(lookAhead)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= lookAhead {
		take(min(left, lookAhead))
	}
}
