package engine

import "nudge"

// timerHeap is a 4-ary heap of due times: shallower than a binary one, and children share a cache line. The order
// among equal due times does not matter to any answer: keys do not see each other on a level, and firings are sorted by path.
type timerHeap []timer

type timer struct {
	due   nudge.Millis
	entry uint32
}

// due counts the timers at and below i that are due by then, up to limit. None is due before the one above it.
func (h timerHeap) due(i int, until nudge.Millis, limit int) int {
	if i >= len(h) || limit <= 0 || h[i].due > until {
		return 0
	}
	n := 1
	for c := 4*i + 1; c <= 4*i+4; c++ {
		n += h.due(c, until, limit-n)
	}
	return n
}

// mayBeDue says whether a timer may be due by then.
func (t *table) mayBeDue(until nudge.Millis) bool {
	return len(t.timers) > 0 && t.timers[0].due <= until || t.warmed != nil
}

func (h *timerHeap) push(due nudge.Millis, entry uint32) {
	*h = append(*h, timer{due, entry})
	q := *h
	i := len(q) - 1
	for i > 0 {
		parent := (i - 1) / 4
		if q[parent].due <= due {
			break
		}
		q[i] = q[parent]
		i = parent
	}
	q[i] = timer{due, entry}
}

func (h *timerHeap) pop() timer {
	q := *h
	top := q[0]
	last := q[len(q)-1]
	q = q[:len(q)-1]
	*h = q
	if len(q) == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= len(q) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(q)); c++ {
			if q[c].due < q[least].due {
				least = c
			}
		}
		if last.due <= q[least].due {
			break
		}
		q[i] = q[least]
		i = least
	}
	q[i] = last
	return top
}
