package bench

import (
	"context"
	"strings"
	"testing"
	"time"
)

// echoLoad is a load on an echo: every answer is the body.
func echoLoad(t *testing.T, conns int, body string) *load {
	t.Helper()
	e, err := startEcho()
	if err != nil {
		t.Fatal(err)
	}
	l := newLoad(conns, e.addr(), "/", func(int) func() []byte { return func() []byte { return []byte(body) } })
	t.Cleanup(func() {
		l.close()
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// TestLoadEndsAtItsLimit: as many requests as asked for, each with a latency, whatever time is left.
func TestLoadEndsAtItsLimit(t *testing.T) {
	l := echoLoad(t, 3, "hello")
	for name, run := range map[string]func() (slot, error){
		"closed": func() (slot, error) { return l.closed(context.Background(), time.Hour, 12) },
		"open":   func() (slot, error) { return l.open(context.Background(), time.Hour, 12, 1000) },
	} {
		s, err := run()
		if err != nil || s.requests != 12 || s.refused != 0 || s.latency.TotalCount() != 12 {
			t.Errorf("%s: %d requests, %d refused, %d latencies, error %v", name, s.requests, s.refused, s.latency.TotalCount(), err)
		}
	}
}

// TestWrongAnswersEndTheBench: the speed of a server that does not do its work is not measured.
func TestWrongAnswersEndTheBench(t *testing.T) {
	for name, tt := range map[string]struct {
		answers, popup string
		fails          bool
	}{
		"right":         {"hel", "lo", false},
		"other begin":   {"help", "", true},
		"without popup": {"hel", "popup", true},
	} {
		l := echoLoad(t, 1, "hello")
		l.answers, l.popup = []byte(tt.answers), []byte(tt.popup)
		_, err := l.closed(context.Background(), time.Hour, 1)
		if (err != nil) != tt.fails || err != nil && !strings.Contains(err.Error(), "hello") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestBodies: events that a server takes, each with an id of its own.
func TestBodies(t *testing.T) {
	seen := map[string]bool{}
	for worker := range 2 {
		next := newBodies(worker).events(3)
		for range bodiesEvents {
			body := string(next())
			for _, part := range strings.Split(body, `{"id":"`)[1:] {
				if id := part[:36]; seen[id] {
					t.Fatalf("the id %s comes twice", id)
				} else {
					seen[id] = true
				}
			}
		}
	}
	if want := 2 * 3 * bodiesEvents; len(seen) != want {
		t.Errorf("%d ids, want %d", len(seen), want)
	}
}

// TestOtherStatusEndsTheBench: an answer that is not 200 counts for nothing, whatever it says.
func TestOtherStatusEndsTheBench(t *testing.T) {
	s, err := startServer(context.Background(), t.TempDir(), sixRules, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := newLoad(1, s.addr(), "/nowhere", func(int) func() []byte { return func() []byte { return nil } })
	_, err = l.closed(context.Background(), time.Hour, 1)
	if err == nil || !strings.Contains(err.Error(), "answer 404, want 200") {
		t.Errorf("error %v", err)
	}
	l.close()
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
