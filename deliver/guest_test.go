package deliver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// tab is the browser's end of a connection, whose server knows when it is closed.
type tab struct {
	net.Conn
	served chan error
	server *closable
}

// closable is the server's end of it.
type closable struct {
	net.Conn
	gone atomic.Bool
}

func (c *closable) PeerGone() bool { return c.gone.Load() }

// tab sends a request on a connection of its own.
func (r *rig) tab(path string) *tab {
	r.t.Helper()
	client, server := net.Pipe()
	b := &tab{client, make(chan error, 1), &closable{Conn: server}}
	go func() { b.served <- r.server.ServeConn(b.server) }()
	if _, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: nudge\r\n\r\n", path); err != nil {
		r.t.Fatal(err)
	}
	return b
}

// status reads the head of the answer; what follows is taken in.
func (b *tab) status(t *testing.T) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(b.Conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, b.Conn)
	return resp.StatusCode
}

// leave closes the tab. What the server writes from now on goes nowhere, without an error, as the first bytes behind a close do.
func (b *tab) leave() { b.server.gone.Store(true) }

// Who goes from page to page leaves streams behind of which nothing is heard: they take no room.
func TestTabsThatAreGoneTakeNoRoom(t *testing.T) {
	const stream, poll = "/v1/popups/stream?visitor=v1", "/v1/popups?visitor=v1&wait=60s"
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		var old []*tab
		for i := range DefaultMaxStreamsPerVisitor {
			b := r.tab([]string{stream, poll}[i%2])
			if i%2 == 0 && b.status(t) != 200 {
				t.Fatal("a stream is refused at once")
			}
			old = append(old, b)
		}
		synctest.Wait()
		if status := r.tab(stream).status(t); status != 429 {
			t.Fatalf("beyond the limit: %d", status)
		}
		for _, b := range old[:2] {
			b.leave()
			go io.Copy(io.Discard, b)
		}
		for i, want := range []int{200, 200, 429} {
			if status := r.tab(stream).status(t); status != want {
				t.Fatalf("stream %d behind two that are gone: %d, want %d", i, status, want)
			}
		}
		synctest.Wait()
		if streams, polls := r.metric("streams_open", "kind=popup_stream"), r.metric("streams_open", "kind=popup_poll"); streams != 5 || polls != 3 {
			t.Errorf("%v streams and %v polls are open, want 5 and 3", streams, polls)
		}
		if err := <-old[0].served; err != nil {
			t.Errorf("the stream that was left ended with %v", err)
		}
		r.publish(popupFiring("v1", 1, millis(), "a"))
		if ids, _ := r.popups("visitor=v1"); len(ids) != 1 {
			t.Errorf("pending %q", ids)
		}
		for _, b := range old {
			b.Close()
		}
	})
}

// The same where the server has no room for anybody; all are looked at once a second at most.
func TestGuestsThatAreGoneTakeNoRoom(t *testing.T) {
	inBubble(t, Options{MaxStreams: 3}, func(t *testing.T, r *rig) {
		open := []*tab{r.tab("/v1/alerts/stream"), r.tab("/v1/popups/stream?visitor=v1"), r.tab("/v1/alerts/stream")}
		for _, b := range open {
			b.status(t)
		}
		steps := []struct {
			leaves int // of open, -1: none
			after  time.Duration
			want   int
		}{{-1, 0, 429}, {0, 0, 429}, {-1, lookEvery, 200}, {1, 0, 429}, {2, lookEvery, 200}, {-1, 0, 200}, {-1, lookEvery, 429}}
		for i, s := range steps {
			if s.leaves >= 0 {
				open[s.leaves].leave()
			}
			time.Sleep(s.after)
			if status := r.tab("/v1/alerts/stream").status(t); status != s.want {
				t.Fatalf("step %d: %d, want %d", i, status, s.want)
			}
		}
	})
}

// Popups are for everybody who knows the public key: they leave room for those who read alerts.
func TestPopupsLeaveRoomForAlerts(t *testing.T) {
	inBubble(t, Options{MaxStreams: 2 * alertShare}, func(t *testing.T, r *rig) {
		open := 0
		for i := range 3 * alertShare {
			if r.tab(fmt.Sprint("/v1/popups/stream?visitor=", i)).status(t) == 200 {
				open++
			}
		}
		if want := 2*alertShare - 2; open != want {
			t.Errorf("%d streams of popups are let in, want %d", open, want)
		}
		for i, want := range []int{200, 200, 429} {
			if status := r.tab("/v1/alerts/stream").status(t); status != want {
				t.Errorf("stream %d of alerts: %d, want %d", i, status, want)
			}
		}
	})
}

// A stream that nobody asks the room of ends at the heartbeat.
func TestStreamIsGoneAtTheHeartbeat(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		start := time.Now()
		b := r.tab("/v1/popups/stream?visitor=v1")
		b.status(t)
		b.leave()
		select {
		case err := <-b.served:
			if d := time.Since(start); err != nil || d != Heartbeat {
				t.Errorf("it ended after %v with %v, want %v", d, err, Heartbeat)
			}
		case <-time.After(2 * Heartbeat):
			t.Error("it goes on")
		}
	})
}
