package ingest

import (
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// preflightSeconds is how long a browser may remember that it may send here.
const preflightSeconds = "86400"

// allowOrigin lets pages read the answer: all, or those of the configured origins. Cookies mean nothing here, so an origin proves nothing,
// and an event from elsewhere is still an event: its key decides. Who names no origin is no page of another one, and is told nothing: no cache keeps
// the answer for somebody else.
func (s *Server) allowOrigin(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	origin := ctx.Request.Header.Peek("Origin")
	if len(s.o.AllowedOrigins) > 0 {
		h.Add("Vary", "Origin")
	}
	if len(origin) == 0 {
		return
	}
	h.SetCanonical(headerExposeHeaders, exposedHeaders)
	if len(s.o.AllowedOrigins) == 0 {
		h.SetCanonical(headerAllowOrigin, anyOrigin)
		return
	}
	if slices.ContainsFunc(s.o.AllowedOrigins, func(o string) bool { return strings.EqualFold(o, string(origin)) }) {
		h.SetCanonical(headerAllowOrigin, origin)
	}
}

// preflight answers OPTIONS: the asked headers are allowed, whatever they are.
func preflight(ctx *fasthttp.RequestCtx, methods string) {
	h := &ctx.Response.Header
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Max-Age", preflightSeconds)
	h.Add("Vary", "Access-Control-Request-Headers")
	if asked := ctx.Request.Header.Peek("Access-Control-Request-Headers"); len(asked) > 0 {
		h.SetBytesV("Access-Control-Allow-Headers", asked)
	}
}
