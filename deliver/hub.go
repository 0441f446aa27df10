package deliver

import (
	"sync"
	"time"

	"nudge"
	"nudge/internal/throttle"
)

// Hub is where firings arrive and from where consumers are served.
type Hub struct {
	o         Options
	ttl       nudge.Millis
	writeKeys keyring
	feedKeys  keyring
	metrics   *metrics
	complain  throttle.Log // about the feed

	closing chan struct{}  // closed by Close
	guests  sync.WaitGroup // open streams and waiting polls

	mu      sync.Mutex
	closed  bool
	pending pending
	alerts  bell // rings when there are new alerts
	places  alertPlaces
	inside  map[*guest]struct{} // streams and polls
	looked  time.Time           // when all of them were looked at last
	streams map[*stream]struct{}
}

// New returns a hub that serves at once.
func New(o Options) (*Hub, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	h := &Hub{
		o:         o.withDefaults(),
		writeKeys: newKeyring("write key", "X-Write-Key", o.WriteKeys),
		feedKeys:  newKeyring("feed key", "X-Feed-Key", o.FeedKeys),
		closing:   make(chan struct{}),
		pending:   newPending(),
		inside:    map[*guest]struct{}{},
		streams:   map[*stream]struct{}{},
	}
	h.ttl = nudge.Millis(h.o.PopupTTL.Milliseconds())
	m, err := newMetrics(o.Registerer, h.pendingCount)
	if err != nil {
		return nil, err
	}
	h.metrics = m
	return h, nil
}

// expirePerFiring is how many popups whose time is over each published firing takes out: more than a usual firing puts in, so that the
// list keeps up, and few enough that no publication waits for a thousand old ones.
const expirePerFiring = 4

// Publish takes the firings of one batch, in the order of their cursors; a firing that comes out again is passed over. Only the
// engine's delivering goroutine calls it. It waits for no consumer.
func (h *Hub) Publish(firings []nudge.Firing) {
	now := h.o.Now()
	alerts := false
	for i := range firings {
		h.put(&firings[i], now)
		alerts = alerts || hasAlert(&firings[i])
	}
	if alerts {
		h.mu.Lock()
		h.alerts.ring()
		h.mu.Unlock()
	}
}

// skip is alertPlaces.skip, for walks.
func (h *Hub) skip(c nudge.Cursor) nudge.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.places.skip(c)
}

// put makes the popups of one firing pending, all under one lock: a reader sees all of them or none, and its cursor, which is the
// firing's, passes over none.
func (h *Hub) put(f *nudge.Firing, now nudge.Millis) {
	popups := popupsOf(f, h.ttl)
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.places.add(f) || !f.Delivered() {
		return
	}
	h.metrics.expired.Add(float64(h.pending.expire(now, expirePerFiring)))
	if len(popups) == 0 {
		return
	}
	h.metrics.published.Add(float64(len(popups)))
	switch {
	case f.Visitor == "":
		h.metrics.nobody.Add(float64(len(popups)))
		return
	case popups[0].expires <= now:
		h.metrics.expired.Add(float64(len(popups)))
		return
	}
	for _, p := range popups {
		h.pending.add(p)
	}
	h.trim(f.Visitor)
	h.pending.inbox(f.Visitor).bell.ring()
}

// trim drops the oldest popups of a visitor, and of all, that are beyond the limits.
func (h *Hub) trim(visitor string) {
	for b := h.pending.inbox(visitor); len(b.popups) > h.o.MaxPopupsPerVisitor; {
		h.pending.remove(b.popups[0])
		h.metrics.crowdedOut.Inc()
	}
	for len(h.pending.byID) > h.o.MaxPopups || h.pending.bytes > h.o.MaxPopupBytes && h.pending.oldest != nil {
		h.pending.remove(h.pending.oldest)
		h.metrics.crowdedOut.Inc()
	}
}

// Receipt says that an event popup_shown, popup_clicked or popup_dismissed of that popup was applied: it is no longer pending. The
// engine calls it after the popup's firing was published. It keeps no reference to popupID.
func (h *Hub) Receipt(popupID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.pending.byID[popupID]; p != nil {
		h.pending.remove(p)
		h.metrics.receipts.Inc()
	}
}

// Erase says that visitors were erased: what is pending for them is not any more. The engine calls it after the firings of what came before were
// published.
func (h *Hub) Erase(isVisitor func(text string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for visitor, b := range h.pending.byVisitor {
		if !isVisitor(visitor) {
			continue
		}
		for len(b.popups) > 0 {
			h.pending.remove(b.popups[0])
			h.metrics.erased.Inc()
		}
	}
}

// pendingAfter returns the visitor's popups after a cursor, oldest first.
func (h *Hub) pendingAfter(visitor string, c nudge.Cursor) []*popup {
	now := h.o.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending.after(nil, visitor, c, now)
}

// pendingCount is how many popups are pending now. It takes out those whose time is over, in slices, so that Publish gets in between.
func (h *Hub) pendingCount() float64 {
	const slice = 512
	now := h.o.Now()
	for {
		h.mu.Lock()
		n := h.pending.expire(now, slice)
		left := len(h.pending.byID)
		h.mu.Unlock()
		h.metrics.expired.Add(float64(n))
		if n < slice {
			return float64(left)
		}
	}
}

// isClosing says whether Close was called.
func (h *Hub) isClosing() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// closeGrace is how long Close lets streams write their last bytes before it cuts their connections.
const closeGrace = time.Second

// Close ends all streams and polls and waits for them. It comes before the HTTP server's own shutdown, which waits for its connections.
func (h *Hub) Close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.closing)
	}
	h.mu.Unlock()

	gone := make(chan struct{})
	go func() {
		h.guests.Wait()
		close(gone)
	}()
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-gone:
		return
	case <-grace.C:
	}
	h.mu.Lock()
	for s := range h.streams {
		s.cut()
	}
	h.mu.Unlock()
	<-gone
}
