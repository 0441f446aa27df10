package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"nudge"
)

func TestEvents(t *testing.T) {
	r := newRig(t, nil)
	r.post("/v1/events", `{"type":"a","visitor":"v"}`).want(t, 200, `{"accepted":1}`)
	r.took(1, `a key=visitor visitor="v"`)

	r.post("/v1/events", `[{"type":"a","visitor":"v"},{"type":"b","visitor":"v"}]`, "Content-Type", "text/plain").want(t, 200, `{"accepted":2}`)
	r.took(1, `a key=visitor visitor="v"`, `b key=visitor visitor="v"`)

	r.post("/v1/events", `[{"type":"a","visitor":"v"},{"visitor":"v"}]`).want(t, 207,
		`{"accepted":1,"rejected":[{"index":1,"code":"missing","message":"type is missing: say what happened, as in \"page_view\"","field":"type"}]}`)
	r.took(1, `a key=visitor visitor="v"`)

	r.post("/v1/events", string(toMsgpack(t, `[{"type":"a","visitor":"v"}]`)), "Content-Type", "application/msgpack").want(t, 200, `{"accepted":1}`)
	r.took(1, `a key=visitor visitor="v"`)
}

func TestNothingTakenReachesNoSink(t *testing.T) {
	r := newRig(t, nil)
	r.post("/v1/events", `[]`).want(t, 200, `{"accepted":0}`)
	r.post("/v1/events", `[{"type":"a"}]`).want(t, 400, `{"error":{"code":"missing","message":"visitor is missing, and so are user, email and company: an event needs one of them","field":"visitor"},`+
		`"accepted":0,"rejected":[{"index":0,"code":"missing","message":"visitor is missing, and so are user, email and company: an event needs one of them","field":"visitor"}]}`)
	r.post("/v1/events", `[{"type":"a","visitor":"v"},{"type":`).wantError(t, 400, "bad_body", "")
	r.post("/v1/events", ``).wantError(t, 400, "bad_body", "")
	if a := r.post("/v1/events", " \r\n\t"); !strings.Contains(a.body, "the body is empty") {
		t.Errorf("a body of white space: %s", a.body)
	}
	r.post("/v1/events", string(toMsgpack(t, `[{"type":"a","visitor":"v"}]`)[:10])).wantError(t, 400, "bad_body", "")
	r.post("/v1/alias", `{"userId":"u","previousId":"u"}`).want(t, 200, `{"success":true}`)
	r.took(0)
}

func TestDecide(t *testing.T) {
	r := newRig(t, nil)
	popup := func(name, data string) nudge.Action {
		return nudge.Action{Kind: nudge.ActionPopup, Name: name, Data: []byte(data)}
	}
	r.sink.firings = []nudge.Firing{
		{ID: "f1", Rule: "r1", At: 1000, Actions: []nudge.Action{popup("a", `{"x":"<"}`), {Kind: nudge.ActionAlert, Name: "no popup"}, popup("b", "")}},
		{ID: "f2", Rule: "r2", At: 1000, Suppressed: nudge.SuppressedCooldown, Actions: []nudge.Action{popup("c", "{}")}},
		{ID: "f3", Rule: "r3", At: 1000, Shadow: true, Actions: []nudge.Action{popup("d", "{}")}},
		{ID: "f4", Rule: "r4", At: 2000, Actions: []nudge.Action{popup("e", "{}")}},
	}
	r.post("/v1/events?decide=1", `{"type":"a","visitor":"v"}`).want(t, 200, `{"accepted":1,"popups":[`+
		`{"id":"f1","rule":"r1","template":"a","data":{"x":"<"},"expires_at":1801000},`+
		`{"id":"f1.1","rule":"r1","template":"b","data":{},"expires_at":1801000},`+
		`{"id":"f4","rule":"r4","template":"e","data":{},"expires_at":1802000}]}`)
	r.post("/v1/events?decide=1", `[]`).want(t, 200, `{"accepted":0,"popups":[]}`)
	r.post("/v1/events?decide=0", `{"type":"a","visitor":"v"}`).want(t, 200, `{"accepted":1}`)
	if r.sink.decided != 1 {
		t.Errorf("asked for %d decisions, want 1", r.sink.decided)
	}
}

func TestSegmentRoutes(t *testing.T) {
	r := newRig(t, nil)
	for path, body := range map[string]string{
		"/v1/track": `{"event":"a","userId":"u"}`, "/v1/t": `{"event":"a","userId":"u"}`,
		"/v1/identify": `{"userId":"u"}`, "/v1/i": `{"userId":"u"}`,
		"/v1/page": `{"userId":"u"}`, "/v1/p": `{"userId":"u"}`,
		"/v1/screen": `{"userId":"u"}`, "/v1/s": `{"userId":"u"}`,
		"/v1/group": `{"userId":"u","groupId":"g"}`, "/v1/g": `{"userId":"u","groupId":"g"}`,
		"/v1/alias": `{"userId":"u","previousId":"v"}`, "/v1/a": `{"userId":"u","previousId":"v"}`,
		"/v1/batch": `{"batch":[{"type":"page","userId":"u"}]}`, "/v1/b": `{"batch":[{"type":"page","userId":"u"}]}`,
	} {
		r.post(path, body, "Content-Type", "text/plain").want(t, 200, `{"success":true}`)
		if r.sink.calls != 1 {
			t.Errorf("%s called the sink %d times", path, r.sink.calls)
		}
		r.sink.calls = 0
	}
	r.sink.lines = nil

	r.post("/v1/batch", `{"batch":[{"type":"page","userId":"u"},{"type":"page"}]}`).want(t, 200, `{"success":true}`)
	r.took(1, `page_view key=user user="u"`)
	if !strings.Contains(r.logs.String(), "rejected") {
		t.Error("what was rejected is not in the log")
	}
	r.post("/v1/batch", `{"batch":[{"type":"page"}]}`).wantError(t, 400, "missing", "anonymousId")
	r.post("/v1/batch", `{"batch":`).wantError(t, 400, "bad_body", "")
	r.post("/v1/track", `x`).wantError(t, 400, "bad_body", "")
	r.took(0)
}

func TestEngineRefuses(t *testing.T) {
	r := newRig(t, nil)
	for _, path := range []string{"/v1/events", "/v1/events?decide=1", "/v1/page"} {
		for _, refused := range []struct {
			err    error
			status int
			code   string
		}{{nudge.ErrBusy, 429, "busy"}, {fmt.Errorf("write: %w", nudge.ErrFull), 503, "disk_full"}} {
			r.sink.err = refused.err
			a := r.post(path, `{"type":"a","user":"v","userId":"u"}`)
			a.wantError(t, refused.status, refused.code, "")
			if a.header.Get("Retry-After") == "" {
				t.Errorf("%d without Retry-After", refused.status)
			}
		}
		r.sink.err = nudge.ErrStopped
		r.post(path, `{"type":"a","user":"v","userId":"u"}`).wantError(t, 503, "stopped", "")
		r.sink.err = errors.New("something else")
		r.post(path, `{"type":"a","user":"v","userId":"u"}`).wantError(t, 503, "stopped", "")
	}
	r.sink.err = nil
	r.post("/v1/events", `{"type":"a","visitor":"v"}`).want(t, 200, `{"accepted":1}`)
}

func TestWriteKey(t *testing.T) {
	r := newRig(t, func(o *ServerOptions) { o.WriteKeys = []string{"k1", "k2"} })
	event, batch := `{"type":"a","visitor":"v"}`, `{"batch":[{"type":"page","userId":"u"}]}`
	basic := func(userinfo string) string { return "Basic " + userinfo }
	for _, c := range []struct {
		path, body string
		header     []string
		ok         bool
	}{
		{"/v1/events", event, nil, false},
		{"/v1/events", event, []string{"X-Write-Key", "k1"}, true},
		{"/v1/events", event, []string{"X-Write-Key", "k3"}, false},
		{"/v1/events", event, []string{"Authorization", basic("azI6")}, true},  // k2:
		{"/v1/events", event, []string{"Authorization", basic("azM6")}, false}, // k3:
		{"/v1/events", event, []string{"Authorization", basic("not base64")}, false},
		{"/v1/events", event, []string{"Authorization", basic(strings.Repeat("azI6", 1000))}, false},
		{"/v1/events", event, []string{"Authorization", "Bearer k2"}, true},
		{"/v1/events?key=k1", event, nil, true},
		{"/v1/events?key=k", event, nil, false},
		{"/v1/events?key=k1", event, []string{"X-Write-Key", "k3"}, false}, // the header wins
		{"/v1/events", `{"type":"a","visitor":"v","writeKey":"k1"}`, nil, true},
		{"/v1/events", `{"type":"a","visitor":"v","writeKey":"k1"}`, []string{"X-Write-Key", "k3"}, false},
		{"/v1/events", `{"type":"a","visitor":"v","writeKey":"k3"}`, []string{"X-Write-Key", "k1"}, true},
		{"/v1/events", `[{"type":"a","visitor":"v","writeKey":"k1"},{"type":"b","visitor":"v"}]`, nil, true},
		{"/v1/events", `{"type":"a","visitor":"v","writeKey":5}`, nil, false},
		{"/v1/events", `[]`, nil, false},
		{"/v1/events", string(toMsgpack(t, `{"type":"a","props":{"x":1},"writeKey":"k1","visitor":"v"}`)), nil, true},
		{"/v1/events", string(toMsgpack(t, `{"type":"a","visitor":"v"}`)), nil, false},
		{"/v1/events", string(toMsgpack(t, `[]`)), nil, false},
		{"/v1/batch", batch, nil, false},
		{"/v1/batch", batch, []string{"Authorization", basic("azE6")}, true},
		{"/v1/batch", `{"batch":[{"type":"page","userId":"u"}],"writeKey":"k1"}`, nil, true},
		{"/v1/batch", `{"batch":[{"type":"page","userId":"u","writeKey":"k1"}]}`, nil, false},
		{"/v1/page", `{"userId":"u","writeKey":"k2"}`, nil, true},
		{"/v1/page", `{"userId":"u","writeKey":"k"}`, nil, false},
	} {
		names := r.srv.o.Names.Len()
		a := r.post(c.path, c.body, c.header...)
		if c.ok != (a.status == 200) || !c.ok && a.status != 401 {
			t.Errorf("%s %s %v answers %d %s", c.path, c.body, c.header, a.status, a.body)
		}
		if want := map[bool]int{true: 1}[c.ok]; r.sink.calls != want {
			t.Errorf("%s %s %v reached the sink %d times", c.path, c.body, c.header, r.sink.calls)
		}
		if !c.ok && r.srv.o.Names.Len() != names {
			t.Errorf("%s %s %v: a stranger has made a name", c.path, c.body, c.header)
		}
		r.sink.calls = 0
	}
}

func gzipped(t testing.TB, s string) string {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func TestGzip(t *testing.T) {
	r := newRig(t, nil)
	event := gzipped(t, `{"type":"a","visitor":"v"}`)
	for range 2 { // the second time with what the first has left behind
		r.post("/v1/events", event, "Content-Encoding", "gzip").want(t, 200, `{"accepted":1}`)
	}
	r.post("/v1/events", event, "Content-Type", "text/plain").want(t, 200, `{"accepted":1}`)
	r.post("/v1/page", gzipped(t, `{"userId":"u"}`), "Content-Type", "application/x-www-form-urlencoded").want(t, 200, `{"success":true}`)
	r.post("/v1/events", event[:len(event)-4]).wantError(t, 400, "bad_body", "")
	r.post("/v1/events", "\x1f\x8b"+"nonsense").wantError(t, 400, "bad_body", "")
	r.post("/v1/events", "x", "Content-Encoding", "br").wantError(t, 415, "unsupported_encoding", "Content-Encoding")

	// A bomb: 64 MiB of blanks.
	bomb := gzipped(t, strings.Repeat(" ", 64<<20))
	r.post("/v1/events", bomb).wantError(t, 413, "too_large", "")
	r.post("/v1/batch", bomb).wantError(t, 413, "too_large", "")

	// It is not unpacked any further than needed to see that it is too large.
	var ctx fasthttp.RequestCtx
	ctx.Request.SetBodyString(bomb)
	d := newDecoder(r.srv)
	if _, err := d.unpack(&ctx, 1000); err == nil || cap(d.plain) > 1<<16 {
		t.Errorf("error %v with %d bytes unpacked", err, cap(d.plain))
	}

	// At the limit and one byte beyond.
	pad := func(n int) string {
		s := `{"type":"a","visitor":"v"}`
		return gzipped(t, s+strings.Repeat(" ", n-len(s)))
	}
	r.post("/v1/events", pad(MaxBodyBytes)).want(t, 200, `{"accepted":1}`)
	r.post("/v1/events", pad(MaxBodyBytes+1)).wantError(t, 413, "too_large", "")
}

func TestBodyTooLarge(t *testing.T) {
	r := newRig(t, nil)
	pad := func(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }
	native, segment := `{"type":"a","visitor":"v"}`, `{"userId":"u"}`
	r.post("/v1/events", pad(native, MaxBodyBytes)).want(t, 200, `{"accepted":1}`)
	r.post("/v1/page", pad(segment, MaxSegmentBodyBytes)).want(t, 200, `{"success":true}`)
	r.took(2, `a key=visitor visitor="v"`, `page_view key=user user="u"`)

	// Declared too long: refused before any of it is read.
	declare := func(path string, n int) reply {
		return r.raw("POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(n) + "\r\n\r\n")
	}
	declare("/v1/events", MaxBodyBytes+1).wantError(t, 413, "too_large", "")
	declare("/v1/page", MaxSegmentBodyBytes+1).wantError(t, 413, "too_large", "")
	declare("/v1/p?key=1", MaxSegmentBodyBytes+1).wantError(t, 413, "too_large", "")
	declare("/elsewhere", maxOtherBodyBytes+1).wantError(t, 413, "too_large", "")

	// Not declared: in chunks.
	chunk := strings.Repeat(" ", 0x10000)
	chunked := func(path string, n int) reply {
		return r.raw("POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("10000\r\n"+chunk+"\r\n", n))
	}
	for path, n := range map[string]int{"/v1/page": 9, "/v1/events": 17} {
		a := chunked(path, n)
		a.wantError(t, 413, "too_large", "")
		if strings.Contains(a.body, strconv.Itoa(maxOtherBodyBytes)) { // the library has forgotten the path by then
			t.Errorf("%s: the limit is another: %s", path, a.body)
		}
	}
	r.took(0)
}

// TestBodyTooLargeIsAnswered sends a body that is too large on a real connection and finds the answer behind it.
func TestBodyTooLargeIsAnswered(t *testing.T) {
	srv, err := NewServer(ServerOptions{Listen: "127.0.0.1:0", Sink: &fakeSink{}, Names: nudge.NewNames()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- srv.Run(ctx) }()
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI("http://" + srv.Addr().String() + "/v1/events")
	req.Header.SetMethod("POST")
	req.SetBody(bytes.Repeat([]byte{' '}, 4<<20))
	for range 5 {
		if err := fasthttp.DoTimeout(req, resp, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode() != 413 {
			t.Fatalf("answer %d %s", resp.StatusCode(), resp.Body())
		}
	}
	stop()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
}

// A server that is told to end before it has begun to serve ends.
func TestRunEndsAtOnce(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for range 100 {
		srv, err := NewServer(ServerOptions{Listen: "127.0.0.1:0", Sink: &fakeSink{}, Names: nudge.NewNames()})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error, 1)
		go func() { ran <- srv.Run(ended) }()
		select {
		case err := <-ran:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it goes on")
		}
	}
}

func TestCORS(t *testing.T) {
	r := newRig(t, nil)
	for _, path := range []string{"/v1/events", "/v1/t", "/v1/projects/k/settings"} {
		a := r.do("OPTIONS", path, "", "Origin", "https://a.example", "Access-Control-Request-Headers", "authorization,x-any", "Access-Control-Request-Method", "POST")
		if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Headers") != "authorization,x-any" ||
			a.header.Get("Access-Control-Max-Age") != "86400" || a.header.Get("Access-Control-Allow-Methods") == "" {
			t.Errorf("%s: preflight answers %d %v", path, a.status, a.header)
		}
	}
	for _, body := range []string{`{"type":"a","visitor":"v"}`, `{`} {
		if a := r.post("/v1/events", body, "Origin", "https://a.example"); a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%d without Access-Control-Allow-Origin", a.status)
		}
		if a := r.post("/v1/events", body); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("no page asks, %d: %v", a.status, a.header)
		}
	}
	r = newRig(t, func(o *ServerOptions) { o.AllowedOrigins = []string{"https://a.example"} })
	for origin, want := range map[string]string{"https://a.example": "https://a.example", "https://b.example": ""} {
		a := r.post("/v1/events", `{"type":"a","visitor":"v"}`, "Origin", origin)
		if got := a.header.Get("Access-Control-Allow-Origin"); a.status != 200 || got != want {
			t.Errorf("origin %s is answered %d, allowed %q", origin, a.status, got)
		}
	}
}

func TestOtherRoutes(t *testing.T) {
	var notReady error
	loaded := 1.0
	r := newRig(t, func(o *ServerOptions) {
		o.Routes = map[string]fasthttp.RequestHandler{"/metrics": func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("theirs") }}
		o.Ready, o.Loaded = func() error { return notReady }, func() float64 { return loaded }
	})
	r.do("GET", "/metrics", "").want(t, 200, "theirs")
	r.do("GET", "/healthz", "").want(t, 200, `{"status":"ok"}`)
	r.do("HEAD", "/healthz", "").want(t, 200, ``)
	r.do("GET", "/readyz", "").want(t, 200, `{"status":"ready"}`)
	loaded = 0.25
	r.do("GET", "/readyz", "").want(t, 200, `{"status":"ready","loaded":0.250}`)
	notReady = errors.New("reading the log")
	r.do("GET", "/readyz", "").wantError(t, 503, "not_ready", "")
	r.do("GET", "/nowhere", "").wantError(t, 404, "not_found", "")
	a := r.do("GET", "/v1/events", "")
	a.wantError(t, 405, "method_not_allowed", "")
	if a.header.Get("Allow") != "POST, OPTIONS" || a.header.Get("Server") != "" {
		t.Errorf("headers %v", a.header)
	}
	a = r.do("GET", "/v1/projects/k7/settings", "")
	if a.status != 200 || !strings.Contains(a.body, `"Segment.io":{"apiKey":"k7","apiHost":"nudge.test/v1","protocol":"http"`) {
		t.Errorf("settings answer %d %s", a.status, a.body)
	}
	r = newRig(t, func(o *ServerOptions) {
		o.WriteKeys = []string{"k"}
		o.NotFound = func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("a page") }
	})
	r.do("GET", "/v1/projects/k7/settings", "").wantError(t, 401, "unauthorized", "key")
	r.do("GET", "/nowhere", "").want(t, 200, "a page")
}

func TestPanicIsAnswered(t *testing.T) {
	r := newRig(t, nil)
	r.sink.panics = true
	r.post("/v1/events", `{"type":"a","visitor":"v"}`).wantError(t, 500, "internal", "")
	if !strings.Contains(r.logs.String(), "BUG: planted") {
		t.Error("the bug is not in the log")
	}
	r.sink.panics = false
	r.post("/v1/events", `{"type":"a","visitor":"v"}`).want(t, 200, `{"accepted":1}`)
}

func TestListen(t *testing.T) {
	options := func(listen string, keys ...string) ServerOptions {
		return ServerOptions{Listen: listen, Sink: &fakeSink{}, Names: nudge.NewNames(), WriteKeys: keys}
	}
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:80"} {
		if _, err := NewServer(options(listen)); err == nil || !strings.Contains(err.Error(), "write key") {
			t.Errorf("%s without a key: %v", listen, err)
		}
		if _, err := NewServer(options(listen, "k")); err != nil {
			t.Errorf("%s with a key: %v", listen, err)
		}
	}
	for _, listen := range []string{"", "127.0.0.1:0", "[::1]:0", "localhost:0"} {
		if _, err := NewServer(options(listen)); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	if _, err := NewServer(options("8080")); err == nil {
		t.Error("8080 is taken for an address")
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	srv, err := NewServer(options(ln.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a port in use: %v", err)
	}
}

func TestOptions(t *testing.T) {
	o := ServerOptions{WriteKeys: []string{""}, PopupTTL: -1, Routes: map[string]fasthttp.RequestHandler{"/v1/events": nil}}
	_, err := NewServer(o)
	if err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("want five problems, got %v", err)
	}
}
