package main

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func ask(h fasthttp.RequestHandler, method, path string) *fasthttp.Response {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod(method)
	ctx.Request.SetRequestURI(path)
	h(&ctx)
	return &ctx.Response
}

func TestExampleSite(t *testing.T) {
	h := site(&serveConfig{demo: true, writeKeys: []string{`k"1`}})
	for path, want := range map[string]int{
		"/": 302, "/demo": 302, "/demo/": 200, "/demo/pricing": 200, "/demo/feed": 200, "/demo/style.css": 200,
		"/demo/none": 404, "/pricing": 404, "/index.html": 404, "/demo/../serve.go": 404,
	} {
		if got := ask(h, "GET", path).StatusCode(); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := ask(h, "POST", "/demo/").StatusCode(); got != 405 {
		t.Errorf("POST: %d", got)
	}
	page := string(ask(h, "GET", "/demo/").Body())
	if !strings.Contains(page, `<script src="/nudge.js" data-key="k&#34;1"`) {
		t.Error("the page does not give nudge.js its key")
	}
	if strings.Contains(string(ask(site(&serveConfig{demo: true}), "GET", "/demo/").Body()), "data-key") {
		t.Error("a page without a key names one")
	}
	if site(&serveConfig{}) != nil {
		t.Error("the site is served without --demo")
	}
}
