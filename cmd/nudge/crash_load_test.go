package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// load is the clients, and what they know.
type load struct {
	*testing.T
	ctx      context.Context
	stop     atomic.Bool // ends each client behind its request
	answered chan int    // events of each answered request

	mu     sync.Mutex
	url    string        // of the process that runs, or of the last one
	moved  chan struct{} // closed when url changes
	acked  map[string]bool
	again  int // events of answered requests that were sent once more
	failed int // requests that were not answered
}

func newLoad(t *testing.T, ctx context.Context) *load {
	return &load{T: t, ctx: ctx, acked: map[string]bool{}, answered: make(chan int), moved: make(chan struct{})}
}

// move tells everybody where the server is now.
func (l *load) move(to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.url = to
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *load) where() (at string, moved chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.url, l.moved
}

// client sends events with ids of their own; a request that is not answered with 200 is sent again as it is.
func (l *load) client(number int) {
	rng := rand.New(rand.NewPCG(uint64(number), 5))
	next := 0
	var before []byte // an answered request
	for !l.stop.Load() {
		if before != nil && rng.IntN(20) == 0 { // as if its answer had been lost, maybe with the process
			if l.post(before, bytes.Count(before, []byte{'\n'}), false) {
				l.mu.Lock()
				l.again += bytes.Count(before, []byte{'\n'})
				l.mu.Unlock()
			}
		}
		var ids []string
		var body bytes.Buffer
		for range 1 + rng.IntN(crashEvents) {
			id := fmt.Sprintf("c%d-%d", number, next)
			fmt.Fprintf(&body, `{"type":"seen","id":%q,"visitor":"v%d-%d","company":"company-%d.example","n":%d}`+"\n",
				id, number, rng.IntN(50), rng.IntN(crashCompanies), next)
			ids = append(ids, id)
			next++
		}
		for !l.post(body.Bytes(), len(ids), rng.IntN(4) == 0) {
			if l.ctx.Err() != nil {
				return
			}
		}
		before = body.Bytes()
		l.mu.Lock()
		for _, id := range ids {
			l.acked[id] = true
		}
		l.mu.Unlock()
		select {
		case l.answered <- len(ids):
		case <-l.ctx.Done():
			return
		}
	}
}

// post says whether the request was answered with 200. Where the process went away it waits for the next one.
func (l *load) post(body []byte, events int, decide bool) bool {
	base, moved := l.where()
	gone := func() bool {
		l.mu.Lock()
		l.failed++
		l.mu.Unlock()
		select {
		case <-moved:
		case <-l.ctx.Done():
		}
		return false
	}
	at := base + "/v1/events"
	if decide {
		at += "?decide=1"
	}
	req, err := http.NewRequestWithContext(l.ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		l.Error(err)
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return gone()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil || resp.StatusCode == http.StatusServiceUnavailable:
		return gone()
	case resp.StatusCode == http.StatusTooManyRequests:
		return false
	case resp.StatusCode != http.StatusOK || !strings.Contains(string(text), fmt.Sprintf(`"accepted":%d`, events)):
		l.Errorf("%s: %s", resp.Status, text)
	}
	return resp.StatusCode == http.StatusOK
}

// wait returns when about so many more events have been answered.
func (l *load) wait(events int) {
	l.Helper()
	for events > 0 {
		select {
		case n := <-l.answered:
			events -= n
		case <-l.ctx.Done():
			l.Fatal("the events are not answered in time")
		}
	}
}

// alert is one of the feed.
type alert struct {
	ID, Cursor, Rule, Key, Text string
	At                          int64
	Data                        struct{ N int }
}

// page reads the alerts after a cursor.
func (l *load) page(after string) (alerts []alert, next string, err error) {
	base, _ := l.where()
	at := fmt.Sprintf("%s/v1/alerts?limit=1000&after=%s", base, url.QueryEscape(after))
	req, err := http.NewRequestWithContext(l.ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, after, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, after, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, after, errors.New(resp.Status)
	}
	var answer struct {
		Alerts []alert
		Next   string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, after, err
	}
	return answer.Alerts, answer.Next, nil
}

// walk goes on from a cursor to the end of the feed. While processes come and go it tries again.
func (l *load) walk(seen []alert, after string, until *atomic.Bool) []alert {
	for l.ctx.Err() == nil {
		last := until.Load()
		_, moved := l.where()
		part, next, err := l.page(after)
		if err != nil {
			select {
			case <-moved:
			case <-l.ctx.Done():
			}
			continue
		}
		seen, after = append(seen, part...), next
		if len(part) == 0 && last {
			return seen
		}
	}
	return seen
}
