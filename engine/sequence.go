package engine

import (
	"encoding/binary"
	"math/bits"

	"nudge"
	"nudge/rules"
)

// sequence is the slot of OpSequence: one partial match for each step but the last.
//
//	0 u64 steps whose partial stands, one bit each · 8 for each step: i64 time of the partial's first event, i64 of its newest
//
// A partial that is removed is zero, so that equal states are equal bytes.
type sequence []byte

const (
	sequenceHeader = 8
	partialBytes   = 16
)

func (q sequence) standing() uint64  { return binary.LittleEndian.Uint64(q) }
func (q sequence) stands(i int) bool { return q.standing()&(1<<i) != 0 }
func (q sequence) partial(i int) []byte {
	return q[sequenceHeader+partialBytes*i:][:partialBytes]
}

func (q sequence) first(i int) nudge.Millis {
	return nudge.Millis(binary.LittleEndian.Uint64(q.partial(i)))
}

func (q sequence) newest(i int) nudge.Millis {
	return nudge.Millis(binary.LittleEndian.Uint64(q.partial(i)[8:]))
}

// extends says whether an event continues the partial at step i.
func (q sequence) extends(i int, ts, window nudge.Millis) bool {
	return q.stands(i) && ts >= q.newest(i) && ts-q.first(i) < window
}

// arrive puts a partial at step i, unless one stands there whose first event is newer, and says which step it has created, as a bit.
func (q sequence) arrive(i int, first, newest nudge.Millis) uint64 {
	if q.stands(i) && first < q.first(i) {
		return 0
	}
	binary.LittleEndian.PutUint64(q, q.standing()|1<<i)
	binary.LittleEndian.PutUint64(q.partial(i), uint64(first))
	binary.LittleEndian.PutUint64(q.partial(i)[8:], uint64(newest))
	return 1 << i
}

func (q sequence) remove(i int) {
	binary.LittleEndian.PutUint64(q, q.standing()&^(1<<i))
	clear(q.partial(i))
}

// vacant says whether no partial can become complete any more: an event that completes one is no history, and comes within the window. by is an
// instant one window before the oldest such event.
func (q sequence) vacant(by nudge.Millis) bool {
	for left := q.standing(); left != 0; left &= left - 1 {
		if q.first(bits.TrailingZeros64(left)) > by {
			return false
		}
	}
	return true
}

// merge takes another key's partials in: at each step the one whose first event is newer stays, on a tie the other key's.
func (q sequence) merge(src sequence, partials int) {
	for i := range partials {
		if src.stands(i) {
			q.arrive(i, src.first(i), src.newest(i))
		}
	}
}

// advance takes an event through the steps and the nos that it matched, and says whether the sequence is complete. From the last step to
// the first, so that an event never serves two steps of one match; then what must not come removes what the event has not just created.
// A late event starts and completes nothing.
func (q sequence) advance(steps []rules.Step, roles role, ts, window nudge.Millis, late bool) bool {
	last, created := len(steps)-1, uint64(0)
	for i := last; i > 0; i-- {
		if roles&stepRole(i) == 0 || !q.extends(i-1, ts, window) {
			continue
		}
		if i < last {
			created |= q.arrive(i, q.first(i-1), ts)
		} else if !late {
			clear(q)
			return true
		}
	}
	if roles&stepRole(0) != 0 && !late {
		created |= q.arrive(0, ts, ts)
	}
	for i := range last {
		if roles&noRole(i) != 0 && q.stands(i) && created&(1<<i) == 0 && ts >= q.newest(i) {
			q.remove(i)
		}
	}
	return false
}

// advanceSequence lets an event advance the key's partials, and says whether it completes the sequence. A key that has none is not
// touched until one starts.
func (s *shard) advanceSequence(k *keyRef, num uint32, op *rules.Op, roles role, ts nudge.Millis, late bool) bool {
	if k.t.slot(k.i, num) == nil && (late || roles&stepRole(0) == 0) {
		return false
	}
	s.ensure(k)
	q := sequence(k.t.slot(k.i, num))
	if q == nil {
		q = sequence(k.t.grow(k.i, num, sequenceHeader+partialBytes*(len(op.Steps)-1)))
	}
	return q.advance(op.Steps, roles, ts, op.Window, late)
}
