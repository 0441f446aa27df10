package rules

import "nudge"

// manyBytes is what a comparison keeps per key at most before that is worth a warning.
const manyBytes = 32 << 10

// warnMemory says which operators keep much, or look back further than the engine's log, if its retention is known.
func (r *rule) warnMemory(retention nudge.Millis) {
	r.eachAsk(func(a *ask) {
		if n := a.bytes(a.keep); a.kept() && n > manyBytes {
			r.warnf(a.at, "a smaller number, if it may be", "comparing with %s keeps up to %d entries per key (%s)", numberText(a.threshold), a.keep, sizeText(n))
		}
		if retention > 0 && a.window > retention && a.window != Ever && a.kind != OpScore {
			r.warnf(a.at, "", "`%s` needs %s of the past, but the log is kept for %s only: a new rule knows less at first", a.name, durationText(a.window), durationText(retention))
		}
	})
}

// kept says whether a keeps entries, so many as its comparison needs.
func (a *ask) kept() bool { return a.keep > 0 && (a.kind == OpCount || a.kind == OpDistinct) }
