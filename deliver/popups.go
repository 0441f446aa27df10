package deliver

import (
	"github.com/valyala/fasthttp"

	"nudge"
)

// getPopups answers GET /v1/popups?visitor=V[&wait=25s][&after=CURSOR]: what is pending after the cursor; where that is nothing, what
// comes first within wait, else none. "next" is the cursor to give as after the next time. A cursor of another feed counts as none (ours).
func (h *Hub) getPopups(ctx *fasthttp.RequestCtx) *problem {
	visitor, p := visitorOf(ctx)
	if p != nil {
		return p
	}
	after, p := afterOf(ctx)
	if p != nil {
		return p
	}
	wait, p := waitOf(ctx)
	if p != nil {
		return p
	}
	after = h.ours(after)
	popups := h.pendingAfter(visitor, after)
	if len(popups) == 0 && wait > 0 {
		g, p := h.enter(popupPoll, visitor, ctx.Conn())
		if p != nil {
			return p
		}
		g.poll(wait, func() bool {
			popups = h.pendingAfter(visitor, after)
			return len(popups) > 0
		})
		g.leave()
	}
	h.metrics.popupsServed.Add(float64(len(popups)))
	answerJSON(ctx, appendPopups(nil, popups, after))
	return nil
}

func appendPopups(dst []byte, popups []*popup, next nudge.Cursor) []byte {
	dst = append(dst, `{"popups":[`...)
	for i, p := range popups {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = p.appendJSON(dst)
		next = p.cursor
	}
	dst = append(dst, `],"next":"`...)
	dst = append(dst, next.String()...)
	return append(dst, "\"}\n"...)
}

// streamPopups answers GET /v1/popups/stream?visitor=V[&after=CURSOR].
func (h *Hub) streamPopups(ctx *fasthttp.RequestCtx) *problem {
	visitor, p := visitorOf(ctx)
	if p != nil {
		return p
	}
	after, p := resumeOf(ctx, afterOf)
	if p != nil {
		return p
	}
	g, p := h.enter(popupStream, visitor, ctx.Conn())
	if p != nil {
		return p
	}
	g.serveStream(ctx, &popupSource{hub: h, visitor: visitor, after: h.ours(after)})
	return nil
}

// ours returns the cursor, or the one before everything where it lies beyond the newest firing. Such a cursor is of another server or data folder;
// a browser comes back with it by itself, and would get no popup until this feed has come so far. An error would stop it for good.
func (h *Hub) ours(c nudge.Cursor) nudge.Cursor {
	if h.o.Feed.Last().Less(c) {
		return nudge.Cursor{}
	}
	return c
}

// popupSource reads one visitor's inbox.
type popupSource struct {
	hub     *Hub
	visitor string
	after   nudge.Cursor
}

func (s *popupSource) next(dst []byte) ([]byte, error) {
	popups := s.hub.pendingAfter(s.visitor, s.after)
	for i, p := range popups {
		dst = append(dst, "event: popup\n"...)
		if i+1 == len(popups) || popups[i+1].cursor != p.cursor {
			dst = appendEventID(dst, p.cursor)
		}
		dst = append(dst, "data: "...)
		dst = p.appendJSON(dst)
		dst = append(dst, "\n\n"...)
		s.after = p.cursor
	}
	s.hub.metrics.popupsServed.Add(float64(len(popups)))
	return dst, nil
}

// appendEventID appends the id line of a firing's last event. The earlier ones of the same firing have none: a browser that loses the
// connection between them then comes back with the cursor before the firing, and misses nothing of it.
func appendEventID(dst []byte, c nudge.Cursor) []byte {
	dst = append(dst, "id: "...)
	dst = append(dst, c.String()...)
	return append(dst, '\n')
}
