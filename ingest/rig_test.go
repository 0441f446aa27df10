package ingest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp/fasthttputil"

	"nudge"
)

// fakeSink keeps what it is given, as lines.
type fakeSink struct {
	names *nudge.Names

	mu      sync.Mutex
	calls   int
	decided int
	lines   []string
	err     error
	firings []nudge.Firing
	panics  bool
}

func (f *fakeSink) Submit(_ context.Context, records []byte, count int, decide bool) ([]nudge.Firing, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.panics {
		panic("BUG: planted")
	}
	if f.err != nil {
		return nil, f.err
	}
	for n := 0; len(records) > 0 || n < count; n++ {
		rec, rest, err := nudge.NextRecord(records)
		if err != nil {
			return nil, err
		}
		f.lines = append(f.lines, dump(f.names, rec))
		records = rest
	}
	if !decide {
		return nil, nil
	}
	f.decided++
	return f.firings, nil
}

// rig is a server on a listener in memory, and a client of it.
type rig struct {
	t    testing.TB
	sink *fakeSink
	srv  *Server
	ln   *fasthttputil.InmemoryListener
	http http.Client
	logs *logged
}

func newRig(t testing.TB, change func(*ServerOptions)) *rig {
	t.Helper()
	names := nudge.NewNames()
	r := &rig{t: t, sink: &fakeSink{names: names}, ln: fasthttputil.NewInmemoryListener(), logs: &logged{}}
	o := ServerOptions{
		Sink: r.sink, Names: names, Now: func() nudge.Millis { return received },
		Logger: slog.New(slog.NewTextHandler(r.logs, nil)), Registerer: prometheus.NewRegistry(),
	}
	if change != nil {
		change(&o)
	}
	srv, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	r.srv = srv
	served := make(chan error, 1)
	go func() { served <- srv.Serve(r.ln) }()
	r.http.Transport = &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return r.ln.Dial() },
		DisableCompression: true,
	}
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return r
}

// logged is a log that two goroutines may touch.
type logged struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r *rig) do(method, path, body string, header ...string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://nudge.test"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

func (r *rig) post(path, body string, header ...string) reply {
	r.t.Helper()
	return r.do("POST", path, body, header...)
}

// raw sends bytes as they are and reads one answer.
func (r *rig) raw(text string) reply {
	r.t.Helper()
	c, err := r.ln.Dial()
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// want fails unless the answer has this status and body.
func (a reply) want(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Errorf("answer %d %s\nwant   %d %s", a.status, a.body, status, body)
	}
}

// wantError fails unless the answer is an error of this status, code and field.
func (a reply) wantError(t testing.TB, status int, code, field string) {
	t.Helper()
	var got struct {
		Error struct{ Code, Message, Field string }
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Errorf("answer %d is not JSON: %q", a.status, a.body)
	}
	if a.status != status || got.Error.Code != code || got.Error.Field != field || got.Error.Message == "" {
		t.Errorf("answer %d %s\nwant   %d code %q field %q", a.status, a.body, status, code, field)
	}
}

// took fails unless the sink has taken exactly these records since the last time.
func (r *rig) took(calls int, lines ...string) {
	r.t.Helper()
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	if r.sink.calls != calls || strings.Join(r.sink.lines, "\n") != strings.Join(lines, "\n") {
		r.t.Errorf("the sink was called %d times and has\n%s\nwant %d times and\n%s", r.sink.calls, strings.Join(r.sink.lines, "\n"), calls, strings.Join(lines, "\n"))
	}
	r.sink.calls, r.sink.lines = 0, nil
}
