package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// streamOf opens a stream of server-sent events and returns it once its first line has come.
func streamOf(t *testing.T, url string) *bufio.Reader {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "retry: ") {
		t.Fatalf("%s begins with %q (%v)", url, line, err)
	}
	return r
}

// slowRequest sends the beginning of a request and leaves it at that.
func slowRequest(t *testing.T, p *process) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := fmt.Fprintf(c, "POST /v1/events HTTP/1.1\r\nHost: nudge\r\nContent-Length: 1000\r\n\r\n{\"type\":"); err != nil {
		t.Fatal(err)
	}
	return c
}

// stopsInOrder: a signal ends streams with word of when to come back, waits for nobody who has gone silent in the middle of a request, and leaves
// nothing to read back.
func stopsInOrder(t *testing.T, bin string) {
	rules, data := crashRules(t), filepath.Join(t.TempDir(), "data")
	p := mustStart(t, bin, "--data", data, "--rules", rules, "--listen", "127.0.0.1:0")
	l := newLoad(t, t.Context())
	l.move(p.url)
	for i := range 100 {
		if !l.post(fmt.Appendf(nil, `{"type":"seen","visitor":"v%d","n":%d}`, i, i), 1, false) {
			t.Fatal("an event is not taken")
		}
	}
	popups, alerts := streamOf(t, p.url+"/v1/popups/stream?visitor=v1"), streamOf(t, p.url+"/v1/alerts/stream?after=latest")
	slowRequest(t, p)
	p.end(syscall.SIGTERM)
	if p.code() != exitDone {
		t.Errorf("exit code %d: %s", p.code(), p.errs.String())
	}
	for name, r := range map[string]*bufio.Reader{"popups": popups, "alerts": alerts} {
		rest, _ := io.ReadAll(r) // however the connection ended
		if !strings.Contains(string(rest), "event: stopping\n") || !strings.Contains(string(rest), "retry: ") {
			t.Errorf("the stream of %s ends with %q", name, rest)
		}
	}
	crashMetrics(t, bin, data, rules, p)
}

// secondSignal: while the first one waits for a request that does not arrive, a second one ends the process at once; nothing is lost. The two are of
// different kinds, so that the second one need not wait until the first has been taken: the process cannot have ended in order before it comes.
func secondSignal(t *testing.T, bin string) {
	rules, data := crashRules(t), filepath.Join(t.TempDir(), "data")
	flags := []string{"--data", data, "--rules", rules, "--listen", "127.0.0.1:0"}
	p := mustStart(t, bin, flags...)
	l := newLoad(t, t.Context())
	l.move(p.url)
	if !l.post([]byte(`{"type":"seen","visitor":"v","n":1}`), 1, false) {
		t.Fatal("the event is not taken")
	}
	slowRequest(t, p)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.end(syscall.SIGINT)
	if p.code() != exitRun || !strings.Contains(p.errs.String(), "second signal") {
		t.Errorf("exit code %d, want %d: %s", p.code(), exitRun, p.errs.String())
	}
	p = mustStart(t, bin, flags...)
	l.move(p.url)
	if alerts, _, err := l.page(""); err != nil || len(alerts) != 1 {
		t.Errorf("%d alerts after the restart, want 1 (%v)", len(alerts), err)
	}
	p.end(syscall.SIGTERM)
}
