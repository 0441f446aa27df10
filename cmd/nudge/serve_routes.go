package main

import (
	"bytes"
	"html"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"nudge/deliver"
	"nudge/examples"
	"nudge/ingest/sdk"
)

// demoRoot is where the example site stands.
const demoRoot = "/demo/"

// routes are the paths beside those of ingest.
func routes(hub *deliver.Hub, registry *prometheus.Registry, b *backups) map[string]fasthttp.RequestHandler {
	all := hub.Routes()
	all["/nudge.js"] = onlyGet(func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
		ctx.Response.Header.Set("Cache-Control", "public, max-age=300")
		ctx.SetContentType("text/javascript; charset=utf-8")
		ctx.SetBody(sdk.JS)
	})
	all["/metrics"] = onlyGet(fasthttpadaptor.NewFastHTTPHandler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	all[backupPath] = fasthttpadaptor.NewFastHTTPHandler(b)
	return all
}

// site answers the paths that are nobody's: those of the example site, where --demo asks for it.
func site(c *serveConfig) fasthttp.RequestHandler {
	if !c.demo {
		return nil
	}
	return onlyGet(func(ctx *fasthttp.RequestCtx) {
		path := string(ctx.Path())
		if path == "/" || path == strings.TrimSuffix(demoRoot, "/") {
			ctx.Redirect(demoRoot, fasthttp.StatusFound)
			return
		}
		rest, inDemo := strings.CutPrefix(path, demoRoot)
		body, contentType, ok := examples.File(rest)
		if !inDemo || !ok {
			ctx.Error("404: there is nothing here; the example site begins at "+demoRoot+"\n", fasthttp.StatusNotFound)
			return
		}
		if len(c.writeKeys) > 0 {
			body = withKey(body, c.writeKeys[0])
		}
		ctx.Response.Header.Set("Cache-Control", "no-cache")
		ctx.SetContentType(contentType)
		ctx.SetBody(body)
	})
}

// withKey gives the script tag of a page the write key, which is public.
func withKey(page []byte, key string) []byte {
	tag := []byte(`<script src="/nudge.js"`)
	return bytes.ReplaceAll(page, tag, append(tag[:len(tag):len(tag)], ` data-key="`+html.EscapeString(key)+`"`...))
}

func onlyGet(h fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if !ctx.IsGet() && !ctx.IsHead() {
			ctx.Response.Header.Set("Allow", "GET, HEAD")
			ctx.Error("405: this path answers GET only\n", fasthttp.StatusMethodNotAllowed)
			return
		}
		h(ctx)
	}
}
