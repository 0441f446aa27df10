package engine

import (
	"encoding/binary"
	"math"

	"nudge"
	"nudge/rules"
)

// The slot of OpSince is that of OpFirst: i64 the newest time of a matching event.

// sinceReading is how many seconds ago the newest event was.
func sinceReading(slot []byte, at nudge.Millis) rules.Reading {
	return rules.Reading{N: float64(at-sinceNewest(slot)) / 1000}
}

func sinceNewest(slot []byte) nudge.Millis { return nudge.Millis(binary.LittleEndian.Uint64(slot)) }

// marks are how many ms after the newest event since has reached a number of seconds, and has passed it.
type marks struct{ reached, passed nudge.Millis }

// maxMark bounds the seconds that a timer is set for: beyond it, some 30,000 years, it never comes.
const maxMark = 1e12

func sinceMarks(seconds float64) marks {
	if !(seconds >= 0 && seconds <= maxMark) { // since is never below 0
		return marks{never, never}
	}
	m := nudge.Millis(math.Ceil(seconds * 1000))
	for float64(m-1)/1000 >= seconds { // the product may be a bit off
		m--
	}
	for float64(m)/1000 < seconds {
		m++
	}
	if float64(m)/1000 > seconds {
		return marks{m, m}
	}
	return marks{m, m + 1}
}

// next is the first instant after now at which the mark is reached or passed.
func (m marks) next(slot []byte, now nudge.Millis) nudge.Millis {
	newest := sinceNewest(slot)
	switch {
	case m.reached == never:
		return never
	case newest+m.reached > now:
		return newest + m.reached
	case newest+m.passed > now:
		return newest + m.passed
	}
	return never
}
