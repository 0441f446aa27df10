package engine

import (
	"encoding/binary"

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

// isMet says whether the need of a key is met at an instant, by what the operator's slot has; nil: the key has none. It is of no pulse.
func (n *need) isMet(g *program, slot []byte, at nudge.Millis) bool {
	switch {
	case slot == nil:
		return false
	case n.kind == rules.OpTotal:
		return readTotal(slot) >= uint64(n.atLeast)
	case int(binary.LittleEndian.Uint16(slot)) < n.atLeast: // entries of a ring as of a set, expired or not
		return false
	case n.window == rules.Ever && g.floors == nil:
		return true
	}
	expired, newest := g.above(n.num, expiredIn(n.kind, n.window, at)), nudge.Millis(0)
	if n.kind == rules.OpDistinct {
		newest = distinctSet(slot).newest(n.atLeast)
	} else {
		newest = ring(slot).newest(n.atLeast)
	}
	return newest > expired
}

// findOpenPlain is what findOpen does with plain rules; needs are theirs. As an event adds one entry at most to what is kept, it makes no rule true
// where more than one is lacking of the first need that is not met.
func (w *scratch) findOpenPlain(f *focus, needs []plainNeed, at nudge.Millis) {
	decided := int32(-1)
	for i := range needs {
		n := &needs[i]
		if n.asked == decided {
			continue
		}
		if lacking := n.lacking(f, at); lacking > 0 {
			decided = n.asked
			if lacking == 1 {
				w.open = append(w.open, n.asked)
			}
		}
	}
}

// lacking is how many events it takes, at least, until a need of a plain rule is met. Most events ask for several: so it is isMet with nothing called and
// no slice made.
func (n *need) lacking(f *focus, at nudge.Millis) int {
	num := int(n.num)
	if num >= len(f.places) {
		return n.atLeast
	}
	p := f.places[num]
	if !p.isOf(f.mark) {
		return n.atLeast
	}
	rec, from, to := f.rec, p.from(), p.to()
	head := binary.LittleEndian.Uint64(rec[from : from+8 : from+8]) // of a total all of it; a ring's and a set's are alike: see there
	if n.kind == rules.OpTotal {
		return n.atLeast - int(min(head, uint64(n.atLeast)))
	}
	if kept := int(head & mostNarrow); kept < n.atLeast {
		return n.atLeast - kept
	}
	if n.kind == rules.OpDistinct {
		from += distinctEntry*(int(uint32(head)>>distinctHeadShift)+n.atLeast-1) + 16
	} else {
		from += 8 * (int(head>>16&mostNarrow) + int(head&mostNarrow) - n.atLeast)
	}
	if from += ringHeader; from >= to {
		from -= to - p.from() - ringHeader
	}
	if timeAt(rec, from) <= expiredIn(n.kind, n.window, at) {
		return 1
	}
	return 0
}

// areMet says whether all needs of a conjunction are met.
func (f *focus) areMet(w *scratch, g *program, needs []need, at nudge.Millis) bool {
	for i := range needs {
		if n := &needs[i]; n.pulse {
			if !w.pulsed(int(n.num), n.window) {
				return false
			}
		} else if !n.isMet(g, f.slot(n.num), at) {
			return false
		}
	}
	return true
}
