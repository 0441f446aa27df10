package deliver

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"nudge"
)

// getAlerts answers GET /v1/alerts[?after=CURSOR][&limit=N][&wait=25s]: the alerts after the cursor, oldest first, and the cursor to
// go on from. A firing is never split: where it has several alerts, a page can have more than limit.
func (h *Hub) getAlerts(ctx *fasthttp.RequestCtx) *problem {
	after, p := h.alertsAfter(ctx)
	if p != nil {
		return p
	}
	limit, p := limitOf(ctx)
	if p != nil {
		return p
	}
	wait, p := waitOf(ctx)
	if p != nil {
		return p
	}
	if p := h.known(after); p != nil {
		return p
	}
	w := walk{hub: h, cursor: after, limit: limit, form: appendAlertItem}
	body := []byte(`{"alerts":[`)
	start := len(body)
	body, err := w.next(body)
	if err == nil && len(body) == start && wait > 0 {
		g, p := h.enter(alertPoll, "", ctx.Conn())
		if p != nil {
			return p
		}
		g.poll(wait, func() bool {
			body, err = w.next(body[:start])
			return err != nil || len(body) > start
		})
		g.leave()
	}
	if err != nil {
		return feedProblem(err)
	}
	body = append(body, `],"next":"`...)
	body = append(body, w.cursor.String()...)
	answerJSON(ctx, append(body, "\"}\n"...))
	return nil
}

// alertsAfter reads ?after=, which for alerts can be latest.
func (h *Hub) alertsAfter(ctx *fasthttp.RequestCtx) (nudge.Cursor, *problem) {
	if param(ctx, "after") == latest {
		return h.o.Feed.Last(), nil
	}
	return afterOf(ctx)
}

// known refuses a cursor beyond the newest firing: it is of another feed, and its reader would wait for ever, or miss what comes.
func (h *Hub) known(c nudge.Cursor) *problem {
	if last := h.o.Feed.Last(); last.Less(c) {
		return &problem{
			status: fasthttp.StatusBadRequest, code: "unknown_cursor", field: "after",
			message: fmt.Sprintf("the cursor %s lies beyond the newest one, %s: it is of another server or data folder; read from the beginning, or after=latest", c, last),
		}
	}
	return nil
}

// feedProblem is the answer when the feed cannot be read.
func feedProblem(err error) *problem {
	if errors.Is(err, nudge.ErrStopped) {
		return &problem{status: fasthttp.StatusServiceUnavailable, code: "stopped", message: "the server is shutting down: try again", retry: retryAfter}
	}
	return &problem{status: fasthttp.StatusInternalServerError, code: "internal", message: "the alert feed cannot be read; the server's log says why", retry: retryAfter}
}

// streamAlerts answers GET /v1/alerts/stream[?after=CURSOR].
func (h *Hub) streamAlerts(ctx *fasthttp.RequestCtx) *problem {
	after, p := resumeOf(ctx, h.alertsAfter)
	if p == nil {
		p = h.known(after)
	}
	if p != nil {
		return p
	}
	g, p := h.enter(alertStream, "", ctx.Conn())
	if p != nil {
		return p
	}
	g.serveStream(ctx, &walk{hub: h, cursor: after, limit: DefaultLimit, form: appendAlertEvent})
	return nil
}

// feedPage is how many firings a walk asks the feed for at a time; after maxScan a walk that has found something answers with it.
const (
	feedPage = 256
	maxScan  = 64 * feedPage
)

// walk goes through the feed, one step for each call of next.
type walk struct {
	hub    *Hub
	cursor nudge.Cursor // of the last firing that was passed
	limit  int          // alerts in one step; a firing's are never split
	form   func(dst []byte, a alert, first bool) []byte
}

// next appends the next alerts. Nothing appended means that there are none up to the end of the feed, however far that is; the cursor
// moves over other firings too.
func (w *walk) next(dst []byte) ([]byte, error) {
	count := 0
	w.cursor = w.hub.skip(w.cursor)
	for scanned := 0; count < w.limit && (count == 0 || scanned < maxScan) && w.cursor.Less(w.hub.o.Feed.Last()); {
		page, err := w.hub.o.Feed.Firings(w.cursor, feedPage)
		if err == nil {
			err = w.checkOrder(page)
		}
		if err != nil {
			w.hub.complain.Error(w.hub.o.Logger, "read the feed of firings", "err", err)
			return dst, fmt.Errorf("feed after %s: %w", w.cursor, err)
		}
		if len(page) == 0 {
			break
		}
		scanned += len(page)
		for i := 0; i < len(page) && count < w.limit; i++ {
			for _, a := range alertsOf(&page[i]) {
				dst = w.form(dst, a, count == 0)
				count++
			}
			w.cursor = page[i].Cursor
		}
		if w.hub.isClosing() {
			break
		}
	}
	w.hub.metrics.alertsServed.Add(float64(count))
	return dst, nil
}

// checkOrder holds the feed to its promise: a feed that goes back would be walked for ever.
func (w *walk) checkOrder(page []nudge.Firing) error {
	last := w.cursor
	for i := range page {
		if c := page[i].Cursor; !last.Less(c) {
			return fmt.Errorf("the feed gives %s after %s", c, last)
		}
		last = page[i].Cursor
	}
	return nil
}

// alert is one alert action of a delivered firing.
type alert struct {
	firing *nudge.Firing
	action *nudge.Action
	n      int  // its number among the firing's alerts
	last   bool // the firing has no further one
}

// hasAlert says whether a firing has an alert to deliver.
func hasAlert(f *nudge.Firing) bool {
	isAlert := func(a nudge.Action) bool { return a.Kind == nudge.ActionAlert }
	return f.Delivered() && slices.ContainsFunc(f.Actions, isAlert)
}

// alertsOf returns the alerts of a firing, none where it is not delivered.
func alertsOf(f *nudge.Firing) []alert {
	if !hasAlert(f) {
		return nil
	}
	var list []alert
	for i := range f.Actions {
		if a := &f.Actions[i]; a.Kind == nudge.ActionAlert {
			list = append(list, alert{firing: f, action: a, n: len(list)})
		}
	}
	list[len(list)-1].last = true
	return list
}

func (a alert) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = nudge.AppendJSONString(dst, actionID(a.firing.ID, a.n))
	dst = append(dst, `,"cursor":"`...)
	dst = append(dst, a.firing.Cursor.String()...)
	dst = append(dst, `","rule":`...)
	dst = nudge.AppendJSONString(dst, a.firing.Rule)
	dst = append(dst, `,"key":`...)
	dst = nudge.AppendJSONString(dst, a.firing.Key)
	dst = append(dst, `,"at":`...)
	dst = strconv.AppendInt(dst, int64(a.firing.At), 10)
	dst = append(dst, `,"text":`...)
	dst = nudge.AppendJSONString(dst, a.action.Name)
	dst = append(dst, `,"data":`...)
	dst = appendData(dst, a.action.Data)
	return append(dst, '}')
}

// appendAlertItem is an alert as an element of an array.
func appendAlertItem(dst []byte, a alert, first bool) []byte {
	if !first {
		dst = append(dst, ',')
	}
	return a.appendJSON(dst)
}

// appendAlertEvent is an alert as a server-sent event.
func appendAlertEvent(dst []byte, a alert, _ bool) []byte {
	dst = append(dst, "event: alert\n"...)
	if a.last {
		dst = appendEventID(dst, a.firing.Cursor)
	}
	dst = append(dst, "data: "...)
	dst = a.appendJSON(dst)
	return append(dst, "\n\n"...)
}
