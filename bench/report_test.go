package bench

import (
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		unit   Unit
		rounds []float64
		want   string
	}{
		{PerSecond, nil, "0"},
		{PerSecond, []float64{5}, "5"},
		{PerSecond, []float64{3000, 1000, 2000}, "2000 (1000 – 3000)"},
		{PerSecond, []float64{4, 1, 3, 2}, "2 (1 – 4)"}, // one that was measured
		{PerSecond, []float64{9_999}, "9999"},
		{PerSecond, []float64{10_000}, "10.0 k"},
		{PerSecond, []float64{1_234_567, 900_000, 2_000_000}, "1.23 (0.90 – 2.00) M"},
		{Micros, []float64{999, 12}, "12 (12 – 999) µs"},
		{Micros, []float64{1500, 1400, 1600}, "1.50 (1.40 – 1.60) ms"},
		{Micros, []float64{2_500_000}, "2.50 s"},
		{Bytes, []float64{211.4, 210.9, 211.3}, "211 B"},
		{Bytes, []float64{3 << 20}, "3072 KiB"},
		{Bytes, []float64{30 << 20}, "30 MiB"},
		{Times, []float64{2.345}, "2.35 ×"},
		{Count, []float64{12}, "12"},
		{Count, []float64{1.8468}, "1.847"},
	} {
		if got := spread(tt.unit, tt.rounds).String(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.rounds, got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	table := Table{Title: "speed", Columns: []string{"events/s", "p50"}}
	table.row("fast", spread(PerSecond, []float64{1e6, 2e6, 3e6}), once(Micros, 7))
	table.row("a slow one", once(PerSecond, 12))
	var b strings.Builder
	table.write(&b)
	want := strings.Join([]string{
		"speed                  events/s   p50",
		"─────────────────────────────────────",
		"fast        2.00 (1.00 – 3.00) M  7 µs",
		"a slow one                    12",
	}, "\n") + "\n"
	if squeeze(b.String()) != squeeze(want) {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	ends := map[int]bool{}
	for line := range strings.Lines(b.String()) {
		ends[len([]rune(strings.TrimRight(line, " \n")))] = true
	}
	if len(ends) != 2 { // the last row lacks its last cell
		t.Errorf("the columns are not aligned:\n%s", b.String())
	}
}

// squeeze makes runs of blanks and of rules one.
func squeeze(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "─", " ")), " ")
}

func TestLatencies(t *testing.T) {
	l := newLatencies()
	for _, d := range []time.Duration{-time.Second, 0, time.Millisecond, 2 * time.Millisecond, time.Hour} {
		l.add(d)
	}
	if l.TotalCount() != 5 {
		t.Errorf("%d of 5 were counted", l.TotalCount())
	}
	if got := l.quantile(50); got != 1000 {
		t.Errorf("median %v µs, want 1000", got)
	}
	if got := l.quantile(100); got < 59_000_000 {
		t.Errorf("the longest is %v µs, want a minute", got)
	}
}
