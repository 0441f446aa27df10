package deliver

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nudge"
)

// dial opens a connection whose writes wait for the reader, byte by byte, and sends a request on it.
func (r *rig) dial(path string) (client net.Conn, served chan error) {
	client, server := net.Pipe()
	served = make(chan error, 1)
	go func() { served <- r.server.ServeConn(server) }()
	if _, err := fmt.Fprintf(client, "GET %s HTTP/1.1\r\nHost: nudge\r\n\r\n", path); err != nil {
		r.t.Fatal(err)
	}
	return client, served
}

func TestHeartbeats(t *testing.T) {
	for _, path := range []string{"/v1/popups/stream?visitor=v1", "/v1/alerts/stream"} {
		// The server's WriteTimeout of a second would end these streams.
		inBubble(t, Options{}, func(t *testing.T, r *rig) {
			s := r.stream(path)
			defer s.close()
			start := time.Now()
			for i := range 10 {
				if b := s.block(); b != ":\n" {
					t.Fatalf("block %q", b)
				}
				if d := time.Since(start); d != time.Duration(i+1)*Heartbeat {
					t.Fatalf("heartbeat %d after %v", i+1, d)
				}
			}
			r.publish(popupFiring("v1", 1, millis(), "a"), alertFiring(2, "a"))
			s.next()
		})
	}
}

func TestSlowConsumerIsClosedAndHoldsNobodyUp(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		client, served := r.dial("/v1/popups/stream?visitor=v1")
		defer client.Close()
		br := bufio.NewReaderSize(client, 16)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, "retry: ") {
				break
			}
		}
		other := r.stream("/v1/popups/stream?visitor=v1")
		defer other.close()

		start := time.Now()
		for i := range nudge.Offset(1000) {
			r.publish(popupFiring("v1", i+1, millis(), "a"))
			if got := other.next().itemID(t); got != fmt.Sprintf("f%d", i+1) {
				t.Fatalf("the other stream got %s at %d", got, i+1)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("publishing took %v", d)
		}
		if err := <-served; err == nil {
			t.Error("the connection ended without an error")
		}
		if d := time.Since(start); d != DefaultStallTimeout {
			t.Errorf("closed after %v", d)
		}
		if n := r.metric("slow_consumers_closed_total"); n != 1 {
			t.Errorf("slow consumers closed: %v", n)
		}
		if n := r.metric("streams_open", "kind=popup_stream"); n != 1 {
			t.Errorf("streams open: %v", n)
		}
		back := r.stream("/v1/popups/stream?visitor=v1", "Last-Event-ID: 0-0")
		defer back.close()
		if got := back.next().itemID(t); got != "f985" {
			t.Errorf("after coming back the first is %s, want the oldest of the 16 newest", got)
		}
	})
}

// A reader that is slow but not stuck keeps its stream, however long the answer takes in all.
func TestReaderThatKeepsReadingIsKept(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		for i := range nudge.Offset(2000) {
			r.feed.add(alertFiring(i+1, "a"))
		}
		client, served := r.dial("/v1/alerts/stream")
		got := 0
		br := bufio.NewReaderSize(client, 4096)
		for got < 2000 {
			line, err := br.ReadString('\n')
			if err != nil {
				t.Fatalf("after %d alerts: %v", got, err)
			}
			if strings.HasPrefix(line, "event: alert") {
				if got++; got%10 == 0 {
					time.Sleep(DefaultStallTimeout / 10)
				}
			}
		}
		client.Close()
		<-served
		if n := r.metric("slow_consumers_closed_total"); n != 0 {
			t.Errorf("slow consumers closed: %v", n)
		}
	})
}

func TestCloseEndsStreamsAndPolls(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		streams := []*sse{r.stream("/v1/popups/stream?visitor=v1"), r.stream("/v1/alerts/stream")}
		polled := make(chan int, 2)
		for _, path := range []string{"/v1/popups?visitor=v2&wait=60s", "/v1/alerts?wait=60s"} {
			go func() {
				status, _ := r.get(path)
				polled <- status
			}()
		}
		synctest.Wait()
		start := time.Now()
		r.hub.Close()
		for range 2 {
			if status := <-polled; status != http.StatusOK {
				t.Errorf("poll answered %d", status)
			}
		}
		for _, s := range streams {
			if b := s.block(); !strings.HasPrefix(b, "retry: ") || !strings.Contains(b, "\nevent: stopping\n") {
				t.Errorf("the stream ends with %q, want it to say when to come back", b)
			}
			if b := s.block(); b != "" {
				t.Errorf("the stream goes on with %q", b)
			}
			s.close()
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
		if status, body := r.get("/v1/popups/stream?visitor=v1"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"code":"stopped"`) {
			t.Errorf("a new stream: %d %s", status, body)
		}
		r.publish(popupFiring("v1", 1, millis(), "a")) // the engine may stop later
		r.hub.Close()
	})
}

func TestCloseCutsWhoIsStuck(t *testing.T) {
	inBubble(t, Options{StallTimeout: time.Hour}, func(t *testing.T, r *rig) {
		client, served := r.dial("/v1/popups/stream?visitor=v1")
		defer client.Close()
		synctest.Wait() // the server writes, nobody reads
		start := time.Now()
		r.hub.Close()
		if d := time.Since(start); d != closeGrace {
			t.Errorf("took %v, want %v", d, closeGrace)
		}
		<-served
	})
}

// A stream that has ended must not leave its write deadline to the next answer on the connection.
func TestConnectionIsNotUsedAgain(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, r *rig) {
		s := r.stream("/v1/popups/stream?visitor=v1")
		defer s.close()
		if !s.resp.Close {
			t.Error("the answer does not say Connection: close")
		}
	})
}
