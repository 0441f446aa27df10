package deliver

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

// guest is one open stream or waiting poll. visitor is "" for alerts.
type guest struct {
	hub     *Hub
	visitor string
	kind    guestKind
	conn    net.Conn
	gone    chan struct{} // closed when it counts no more
	out     bool          // it is; the hub's lock guards it
}

type guestKind int

const (
	popupStream guestKind = iota
	popupPoll
	alertStream
	alertPoll
)

// retryAfter is what a client that was refused for want of room is told to wait, in seconds.
const retryAfter = 5

// enter admits a stream or poll, or says why not (I8). Every guest must leave once. Nobody says that a browser has gone on to the next page, and writing to it
// tells only at the second heartbeat: so where there is no room the guests that take it are looked at, and those whose connection is closed count no more.
func (h *Hub) enter(kind guestKind, visitor string, conn net.Conn) (*guest, *problem) {
	g := &guest{hub: h, visitor: visitor, kind: kind, conn: conn, gone: make(chan struct{})}
	crowd, p := h.admit(g)
	if h.dismissGone(crowd) {
		_, p = h.admit(g)
	}
	if p == nil {
		return g, nil
	}
	if p.status == fasthttp.StatusTooManyRequests {
		h.metrics.refused.Inc()
	}
	return nil, p
}

// admit lets a guest in, or says why not, and who takes its room.
func (h *Hub) admit(g *guest) (crowd []*guest, p *problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, &problem{status: fasthttp.StatusServiceUnavailable, code: "stopped", message: "the server is shutting down: try again", retry: retryAfter}
	case len(h.inside) >= h.room(g):
		return h.everybody(), &problem{
			status: fasthttp.StatusTooManyRequests, code: "too_many_streams", retry: retryAfter,
			message: fmt.Sprintf("%d streams and waiting requests are open, the most this server allows: try again later, or ask without wait", len(h.inside)),
		}
	}
	if g.wantsPopups() {
		b := h.pending.byVisitor[g.visitor]
		if b != nil && len(b.guests) >= h.o.MaxStreamsPerVisitor {
			return slices.Clone(b.guests), &problem{
				status: fasthttp.StatusTooManyRequests, code: "too_many_streams", field: "visitor", retry: retryAfter,
				message: fmt.Sprintf("this visitor has %d streams and waiting requests open, the most allowed: share one between tabs", h.o.MaxStreamsPerVisitor),
			}
		}
		b = h.pending.inbox(g.visitor)
		b.guests = append(b.guests, g)
	}
	h.inside[g] = struct{}{}
	h.guests.Add(1)
	h.metrics.open(g.kind).Inc()
	return nil, nil
}

// alertShare is the part of MaxStreams, one in so many, that popups leave to alerts: whoever knows the public key may wait for popups, as often as he likes.
const alertShare = 16

// room is how many guests there may be before g.
func (h *Hub) room(g *guest) int {
	if g.wantsPopups() {
		return h.o.MaxStreams - h.o.MaxStreams/alertShare
	}
	return h.o.MaxStreams
}

// lookEvery bounds how often all guests are looked at: ten thousand take some milliseconds.
const lookEvery = time.Second

// everybody is all guests, none where they were looked at lately. The hub's lock is held.
func (h *Hub) everybody() []*guest {
	if now := time.Now(); now.Sub(h.looked) >= lookEvery {
		h.looked = now
		return slices.Collect(maps.Keys(h.inside))
	}
	return nil
}

// dismissGone lets those guests count no more whose connection the other side has closed, and says whether there were any.
func (h *Hub) dismissGone(crowd []*guest) (some bool) {
	for _, g := range crowd {
		if g.peerGone() {
			some = true
			h.mu.Lock()
			h.putOut(g)
			h.mu.Unlock()
		}
	}
	return some
}

// peerGone says whether the other side has closed the connection, where that can be told without a write.
func (g *guest) peerGone() bool {
	c, ok := g.conn.(interface{ PeerGone() bool })
	return ok && c.PeerGone()
}

func (g *guest) wantsPopups() bool { return g.kind == popupStream || g.kind == popupPoll }

// leave undoes enter.
func (g *guest) leave() {
	g.hub.mu.Lock()
	g.hub.putOut(g)
	g.hub.mu.Unlock()
	g.hub.guests.Done()
}

// putOut lets a guest count no more, and wakes it so that it leaves. The hub's lock is held.
func (h *Hub) putOut(g *guest) {
	if g.out {
		return
	}
	g.out = true
	close(g.gone)
	delete(h.inside, g)
	h.metrics.open(g.kind).Dec()
	if g.wantsPopups() {
		b := h.pending.byVisitor[g.visitor]
		b.guests = slices.DeleteFunc(b.guests, func(other *guest) bool { return other == g })
		h.pending.dropIfIdle(g.visitor, b)
	}
}

// changed returns a channel that is closed when there is something new for the guest, or when it counts no more. Ask for it, then look, then wait.
func (g *guest) changed() <-chan struct{} {
	h := g.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case g.out:
		return g.gone
	case g.wantsPopups():
		return h.pending.byVisitor[g.visitor].bell.wait()
	}
	return h.alerts.wait()
}

// poll calls look until it says that it found something, and at the latest until wait is over or the hub closes.
func (g *guest) poll(wait time.Duration, look func() (found bool)) {
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		changed := g.changed()
		if look() {
			return
		}
		select {
		case <-changed:
		case <-over.C:
			return
		case <-g.gone:
			return
		case <-g.hub.closing:
			return
		}
	}
}
