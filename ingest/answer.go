package ingest

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/valyala/fasthttp"

	"nudge"
)

// Seconds that a refused sender is told to wait.
const (
	retryBusy    = "1"
	retryStopped = "5"
)

// answer sends a JSON body that no cache may keep.
func answer(ctx *fasthttp.RequestCtx, status int, body string) {
	startAnswer(ctx, status)
	ctx.Response.SetBodyString(body)
}

func startAnswer(ctx *fasthttp.RequestCtx, status int) {
	ctx.SetStatusCode(status)
	ctx.Response.Header.SetContentType("application/json")
	ctx.Response.Header.SetCanonical(headerCacheControl, noStore)
}

// Headers of every answer, as fasthttp keeps them: looked through and copied each time they are a tenth of what an answer costs.
var (
	headerCacheControl  = []byte("Cache-Control")
	noStore             = []byte("no-store")
	headerAllowOrigin   = []byte("Access-Control-Allow-Origin")
	anyOrigin           = []byte("*")
	headerExposeHeaders = []byte("Access-Control-Expose-Headers")
	exposedHeaders      = []byte("Date, Retry-After") // the browser script corrects its clock by the one, and waits by the other
)

func answerError(ctx *fasthttp.RequestCtx, status int, e *Error) {
	startAnswer(ctx, status)
	ctx.Response.SetBody(append(appendError([]byte(`{"error":`), e), '}'))
}

// refuseBusy answers a request of which nothing was taken because too much is asked at once.
func refuseBusy(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Retry-After", retryBusy)
	answerError(ctx, fasthttp.StatusTooManyRequests, &Error{Code: CodeBusy, Message: "the server is at its bound and has taken nothing: send the same again a little later"})
}

func appendError(dst []byte, e *Error) []byte {
	return append(appendErrorMembers(append(dst, '{'), e), '}')
}

func appendErrorMembers(dst []byte, e *Error) []byte {
	dst = append(dst, `"code":`...)
	dst = nudge.AppendJSONString(dst, e.Code)
	dst = append(dst, `,"message":`...)
	dst = nudge.AppendJSONString(dst, e.Message)
	if e.Field != "" {
		dst = append(dst, `,"field":`...)
		dst = nudge.AppendJSONString(dst, e.Field)
	}
	return dst
}

// appendDone appends the members of an answer to events: how many were taken and what was not.
func appendDone(dst []byte, d *Decoded) []byte {
	dst = append(dst, `"accepted":`...)
	dst = strconv.AppendInt(dst, int64(d.Accepted), 10)
	for i := range d.Rejected {
		r := &d.Rejected[i]
		if i == 0 {
			dst = append(dst, `,"rejected":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"index":`...)
		dst = strconv.AppendInt(dst, int64(r.Index), 10)
		dst = append(appendErrorMembers(append(dst, ','), &r.Error), '}')
	}
	if len(d.Rejected) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// appendPopups appends the popups of delivered firings: a firing's first has the firing's id, the others "<id>.1", "<id>.2" …, as the popup
// stream numbers them, so that a browser which gets one both ways shows it once. expires_at is in milliseconds.
func appendPopups(dst []byte, firings []nudge.Firing, ttl nudge.Millis) []byte {
	dst = append(dst, '[')
	first := true
	for i := range firings {
		f := &firings[i]
		if !f.Delivered() {
			continue
		}
		n := 0
		for _, a := range f.Actions {
			if a.Kind != nudge.ActionPopup {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendPopup(dst, f, n, a, ttl)
			n++
		}
	}
	return append(dst, ']')
}

func appendPopup(dst []byte, f *nudge.Firing, n int, a nudge.Action, ttl nudge.Millis) []byte {
	id := f.ID
	if n > 0 {
		id += "." + strconv.Itoa(n)
	}
	dst = append(dst, `{"id":`...)
	dst = nudge.AppendJSONString(dst, id)
	dst = append(dst, `,"rule":`...)
	dst = nudge.AppendJSONString(dst, f.Rule)
	dst = append(dst, `,"template":`...)
	dst = nudge.AppendJSONString(dst, a.Name)
	dst = append(dst, `,"data":`...)
	if len(a.Data) == 0 {
		dst = append(dst, "{}"...)
	}
	dst = append(dst, a.Data...)
	dst = append(dst, `,"expires_at":`...)
	dst = strconv.AppendInt(dst, int64(f.At+ttl), 10)
	return append(dst, '}')
}

// status is that of a body which was refused whole.
func (e *Error) status() int {
	switch e.Code {
	case CodeTooLarge, CodeTooMany:
		return fasthttp.StatusRequestEntityTooLarge
	case CodeUnauthorized:
		return fasthttp.StatusUnauthorized
	case CodeEncoding:
		return fasthttp.StatusUnsupportedMediaType
	}
	return fasthttp.StatusBadRequest
}

// limitOf is the limit that a body was longer than. Of one that came in chunks the library has forgotten the path by then, and says "/".
func limitOf(h *fasthttp.RequestHeader) string {
	if string(h.RequestURI()) == "/" {
		return fmt.Sprintf("%d bytes, or %d in Segment's form", MaxBodyBytes, MaxSegmentBodyBytes)
	}
	limit := bodyLimit(h).MaxRequestBodySize
	if limit == 0 {
		limit = maxOtherBodyBytes
	}
	return fmt.Sprintf("%d bytes", limit)
}

// unreadable answers a request that could not be read to its end. The connection is closed after it.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	var header *fasthttp.ErrSmallBuffer
	var timeout net.Error
	status, e := fasthttp.StatusBadRequest, &Error{Code: CodeBadBody, Message: "the request is not well-formed HTTP, or ends too early"}
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		status = fasthttp.StatusRequestEntityTooLarge
		e = &Error{Code: CodeTooLarge, Message: "the body has more than " + limitOf(&ctx.Request.Header) + ": send the events in several requests"}
	case errors.As(err, &header):
		status = fasthttp.StatusRequestHeaderFieldsTooLarge
		e = &Error{Code: CodeTooLarge, Message: "the header is too long"}
	case errors.As(err, &timeout) && timeout.Timeout():
		status = fasthttp.StatusRequestTimeout
		e = &Error{Code: CodeTimeout, Message: "the request did not arrive in time: send it again"}
	}
	if c, ok := ctx.Conn().(*conn); ok {
		c.linger = status == fasthttp.StatusRequestEntityTooLarge
	}
	s.allowOrigin(ctx)
	ctx.SetConnectionClose()
	answerError(ctx, status, e)
	s.metrics.requests.WithLabelValues("unreadable", strconv.Itoa(status)).Inc()
}
