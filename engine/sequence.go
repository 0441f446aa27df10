package engine

import (
	"encoding/binary"

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

// arrive puts a partial at step i, unless one stands there whose first event is newer.
func (q sequence) arrive(i int, first, newest nudge.Millis) {
	if q.stands(i) && first < q.first(i) {
		return
	}
	binary.LittleEndian.PutUint64(q, q.standing()|1<<i)
	binary.LittleEndian.PutUint64(q.partial(i), uint64(first))
	binary.LittleEndian.PutUint64(q.partial(i)[8:], uint64(newest))
}

func (q sequence) remove(i int) {
	binary.LittleEndian.PutUint64(q, q.standing()&^(1<<i))
	clear(q.partial(i))
}

// advance takes an event through the steps and the nos that it matched, and says whether the sequence is complete. From the last step to
// the first, so that an event never serves two steps of one match; at each step what continues it comes before what removes it, and that
// before what arrives there. A late event starts and completes nothing.
func (q sequence) advance(steps []rules.Step, roles role, ts, window nudge.Millis, late bool) bool {
	last := len(steps) - 1
	for i := last - 1; i >= 0; i-- {
		if roles&stepRole(i+1) != 0 && q.extends(i, ts, window) {
			if i+1 < last {
				q.arrive(i+1, q.first(i), ts)
			} else if !late {
				clear(q)
				return true
			}
		}
		if roles&noRole(i) != 0 && q.stands(i) && ts >= q.newest(i) {
			q.remove(i)
		}
	}
	if roles&stepRole(0) != 0 && !late {
		q.arrive(0, ts, ts)
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
