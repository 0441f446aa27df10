package bench

import (
	"math/rand/v2"

	"nudge"
)

// The workload "late": the site, the visitors and the rules of "six", but one event in five comes later than it happened: most of them within the
// lateness that rules wait for by default, an hour, and one in fifty beyond.
const (
	lateShare  = 18 // in a hundred: late, within the lateness
	lateBeyond = 2  // in a hundred: later than that

	lateMost       = 55 * 60 * second // of the former
	lateBeyondFrom = 61 * 60 * second
	lateBeyondMost = 2 * day
)

var late = &workload{
	name: "late", rules: sixRules, visitors: sixVisitors, identified: sixIdentified, companies: sixCompanies, hand: newLateHand, delay: lateDelay,
}

// lateDelay is how much later an event comes than it happened.
func lateDelay(r *rand.Rand) nudge.Millis {
	switch n := r.IntN(100); {
	case n < lateShare:
		return 1 + nudge.Millis(r.Int64N(int64(lateMost)))
	case n < lateShare+lateBeyond:
		return lateBeyondFrom + nudge.Millis(r.Int64N(int64(lateBeyondMost-lateBeyondFrom)))
	}
	return 0
}
