package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// demoRig posts the given events to a server that answers with each of the answers in turn.
func demoRig(t *testing.T, events int, answers ...http.HandlerFunc) (out string, slept []time.Duration, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(answers) == 0 {
			t.Error("one request more than expected")
			return
		}
		next := answers[0]
		answers = answers[1:]
		next(w, r)
	}))
	defer server.Close()
	p := &poster{url: server.URL, key: "k1", sleep: func(_ context.Context, d time.Duration) error {
		slept = append(slept, d)
		return nil
	}}
	lines := make([][]byte, events)
	for i := range lines {
		lines[i] = []byte(`{"type":"page_view"}`)
	}
	var b strings.Builder
	err = p.demo(context.Background(), lines, &b)
	return b.String(), slept, err
}

func reply(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestDemoWaitsForABusyServer(t *testing.T) {
	busy := func(after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}
	var sent []int
	take := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = append(sent, strings.Count(string(body), "page_view"))
		if user, _, _ := r.BasicAuth(); user != "k1" {
			t.Errorf("key %q", user)
		}
		io.WriteString(w, `{"accepted":`+grouped(int64(sent[len(sent)-1]))+`}`)
	}
	out, slept, err := demoRig(t, demoBatch+1, busy("2"), busy("soon"), busy("3600"), take, take)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out, "posted 201 events") {
		t.Errorf("%s", out)
	}
	if len(sent) != 2 || sent[0] != demoBatch || sent[1] != 1 {
		t.Errorf("batches of %v", sent)
	}
	if want := []time.Duration{2 * time.Second, time.Second, demoMaxWait}; len(slept) != 3 || slept[0] != want[0] || slept[1] != want[1] || slept[2] != want[2] {
		t.Errorf("slept %v, want %v", slept, want)
	}
}

func TestDemoProblems(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
		code   int
	}{
		{"refused", reply(400, `{"accepted":0,"rejected":[{"index":0,"message":"no type"}]}`), "refused 1 event; the first: no type", exitFound},
		{"key", reply(401, `{}`), "--write-key", exitUsage},
		{"another program", reply(404, "not found"), "is it another program?", exitRun},
		{"server's fault", reply(503, `{"error":{"message":"the disk is full"}}`), "the disk is full", exitRun},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := demoRig(t, 1, tt.answer)
			if err == nil || !strings.Contains(err.Error(), tt.want) || exitCode(err) != tt.code {
				t.Errorf("%v with code %d, want %q with %d", err, exitCode(err), tt.want, tt.code)
			}
		})
	}
	p := &poster{url: "http://127.0.0.1:1", sleep: func(context.Context, time.Duration) error { return errors.New("slept") }}
	if err := p.demo(context.Background(), [][]byte{{}}, io.Discard); err == nil || !strings.Contains(err.Error(), "nudge serve --demo") {
		t.Errorf("nobody listens: %v", err)
	}
}
