package deliver

import (
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"nudge"
)

// param is one query parameter, copied: fasthttp's bytes die with the handler.
func param(ctx *fasthttp.RequestCtx, name string) string { return string(ctx.QueryArgs().Peek(name)) }

func visitorOf(ctx *fasthttp.RequestCtx) (string, *problem) {
	v := param(ctx, "visitor")
	if v == "" {
		return "", &problem{
			status: fasthttp.StatusBadRequest, code: "missing", field: "visitor",
			message: "whose popups? Give the visitor's id, as in ?visitor=v1",
		}
	}
	if len(v) > MaxVisitorBytes {
		return "", &problem{
			status: fasthttp.StatusBadRequest, code: "too_long", field: "visitor",
			message: fmt.Sprintf("a visitor's id has at most %d bytes, as in events; given are %d", MaxVisitorBytes, len(v)),
		}
	}
	return v, nil
}

// waitOf reads ?wait=, 0 where it is not given.
func waitOf(ctx *fasthttp.RequestCtx) (time.Duration, *problem) {
	text := param(ctx, "wait")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > MaxWait {
		return 0, invalid("wait", fmt.Sprintf("wait is a length of time from 0s to %.0fs with its unit, as in wait=25s; given is %s", MaxWait.Seconds(), quote(text)))
	}
	return d, nil
}

// limitOf reads ?limit=, DefaultLimit where it is not given.
func limitOf(ctx *fasthttp.RequestCtx) (int, *problem) {
	text := param(ctx, "limit")
	if text == "" {
		return DefaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxLimit {
		return 0, invalid("limit", fmt.Sprintf("limit is a whole number from 1 to %d; given is %s", MaxLimit, quote(text)))
	}
	return n, nil
}

// latest stands for the cursor of the newest firing: for who wants to follow alerts from now on.
const latest = "latest"

// afterOf reads ?after=, the cursor before everything where it is not given.
func afterOf(ctx *fasthttp.RequestCtx) (nudge.Cursor, *problem) {
	return cursorOf("after", param(ctx, "after"))
}

// resumeOf is where a stream goes on: after Last-Event-ID, else ?after=. A browser that reconnects sends the header, and its address
// still says where it began.
func resumeOf(ctx *fasthttp.RequestCtx, after func(*fasthttp.RequestCtx) (nudge.Cursor, *problem)) (nudge.Cursor, *problem) {
	if id := ctx.Request.Header.Peek("Last-Event-ID"); len(id) > 0 {
		return cursorOf("Last-Event-ID", string(id))
	}
	return after(ctx)
}

func cursorOf(field, text string) (nudge.Cursor, *problem) {
	c, err := nudge.ParseCursor(text)
	if err != nil {
		return c, invalid(field, fmt.Sprintf("%s is a cursor that this server gave out, of the form OFFSET-N as in 1204-0; given is %s", field, quote(text)))
	}
	return c, nil
}

// maxQuoted is how much of what was sent an error repeats, in bytes.
const maxQuoted = 64

func quote(text string) string {
	if len(text) > maxQuoted {
		return strconv.Quote(text[:maxQuoted]) + "…"
	}
	return strconv.Quote(text)
}
