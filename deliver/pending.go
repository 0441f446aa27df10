package deliver

import "nudge"

// pending is every popup that nobody has answered yet. The hub's lock guards it.
type pending struct {
	byVisitor map[string]*inbox
	byID      map[string]*popup
	bytes     int // of all, about

	// All of them in the order of publishing. Log time never decreases (I6), so it is the order of expiry too.
	oldest, newest *popup
}

// inbox is one visitor's pending popups, oldest first. It exists while it holds a popup or somebody watches it.
type inbox struct {
	popups []*popup
	guests []*guest // streams and polls
	bell   bell
}

func newPending() pending {
	return pending{byVisitor: map[string]*inbox{}, byID: map[string]*popup{}}
}

// inbox returns the visitor's inbox, made if there is none.
func (s *pending) inbox(visitor string) *inbox {
	b := s.byVisitor[visitor]
	if b == nil {
		b = &inbox{}
		s.byVisitor[visitor] = b
	}
	return b
}

// dropIfIdle forgets an inbox that nobody needs.
func (s *pending) dropIfIdle(visitor string, b *inbox) {
	if len(b.popups) == 0 && len(b.guests) == 0 {
		delete(s.byVisitor, visitor)
	}
}

// add puts p last.
func (s *pending) add(p *popup) {
	b := s.inbox(p.visitor)
	b.popups = append(b.popups, p)
	s.byID[p.id] = p
	s.bytes += p.bytes()
	p.older = s.newest
	if s.newest != nil {
		s.newest.newer = p
	} else {
		s.oldest = p
	}
	s.newest = p
}

// remove takes p out everywhere.
func (s *pending) remove(p *popup) {
	delete(s.byID, p.id)
	s.bytes -= p.bytes()
	if p.older != nil {
		p.older.newer = p.newer
	} else {
		s.oldest = p.newer
	}
	if p.newer != nil {
		p.newer.older = p.older
	} else {
		s.newest = p.older
	}
	p.older, p.newer = nil, nil

	b := s.byVisitor[p.visitor]
	for i, q := range b.popups {
		if q == p {
			copy(b.popups[i:], b.popups[i+1:])
			b.popups[len(b.popups)-1] = nil
			b.popups = b.popups[:len(b.popups)-1]
			break
		}
	}
	s.dropIfIdle(p.visitor, b)
}

// expire removes at most limit popups whose time is over and says how many it removed.
func (s *pending) expire(now nudge.Millis, limit int) int {
	n := 0
	for n < limit && s.oldest != nil && s.oldest.expires <= now {
		s.remove(s.oldest)
		n++
	}
	return n
}

// after appends the visitor's popups after a cursor that have not expired.
func (s *pending) after(dst []*popup, visitor string, c nudge.Cursor, now nudge.Millis) []*popup {
	b := s.byVisitor[visitor]
	if b == nil {
		return dst
	}
	for _, p := range b.popups {
		if c.Less(p.cursor) && now < p.expires {
			dst = append(dst, p)
		}
	}
	return dst
}

// bell wakes everybody who waits, at once, and costs nothing while nobody does. Its owner's lock guards it.
type bell struct{ ch chan struct{} }

// wait returns a channel that the next ring closes.
func (b *bell) wait() <-chan struct{} {
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
