package ingest

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"nudge"
)

// getSettings answers what Segment's browser library asks for before it sends anything: where to send it.
func (s *Server) getSettings(ctx *fasthttp.RequestCtx) {
	key := bytes.TrimSuffix(bytes.TrimPrefix(ctx.Path(), []byte("/v1/projects/")), []byte("/settings"))
	if len(s.keys) > 0 && !s.keys.holds(key) {
		answerError(ctx, fasthttp.StatusUnauthorized, &Error{Code: CodeUnauthorized, Message: "this is not a write key of this server", Field: "key"})
		return
	}
	scheme := "http"
	if ctx.IsTLS() || string(ctx.Request.Header.Peek("X-Forwarded-Proto")) == "https" {
		scheme = "https"
	}
	b := append([]byte(nil), `{"integrations":{"Segment.io":{"apiKey":`...)
	b = nudge.AppendJSONString(b, string(key))
	b = append(b, `,"apiHost":`...)
	b = nudge.AppendJSONString(b, string(ctx.Host())+"/v1")
	b = append(b, `,"protocol":"`+scheme+`","unbundledIntegrations":[],"addBundledMetadata":false,"maybeBundledConfigIds":{}}},`...)
	b = append(b, `"plan":{"track":{"__default":{"enabled":true}},"identify":{"__default":{"enabled":true}},"group":{"__default":{"enabled":true}}},`...)
	b = append(b, `"edgeFunction":{},"analyticsNextEnabled":true,"middlewareSettings":{},"enabledMiddleware":{},"metrics":{"sampleRate":0},`...)
	b = append(b, `"legacyVideoPluginsEnabled":false,"remotePlugins":[]}`...)
	startAnswer(ctx, fasthttp.StatusOK)
	ctx.Response.SetBody(b)
}
