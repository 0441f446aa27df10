//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	floodConns  = 600 // each of them sends the next request as soon as it has an answer, whatever that is
	floodEvents = 200 // in one request
	floodTime   = 10 * time.Second
)

// overloaded floods the server beside the load. Whoever is let in must be served as ever, whoever is not must be told to come back, and once the flood is
// over nobody may be refused any more.
func overloaded(ctx context.Context, o *options, dir string) (*result, error) {
	t, err := newTrial(ctx, o, dir, "", nil)
	if err != nil {
		return nil, err
	}
	if err := t.load.more(t.load.accepted() + betweenHarm); err != nil {
		return nil, err
	}
	taken, refused, err := flood(ctx, t.server.url)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := t.load.more(t.load.accepted() + 1); err != nil {
		return nil, err
	}
	again := time.Since(begun)
	t.load.rest(time.Second)
	before := t.load.answers("429 busy")
	if err := t.load.more(t.load.accepted() + betweenHarm); err != nil {
		return nil, err
	}
	if late := t.load.answers("429 busy") - before; late > 0 {
		return nil, fmt.Errorf("%d requests were refused a second and more after the flood", late)
	}
	if refused == 0 {
		return nil, errors.New("nothing was refused: the flood was none")
	}
	r, err := t.end()
	if err == nil {
		r.more = fmt.Sprintf("of the flood's %d requests of %d events in %v %d were taken, %d refused with 429; the clients' next request was taken %v after it",
			taken+refused, floodEvents, floodTime, taken, refused, again.Round(time.Millisecond))
	}
	return r, err
}

// flood sends events that no rule asks for, on many connections.
func flood(ctx context.Context, base string) (taken, refused int64, err error) {
	many := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: floodConns, MaxConnsPerHost: floodConns}}
	defer many.CloseIdleConnections()
	var body bytes.Buffer
	for i := range floodEvents {
		fmt.Fprintf(&body, `{"type":"flood","visitor":"f%d","path":"/some/path"}`+"\n", i)
	}
	var counts [2]atomic.Int64
	errs := make([]error, floodConns)
	var wg sync.WaitGroup
	over := time.Now().Add(floodTime)
	for i := range floodConns {
		wg.Go(func() {
			for time.Now().Before(over) && ctx.Err() == nil && errs[i] == nil {
				resp, err := many.Post(base+"/v1/events", "application/json", bytes.NewReader(body.Bytes()))
				if err != nil {
					errs[i] = err
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				switch {
				case err == nil && resp.StatusCode == http.StatusOK:
					counts[0].Add(1)
				case err == nil && resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "":
					counts[1].Add(1)
				default:
					errs[i] = fmt.Errorf("flood: %s (%w)", resp.Status, err)
				}
			}
		})
	}
	wg.Wait()
	return counts[0].Load(), counts[1].Load(), errors.Join(errs...)
}
