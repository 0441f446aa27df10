package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nudge/deliver"
)

// server is a running `nudge serve`.
type server struct {
	*testing.T
	url  string
	stop context.CancelFunc
	done chan int
	errs *lockedBuffer
}

// lockedBuffer is standard error: several goroutines write to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServer starts one and waits for the line that says it is ready.
func startServer(t *testing.T, flags ...string) *server {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &server{T: t, stop: stop, done: make(chan int, 1), errs: &lockedBuffer{}}
	out, w := io.Pipe()
	go func() {
		s.done <- executeWithin(ctx, time.Hour, append([]string{"serve", "--listen", "127.0.0.1:0", "--shards", "2"}, flags...), strings.NewReader(""), w, s.errs)
		w.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		t.Fatalf("the server ended with code %d: %s", <-s.done, s.errs)
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the first line is %q", line)
	}
	s.url = url
	return s
}

// end stops the server as a signal does and wants a clean end.
func (s *server) end() {
	s.Helper()
	s.stop()
	if code := <-s.done; code != exitDone {
		s.Fatalf("exit code %d: %s", code, s.errs)
	}
}

func (s *server) do(method, path, body string, want int) string {
	s.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	if resp.StatusCode != want {
		s.Fatalf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return string(text)
}

func TestServeGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	rules, data := filepath.Join(dir, "rules"), filepath.Join(dir, "data")
	if err := os.MkdirAll(rules, 0o700); err != nil {
		t.Fatal(err)
	}
	rule := `{per: visitor, when: count(page_view, "1h") >= 3, then: [popup("hello", {}), alert("third page", {}), emit("third")]}`
	if err := os.WriteFile(filepath.Join(rules, "third.expr"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	event := `{"type":"page_view","visitor":"v1"}`

	s := startServer(t, "--rules", rules, "--data", data)
	if got := s.do("POST", "/v1/events", `{"type":"third","visitor":"v1"}`, 400); !strings.Contains(got, "which a rule emits") {
		t.Error(got)
	}
	s.do("POST", "/v1/events?decide=1", event, 200)
	if got := s.do("POST", "/v1/events?decide=1", event, 200); strings.Contains(got, "hello") {
		t.Errorf("two pages: %s", got)
	}
	s.end()

	s = startServer(t, "--rules", rules, "--data", data)
	if got := s.do("POST", "/v1/events?decide=1", event, 200); !strings.Contains(got, `"template":"hello"`) {
		t.Errorf("the third page, after a restart: %s", got)
	}
	if got := s.do("GET", "/v1/alerts", "", 200); strings.Count(got, "third page") != 1 {
		t.Errorf("alerts: %s", got)
	}
	if got := s.do("GET", "/metrics", "", 200); !strings.Contains(got, "nudge_engine_firings_total 1") {
		t.Errorf("metrics: %s", got)
	}
	if got := s.do("GET", "/nudge.js", "", 200); len(got) < 1000 {
		t.Errorf("nudge.js: %s", got)
	}
	s.do("GET", "/demo/", "", 404)
	s.end()
}

// Who goes from page to page has a stream on each, and none on those that are left.
func TestServeForgetsPagesThatAreLeft(t *testing.T) {
	s := startServer(t, "--demo", "--data", t.TempDir())
	defer s.end()
	for page := range 3 * deliver.DefaultMaxStreamsPerVisitor {
		status := ""
		for range 1000 { // the system may take a moment to say that a connection is closed, but no heartbeats
			if status = s.openAndLeave("/v1/popups/stream?visitor=v1"); status == "200" {
				break
			}
		}
		if status != "200" {
			t.Fatalf("page %d: %s", page, status)
		}
	}
}

// openAndLeave asks for a path, closes the connection behind the first line of the answer and returns its status.
func (s *server) openAndLeave(path string) (status string) {
	s.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		s.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		s.Fatal(err)
	}
	_, rest, _ := strings.Cut(line, " ")
	status, _, _ = strings.Cut(rest, " ")
	return status
}

func TestServeDemo(t *testing.T) {
	s := startServer(t, "--demo", "--data", t.TempDir(), "--write-key", "w1", "--feed-key", "f1")
	defer s.end()
	s.do("GET", "/demo/", "", 200)
	s.do("POST", "/v1/events", `{"type":"page_view","visitor":"v1"}`, 401)
	s.do("GET", "/v1/alerts", "", 401)
	var out, errs bytes.Buffer
	if code := execute(context.Background(), []string{"demo", "--url", s.url, "--write-key", "w1"}, nil, &out, &errs); code != exitDone {
		t.Fatalf("demo ends with %d: %s", code, errs.String())
	}
	if !strings.HasPrefix(out.String(), "posted ") {
		t.Errorf("%s", out.String())
	}
	if got := s.do("GET", "/v1/alerts?key=f1", "", 200); !strings.Contains(got, `"alerts":[]`) {
		t.Errorf("the history alone made alerts: %s", got)
	}
	for _, step := range []string{`{"type":"page_view","visitor":"now","path":"/demo/"}`, `{"type":"identify","visitor":"now","email":"ana@acme.example"}`} {
		s.do("POST", "/v1/events?decide=1&key=w1", step, 200)
	}
	if got := s.do("GET", "/v1/alerts?key=f1", "", 200); !strings.Contains(got, `"alerts":[]`) {
		t.Errorf("signing in alone made alerts: %s", got)
	}
	s.do("POST", "/v1/events?decide=1&key=w1", `{"type":"page_view","visitor":"now","path":"/demo/pricing"}`, 200)
	if got := s.do("GET", "/v1/alerts?key=f1", "", 200); !strings.Contains(got, "highly-engaged") || strings.Contains(got, "hot-company") {
		t.Errorf("after one page more: %s", got)
	}
	s.do("POST", "/v1/events?decide=1&key=w1", `{"type":"page_view","email":"lee@acme.example","path":"/demo/docs"}`, 200)
	if got := s.do("GET", "/v1/alerts?key=f1", "", 200); !strings.Contains(got, "hot-company") {
		t.Errorf("a colleague made no alert: %s", got)
	}
}

func TestServeProblems(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	broken := t.TempDir()
	for path, text := range map[string]string{file: "", filepath.Join(broken, "a.expr"): "{per: visitor"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name  string
		flags []string
		code  int
		want  string
	}{
		{"port in use", []string{"--demo", "--listen", taken.Addr().String(), "--data", t.TempDir()}, exitRun, "another program uses this port"},
		{"data is a file", []string{"--demo", "--listen", "127.0.0.1:0", "--data", file}, exitRun, file},
		{"broken rules", []string{"--rules", broken, "--listen", "127.0.0.1:0", "--data", t.TempDir()}, exitFound, filepath.Join(broken, "a.expr") + ":1:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var errs lockedBuffer
			code := execute(context.Background(), append([]string{"serve"}, tt.flags...), nil, io.Discard, &errs)
			if code != tt.code || !strings.Contains(errs.String(), tt.want) {
				t.Errorf("exit code %d, want %d: %s", code, tt.code, errs.String())
			}
			if strings.Contains(errs.String(), "stopping") {
				t.Errorf("a server that never ran says that it stops: %s", errs.String())
			}
		})
	}
}
