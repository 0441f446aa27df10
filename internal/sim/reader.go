package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"nudge"
	"nudge/ingest"
)

// walker is a consumer that keeps a cursor: of all firings, of the alerts over HTTP, or of one visitor's popups over HTTP. It vanishes with each
// process, or earlier, and comes back.
type walker struct {
	name string
	step func(l *life, c *walker, r *rand.Rand) (more bool)

	after   cursor
	saw     []told   // of the feed
	ids     []string // of alerts and popups
	visitor string
}

// told is a firing that somebody outside saw.
type told struct {
	cursor cursor
	id     string
}

// visitors are those that the generator knows.
var visitors = []string{"v1", "v2", "v3"}

func (w *world) makeWalkers() {
	w.walkers = []*walker{{name: "feed", step: (*life).readFeed}, {name: "alerts", step: (*life).readAlerts}}
	for _, v := range visitors {
		w.walkers = append(w.walkers, &walker{name: "popups " + v, step: (*life).readPopups, visitor: v})
	}
}

// walker looks again and again.
func (l *life) walker(c *walker, r *rand.Rand) {
	for {
		more := c.step(l, c, r)
		if l.disk.over() {
			return
		}
		if more {
			continue
		}
		wait := pause(r, 500*time.Millisecond)
		if r.IntN(12) == 0 {
			wait = 5 * time.Second
		}
		select {
		case <-l.busy.Done():
			return
		case <-time.After(wait + 100*time.Microsecond):
		}
	}
}

// readFeed reads a page of all firings.
func (l *life) readFeed(c *walker, r *rand.Rand) (more bool) {
	page, err := l.node.Firings(c.after, 1+r.IntN(20))
	if err != nil && !l.excused() {
		l.problem("I5: the feed behind %v: %v", c.after, err)
	}
	l.disk.seen(func() {
		for _, f := range page {
			if !c.after.Less(f.Cursor) {
				l.problem("I5: a walk behind %v sees %v", c.after, f.Cursor)
			}
			c.after = f.Cursor
			c.saw = append(c.saw, told{f.Cursor, f.ID})
		}
	})
	return len(page) > 0
}

// readAlerts reads a page of alerts.
func (l *life) readAlerts(c *walker, r *rand.Rand) (more bool) {
	var page struct {
		Alerts []struct{ ID string }
		Next   string
	}
	ok := l.get(fmt.Sprintf("/v1/alerts?after=%s&limit=%d", c.text(), 1+r.IntN(5)), &page)
	l.disk.seen(func() {
		if !ok {
			return
		}
		for _, a := range page.Alerts {
			c.ids = append(c.ids, a.ID)
		}
		c.move(l, page.Next)
	})
	return len(page.Alerts) > 0
}

// readPopups asks for the visitor's popups, and sometimes says that they were seen.
func (l *life) readPopups(c *walker, r *rand.Rand) (more bool) {
	var page struct {
		Popups []struct{ ID string }
		Next   string
	}
	path := fmt.Sprintf("/v1/popups?visitor=%s&after=%s", url.QueryEscape(c.visitor), c.text())
	if r.IntN(3) == 0 {
		path += "&wait=" + pick(r, "100ms", "1s")
	}
	ok := l.get(path, &page)
	seen := l.disk.seen(func() {
		if ok {
			c.move(l, page.Next)
		}
	})
	if !ok || !seen {
		return false
	}
	for _, p := range page.Popups {
		if r.IntN(2) == 0 {
			l.receipt(c.visitor, p.ID, r)
		}
	}
	return false
}

// receipt sends the event that a popup was seen. Nobody sends it again.
func (l *life) receipt(visitor, id string, r *rand.Rand) {
	draft := map[string]json.RawMessage{
		"type":    json.RawMessage(pick(r, `"popup_shown"`, `"popup_clicked"`, `"popup_dismissed"`)),
		"visitor": quote(visitor), "popup": quote(id),
	}
	l.send(&call{drafts: []map[string]json.RawMessage{draft}}, ingest.NewCodec(ingest.CodecOptions{Names: l.names}), r)
}

func quote(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic("BUG: a text does not marshal: " + err.Error())
	}
	return b
}

// text is the cursor as clients write it.
func (c *walker) text() string {
	if c.after == (cursor{}) {
		return ""
	}
	return c.after.String()
}

// move moves the cursor to the one that an answer gave.
func (c *walker) move(l *life, next string) {
	to, err := nudge.ParseCursor(next)
	if err != nil || to.Less(c.after) {
		l.problem("I5: behind the cursor %v comes %q: %v", c.after, next, err)
		return
	}
	c.after = to
}

// get asks the hub as a browser or a sales tool does.
func (l *life) get(path string, into any) (ok bool) {
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI(path)
	name, _, _ := strings.Cut(path, "?")
	l.hub.Routes()[name](&ctx)
	err := json.Unmarshal(ctx.Response.Body(), into)
	if err == nil && ctx.Response.StatusCode() == fasthttp.StatusOK {
		return true
	}
	if !l.excused() {
		l.problem("GET %s: %d %s", path, ctx.Response.StatusCode(), ctx.Response.Body())
	}
	return false
}
