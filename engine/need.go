package engine

import (
	"encoding/binary"
	"math"

	"nudge"
	"nudge/rules"
)

// need is a use of a conjunction (rules.Cond.All), with what deciding it takes of the operator.
type need struct {
	window  nudge.Millis
	atLeast int
	num     uint32 // of the operator's slot; of a pulse the operator itself
	kind    rules.OpKind
	pulse   bool
}

// lack is how far a need is from being met.
type lack uint8

const (
	lackNone lack = iota
	lackOne       // one event may be enough
	lackMore      // it takes more than one event
)

// lacks says how far the need of a key is from being met at an instant, by what the operator's slot has; nil: the key has none. It is of no pulse.
func (n *need) lacks(g *program, slot []byte, at nudge.Millis) lack {
	switch {
	case slot == nil:
		return n.lacksWith(0)
	case n.kind == rules.OpTotal:
		return n.lacksWith(int(min(readTotal(slot), math.MaxInt)))
	}
	if kept := int(binary.LittleEndian.Uint16(slot)); kept < n.atLeast { // entries of a ring as of a set, expired or not
		return n.lacksWith(kept)
	}
	if n.window == rules.Ever && g.floors == nil {
		return lackNone
	}
	expired, newest := g.above(n.num, expiredIn(n.kind, n.window, at)), nudge.Millis(0)
	if n.kind == rules.OpDistinct {
		newest = distinctSet(slot).newest(n.atLeast)
	} else {
		newest = ring(slot).newest(n.atLeast)
	}
	if newest > expired {
		return lackNone
	}
	return lackOne
}

// lacksWith is lacks where there are so many that have not expired.
func (n *need) lacksWith(kept int) lack {
	switch {
	case kept >= n.atLeast:
		return lackNone
	case kept+1 == n.atLeast:
		return lackOne
	}
	return lackMore
}

// isOpen says whether a conjunction without pulses is false, and one event may make it true. As that adds one entry at most to what is kept, it does
// not where more than one is lacking of the first need that is not met.
func (f *focus) isOpen(g *program, needs []need, at nudge.Millis) bool {
	for i := range needs {
		if lack := needs[i].lacks(g, f.slot(needs[i].num), at); lack != lackNone {
			return lack == lackOne
		}
	}
	return false
}

// areMet says whether all needs of a conjunction are met.
func (f *focus) areMet(w *scratch, g *program, needs []need, at nudge.Millis) bool {
	for i := range needs {
		if n := &needs[i]; n.pulse {
			if !w.pulsed(int(n.num), n.window) {
				return false
			}
		} else if n.lacks(g, f.slot(n.num), at) != lackNone {
			return false
		}
	}
	return true
}
