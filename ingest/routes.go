package ingest

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// route is one path of this package.
type route struct {
	name    string // in metrics
	methods string // besides OPTIONS, as Allow has them
	limit   int    // of the body
	gated   bool   // requests may be refused because those before them wait too long
	private bool   // not for pages: no other origin may call it
	serve   func(*Server, *fasthttp.RequestCtx)
}

// eventsRoute is what most requests are for.
var eventsRoute = &route{name: "events", methods: "POST", limit: MaxBodyBytes, gated: true, serve: (*Server).postEvents}

const eventsPath = "/v1/events"

// routes are the paths that this package serves, but for those that hold a key or an id.
var routes = makeRoutes()

func makeRoutes() map[string]*route {
	m := map[string]*route{
		eventsPath: eventsRoute,
		"/healthz": {name: "healthz", methods: "GET, HEAD", serve: (*Server).getHealth},
		"/readyz":  {name: "readyz", methods: "GET, HEAD", serve: (*Server).getReady},
	}
	for _, call := range []string{"track", "identify", "page", "screen", "group", "alias", "batch"} {
		r := &route{name: call, methods: "POST", limit: MaxSegmentBodyBytes, gated: true, serve: func(s *Server, ctx *fasthttp.RequestCtx) { s.postSegment(ctx, call) }}
		m["/v1/"+call], m["/v1/"+call[:1]] = r, r
	}
	return m
}

var settingsRoute = &route{name: "settings", methods: "GET, HEAD", serve: (*Server).getSettings}

// find is the route of a path, nil if the path is not this package's.
func find(path []byte) *route {
	if string(path) == eventsPath {
		return eventsRoute
	}
	if r := routes[string(path)]; r != nil {
		return r
	}
	if bytes.HasPrefix(path, []byte("/v1/projects/")) && bytes.HasSuffix(path, []byte("/settings")) {
		return settingsRoute
	}
	switch {
	case bytes.HasPrefix(path, []byte(keysPath)):
		return keysRoute
	case bytes.HasPrefix(path, []byte(erasuresPath)):
		return erasuresRoute
	}
	return nil
}

// bodyLimit says how much body a request may have before any of it is read: the declared length is allocated at once.
func bodyLimit(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, _, _ := bytes.Cut(h.RequestURI(), []byte{'?'})
	r := find(path)
	if r == nil {
		return fasthttp.RequestConfig{}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: r.limit, WriteTimeout: writeTimeout}
}

// handle answers one request.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	began := time.Now()
	name := "other"
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Inc()
			s.o.Logger.Error("a request found a bug", "path", loggedPath(ctx), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			ctx.Response.Reset()
			answerError(ctx, fasthttp.StatusInternalServerError, &Error{Code: CodeInternal, Message: "the server found a bug of its own and has logged it"})
		}
		s.metrics.answered(name, ctx.Response.StatusCode(), began)
	}()

	r := find(ctx.Path())
	if namesKey(ctx) {
		r = keysRoute
	}
	if r != eventsRoute && r != keysRoute {
		if other := s.o.Routes[string(ctx.Path())]; other != nil {
			other(ctx)
			return
		}
	}
	switch {
	case r != nil && (!r.private || s.o.Eraser != nil):
		name = r.name
		s.serve(ctx, r, began)
	case s.o.NotFound != nil && !bytes.HasPrefix(ctx.Path(), []byte("/v1/")): // whoever calls the API wants an error in its form
		s.o.NotFound(ctx)
	default:
		answerError(ctx, fasthttp.StatusNotFound, &Error{Code: CodeNotFound, Message: "there is nothing at this path"})
	}
}

// namesKey says whether a path names whom to erase. The path counts as it was sent: an id may be "a/../b", which is no way anywhere.
func namesKey(ctx *fasthttp.RequestCtx) bool {
	return bytes.HasPrefix(ctx.URI().PathOriginal(), []byte(keysPath))
}

// loggedPath is a request's path without the id of whom to erase: a log is no place for it.
func loggedPath(ctx *fasthttp.RequestCtx) string {
	if namesKey(ctx) || bytes.HasPrefix(ctx.Path(), []byte(keysPath)) {
		return keysPath + "…"
	}
	return string(ctx.Path())
}

// serve answers on one of this package's paths.
func (s *Server) serve(ctx *fasthttp.RequestCtx, r *route, came time.Time) {
	if !r.private {
		s.allowOrigin(ctx)
	}
	for m := range strings.SplitSeq(r.methods, ", ") {
		if string(ctx.Method()) == m {
			s.admit(ctx, r, came)
			return
		}
	}
	methods := r.methods
	if !r.private {
		methods += ", OPTIONS"
		if ctx.IsOptions() {
			preflight(ctx, methods)
			return
		}
	}
	ctx.Response.Header.Set("Allow", methods)
	answerError(ctx, fasthttp.StatusMethodNotAllowed, &Error{Code: CodeMethod, Message: "this path answers " + r.methods + " only"})
}

// admit serves a request that came just now unless the gate refuses it.
func (s *Server) admit(ctx *fasthttp.RequestCtx, r *route, came time.Time) {
	if r.gated {
		t := s.gate.enter(came, len(ctx.Request.Body()))
		if t == nil {
			s.metrics.overload.Inc()
			refuseBusy(ctx)
			return
		}
		defer s.gate.leave(t)
	}
	r.serve(s, ctx)
}

func (s *Server) getHealth(ctx *fasthttp.RequestCtx) {
	answer(ctx, fasthttp.StatusOK, `{"status":"ok"}`)
}

// getReady says whether this server should be sent requests.
func (s *Server) getReady(ctx *fasthttp.RequestCtx) {
	var err error
	if s.o.Ready != nil {
		err = s.o.Ready()
	}
	switch {
	case s.draining.Load():
		answerError(ctx, fasthttp.StatusServiceUnavailable, &Error{Code: CodeStopped, Message: "the server is shutting down"})
	case err != nil:
		answerError(ctx, fasthttp.StatusServiceUnavailable, &Error{Code: "not_ready", Message: err.Error()})
	case s.o.Loaded != nil && s.o.Loaded() < 1:
		answer(ctx, fasthttp.StatusOK, fmt.Sprintf(`{"status":"ready","loaded":%.3f}`, s.o.Loaded()))
	default:
		answer(ctx, fasthttp.StatusOK, `{"status":"ready"}`)
	}
}
