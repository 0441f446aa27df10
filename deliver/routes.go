package deliver

import (
	"github.com/valyala/fasthttp"
)

// Routes returns the handler of each path.
func (h *Hub) Routes() map[string]fasthttp.RequestHandler {
	return map[string]fasthttp.RequestHandler{
		"/v1/popups":        route(h.writeKeys, true, h.getPopups),
		"/v1/popups/stream": route(h.writeKeys, true, h.streamPopups),
		"/v1/alerts":        route(h.feedKeys, h.feedKeys.any(), h.getAlerts),
		"/v1/alerts/stream": route(h.feedKeys, h.feedKeys.any(), h.streamAlerts),
	}
}

// route serves GET behind a key, to browsers on any origin where anyOrigin says so. Alerts that need no key are for this machine's own pages only:
// otherwise every page that somebody opens on it could read them.
func route(keys keyring, anyOrigin bool, serve func(*fasthttp.RequestCtx) *problem) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if anyOrigin {
			allowOrigins(ctx)
		}
		if ctx.IsOptions() {
			ctx.SetStatusCode(fasthttp.StatusNoContent)
			return
		}
		p := checkMethod(ctx)
		if p == nil {
			p = keys.check(ctx)
		}
		if p == nil {
			p = serve(ctx)
		}
		if p != nil {
			p.answer(ctx)
		}
	}
}

// preflightSeconds is how long a browser may remember that it may send its headers here.
const preflightSeconds = "86400"

// allowOrigins lets pages of every origin read the answer. Keys travel in headers or the query and cookies mean nothing here, so an
// origin proves nothing.
func allowOrigins(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", "*")
	if !ctx.IsOptions() {
		return
	}
	h.Set("Access-Control-Allow-Methods", allowedMethods)
	h.Set("Access-Control-Max-Age", preflightSeconds)
	h.Set("Vary", "Access-Control-Request-Headers")
	if asked := ctx.Request.Header.Peek("Access-Control-Request-Headers"); len(asked) > 0 {
		h.SetBytesV("Access-Control-Allow-Headers", asked)
	}
}

const allowedMethods = "GET, OPTIONS"

func checkMethod(ctx *fasthttp.RequestCtx) *problem {
	if ctx.IsGet() {
		return nil
	}
	ctx.Response.Header.Set("Allow", allowedMethods)
	return &problem{status: fasthttp.StatusMethodNotAllowed, code: "method_not_allowed", message: "this path answers GET only"}
}

// answerJSON sends a body that no cache may keep.
func answerJSON(ctx *fasthttp.RequestCtx, body []byte) {
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}
