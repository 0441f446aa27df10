package deliver

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"

	"nudge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memFeed is a feed in memory.
type memFeed struct {
	mu      sync.Mutex
	firings []nudge.Firing
	err     error
	most    int          // most firings in one answer, 0: as many as asked for
	read    atomic.Int64 // firings that were given out
	then    func()       // called once, when the newest cursor has been read and before it is answered
}

func (f *memFeed) add(list ...nudge.Firing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.firings = append(f.firings, list...)
}

func (f *memFeed) Firings(after nudge.Cursor, limit int) ([]nudge.Firing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	if f.most > 0 {
		limit = min(limit, f.most)
	}
	i, found := slices.BinarySearchFunc(f.firings, after, func(g nudge.Firing, c nudge.Cursor) int { return compare(g.Cursor, c) })
	if found {
		i++
	}
	page := slices.Clone(f.firings[i:min(len(f.firings), i+limit)])
	f.read.Add(int64(len(page)))
	return page, nil
}

func (f *memFeed) Last() nudge.Cursor {
	f.mu.Lock()
	var last nudge.Cursor
	if len(f.firings) > 0 {
		last = f.firings[len(f.firings)-1].Cursor
	}
	then := f.then
	f.then = nil
	f.mu.Unlock()
	if then != nil {
		then()
	}
	return last
}

func compare(a, b nudge.Cursor) int {
	return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.N, b.N))
}

// rig is a hub behind a real HTTP server in memory.
type rig struct {
	t      testing.TB
	hub    *Hub
	feed   *memFeed
	reg    *prometheus.Registry
	server *fasthttp.Server
	ln     *fasthttputil.InmemoryListener
	client *http.Client
	served chan error
}

func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{t: t, feed: &memFeed{}, reg: prometheus.NewRegistry(), ln: fasthttputil.NewInmemoryListener(), served: make(chan error, 1)}
	o.Feed, o.Registerer = r.feed, r.reg
	hub, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.hub = hub
	routes := hub.Routes()
	r.server = &fasthttp.Server{
		NoDefaultDate: true, // its clock is a goroutine that never ends
		WriteTimeout:  time.Second,
		Logger:        quiet{},
		Handler: func(ctx *fasthttp.RequestCtx) {
			if h := routes[string(ctx.Path())]; h != nil {
				h(ctx)
				return
			}
			ctx.SetStatusCode(fasthttp.StatusNotFound)
		},
	}
	r.client = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return r.ln.Dial() },
	}}
	go func() { r.served <- r.server.Serve(r.ln) }()
	return r
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// close ends everything in the order that a server has to keep.
func (r *rig) close() {
	r.hub.Close()
	r.client.CloseIdleConnections()
	if err := r.server.Shutdown(); err != nil {
		r.t.Errorf("shutdown: %v", err)
	}
	if err := <-r.served; err != nil {
		r.t.Errorf("serve: %v", err)
	}
}

// publish does what the engine does: the feed first.
func (r *rig) publish(list ...nudge.Firing) {
	r.feed.add(list...)
	r.hub.Publish(list)
}

// get returns status and body of a GET; headers as "Name: value".
func (r *rig) get(path string, headers ...string) (int, string) {
	r.t.Helper()
	resp := r.do("GET", path, headers...)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (r *rig) do(method, path string, headers ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://nudge"+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// popups returns the ids of the pending popups.
func (r *rig) popups(query string) (ids []string, next string) {
	r.t.Helper()
	var body struct {
		Popups []struct{ ID string }
		Next   string
	}
	r.getJSON("/v1/popups?"+query, &body)
	for _, p := range body.Popups {
		ids = append(ids, p.ID)
	}
	return ids, body.Next
}

func (r *rig) alerts(query string) (ids []string, next string) {
	r.t.Helper()
	var body struct {
		Alerts []struct{ ID string }
		Next   string
	}
	r.getJSON("/v1/alerts?"+query, &body)
	for _, a := range body.Alerts {
		ids = append(ids, a.ID)
	}
	return ids, body.Next
}

func (r *rig) getJSON(path string, into any) {
	r.t.Helper()
	status, body := r.get(path)
	if status != 200 {
		r.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		r.t.Fatalf("GET %s: %v in %s", path, err, body)
	}
}

// metric is the value of a series, labels as "reason=expired"; -1 if there is none.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			var have []string
			for _, l := range m.Label {
				have = append(have, l.GetName()+"="+l.GetValue())
			}
			if f.GetName() == "nudge_deliver_"+name && slices.Equal(have, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

// sse is an open stream.
type sse struct {
	t    testing.TB
	resp *http.Response
	br   *bufio.Reader
}

type sseEvent struct{ event, id, data string }

func (r *rig) stream(path string, headers ...string) *sse {
	r.t.Helper()
	resp := r.do("GET", path, headers...)
	if resp.StatusCode != 200 {
		body, _ := io.ReadAll(resp.Body)
		r.t.Fatalf("GET %s: %d %s", path, resp.StatusCode, body)
	}
	s := &sse{t: r.t, resp: resp, br: bufio.NewReader(resp.Body)}
	if b := s.block(); !strings.HasPrefix(b, "retry: ") {
		r.t.Fatalf("the stream begins with %q", b)
	}
	return s
}

// block reads up to an empty line; "" at the end of the stream.
func (s *sse) block() string {
	var b strings.Builder
	for {
		line, err := s.br.ReadString('\n')
		if err != nil {
			return ""
		}
		if line == "\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

// next reads the next event, passing over heartbeats.
func (s *sse) next() sseEvent {
	s.t.Helper()
	for {
		b := s.block()
		if b == "" {
			s.t.Fatal("the stream has ended")
		}
		if b == ":\n" {
			continue
		}
		var e sseEvent
		for line := range strings.Lines(b) {
			name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch {
			case ok && name == "event":
				e.event = value
			case ok && name == "id":
				e.id = value
			case ok && name == "data":
				e.data = value
			default:
				s.t.Fatalf("line %q in block %q", line, b)
			}
		}
		return e
	}
}

func (s *sse) close() { s.resp.Body.Close() }

func (e sseEvent) itemID(t testing.TB) string {
	t.Helper()
	var item struct{ ID string }
	if err := json.Unmarshal([]byte(e.data), &item); err != nil {
		t.Fatalf("%v in %q", err, e.data)
	}
	return item.ID
}

// Firings for tests. The id says the cursor.

func popupFiring(visitor string, offset nudge.Offset, at nudge.Millis, templates ...string) nudge.Firing {
	f := nudge.Firing{
		ID: fmt.Sprintf("f%d", offset), Cursor: nudge.Cursor{Offset: offset}, Rule: "demo-help", Per: "visitor",
		Key: visitor, Visitor: visitor, At: at, Cause: nudge.CauseTimer, Timer: true,
	}
	for _, name := range templates {
		f.Actions = append(f.Actions, nudge.Action{Kind: nudge.ActionPopup, Name: name, Data: json.RawMessage(`{"a":1}`)})
	}
	return f
}

func alertFiring(offset nudge.Offset, texts ...string) nudge.Firing {
	f := nudge.Firing{
		ID: fmt.Sprintf("f%d", offset), Cursor: nudge.Cursor{Offset: offset}, Rule: "hot", Kind: nudge.KindCompany,
		Per: "company", Key: "acme.example", At: nudge.Millis(1000 + offset), Cause: "e1",
	}
	for _, text := range texts {
		f.Actions = append(f.Actions, nudge.Action{Kind: nudge.ActionAlert, Name: text, Data: json.RawMessage(`{"n":3}`)})
	}
	return f
}

// millis is the time of the bubble, or of the machine, that hubs go by.
func millis() nudge.Millis { return nudge.Millis(time.Now().UnixMilli()) }
