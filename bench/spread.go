package bench

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Spread is what the rounds measured of one thing.
type Spread struct {
	Median, Min, Max float64
	Unit             Unit
}

// spread takes the median of the rounds; of an even number the lower one, so that it is one that was measured.
func spread(unit Unit, rounds []float64) Spread {
	if len(rounds) == 0 {
		return Spread{Unit: unit}
	}
	s := slices.Sorted(slices.Values(rounds))
	return Spread{Median: s[(len(s)-1)/2], Min: s[0], Max: s[len(s)-1], Unit: unit}
}

// once is a figure that was measured a single time.
func once(unit Unit, v float64) Spread { return Spread{v, v, v, unit} }

// MarshalJSON writes a figure that does not vary as a number, others with their range.
func (s Spread) MarshalJSON() ([]byte, error) {
	if s.Min == s.Max {
		return json.Marshal(s.Median)
	}
	return json.Marshal(struct {
		Median float64 `json:"median"`
		Min    float64 `json:"min"`
		Max    float64 `json:"max"`
	}{s.Median, s.Min, s.Max})
}

// The range of the latencies that are told apart, to three digits.
const (
	shortestLatency = time.Microsecond
	longestLatency  = time.Minute
)

// latencies is a histogram of durations, in microseconds.
type latencies struct{ *hdrhistogram.Histogram }

func newLatencies() latencies {
	return latencies{hdrhistogram.New(1, int64(longestLatency/shortestLatency), 3)}
}

// add counts one latency; what lies outside the range counts as its end.
func (l latencies) add(d time.Duration) {
	_ = l.RecordValue(int64(min(max(d, shortestLatency), longestLatency) / shortestLatency)) // within the range, so there is no error
}

// quantile is a percentile in microseconds.
func (l latencies) quantile(percent float64) float64 { return float64(l.ValueAtQuantile(percent)) }
