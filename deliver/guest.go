package deliver

import (
	"fmt"
	"time"

	"github.com/valyala/fasthttp"
)

// guest is one open stream or waiting poll. visitor is "" for alerts.
type guest struct {
	hub     *Hub
	visitor string
	kind    guestKind
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

// enter admits a stream or poll, or says why not (I8). Every guest must leave once.
func (h *Hub) enter(kind guestKind, visitor string) (*guest, *problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, &problem{status: fasthttp.StatusServiceUnavailable, code: "stopped", message: "the server is shutting down: try again", retry: retryAfter}
	case h.open >= h.o.MaxStreams:
		h.metrics.refused.Inc()
		return nil, &problem{
			status: fasthttp.StatusTooManyRequests, code: "too_many_streams", retry: retryAfter,
			message: fmt.Sprintf("%d streams and waiting requests are open, the most this server allows: try again later, or ask without wait", h.o.MaxStreams),
		}
	}
	if kind == popupStream || kind == popupPoll {
		b := h.pending.byVisitor[visitor]
		if b != nil && b.watchers >= h.o.MaxStreamsPerVisitor {
			h.metrics.refused.Inc()
			return nil, &problem{
				status: fasthttp.StatusTooManyRequests, code: "too_many_streams", field: "visitor", retry: retryAfter,
				message: fmt.Sprintf("this visitor has %d streams and waiting requests open, the most allowed: share one between tabs", h.o.MaxStreamsPerVisitor),
			}
		}
		h.pending.inbox(visitor).watchers++
	}
	h.open++
	h.guests.Add(1)
	h.metrics.open(kind).Inc()
	return &guest{hub: h, visitor: visitor, kind: kind}, nil
}

// leave undoes enter.
func (g *guest) leave() {
	h := g.hub
	h.mu.Lock()
	if g.kind == popupStream || g.kind == popupPoll {
		b := h.pending.byVisitor[g.visitor]
		b.watchers--
		h.pending.dropIfIdle(g.visitor, b)
	}
	h.open--
	h.mu.Unlock()
	h.metrics.open(g.kind).Dec()
	h.guests.Done()
}

// changed returns a channel that is closed when there is something new for the guest. Ask for it, then look, then wait.
func (g *guest) changed() <-chan struct{} {
	h := g.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if g.kind == popupStream || g.kind == popupPoll {
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
		case <-g.hub.closing:
			return
		}
	}
}
