package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A slot is a time in which one thing is loaded.

// slotTime is how long a slot lasts.
const slotTime = 500 * time.Millisecond

// load is a set of connections that post to one address.
type load struct {
	conns   []*loadConn
	answers []byte // an answer that is not refused begins so; nil: any answer will do
	popup   []byte // and holds this, where it is not nil
}

type loadConn struct {
	*conn
	body func() []byte
	slot slot
}

// slot is what was found in a slot.
type slot struct {
	requests, refused int
	took              time.Duration
	latency           latencies // closed loop: from sending; open loop: from the instant at which it was to be sent
}

// newLoad opens n connections; body makes the bodies of one of them.
func newLoad(n int, addr, path string, body func(worker int) func() []byte) *load {
	l := &load{}
	for i := range n {
		l.conns = append(l.conns, &loadConn{conn: newConn(addr, path), body: body(i), slot: slot{latency: newLatencies()}})
	}
	return l
}

func (l *load) close() {
	for _, c := range l.conns {
		c.conn.close()
	}
}

// closed posts on every connection, one request after the other, until the slot is over or limit requests are sent.
func (l *load) closed(ctx context.Context, d time.Duration, limit int) (slot, error) {
	each := max(limit/len(l.conns), 1)
	return l.everyConn(func(c *loadConn) error {
		begun := time.Now()
		for now := begun; c.slot.requests < each && now.Sub(begun) < d && ctx.Err() == nil; {
			body := c.body()
			sent := time.Now()
			if err := l.post(c, body); err != nil {
				return err
			}
			now = time.Now()
			c.slot.latency.add(now.Sub(sent))
		}
		return ctx.Err()
	})
}

// open posts perSecond requests a second whatever the answers do: each connection takes the next of the instants at which a request is to be sent. A
// latency counts from that instant, so that a server which falls behind cannot hide it by being sent less (coordinated omission); the
// generator's own delays count against the server.
func (l *load) open(ctx context.Context, d time.Duration, limit int, perSecond float64) (slot, error) {
	var next atomic.Int64
	requests := min(max(int64(d.Seconds()*perSecond), 1), int64(limit))
	gap := float64(time.Second) / perSecond
	begun := time.Now()
	return l.everyConn(func(c *loadConn) error {
		for ctx.Err() == nil {
			n := next.Add(1) - 1
			if n >= requests {
				return nil
			}
			due := begun.Add(time.Duration(float64(n) * gap))
			body := c.body()
			time.Sleep(time.Until(due))
			if err := l.post(c, body); err != nil {
				return err
			}
			c.slot.latency.add(time.Since(due))
		}
		return ctx.Err()
	})
}

// everyConn runs f on all connections at once and adds up what they found.
func (l *load) everyConn(f func(*loadConn) error) (slot, error) {
	begun := time.Now()
	errs := make([]error, len(l.conns))
	var wg sync.WaitGroup
	for i, c := range l.conns {
		c.slot.requests, c.slot.refused = 0, 0
		c.slot.latency.Reset()
		wg.Go(func() { errs[i] = f(c) })
	}
	wg.Wait()
	all := slot{took: time.Since(begun), latency: newLatencies()}
	for _, c := range l.conns {
		all.requests += c.slot.requests
		all.refused += c.slot.refused
		all.latency.Merge(c.slot.latency.Histogram)
	}
	return all, errors.Join(errs...)
}

// post sends one request. An answer that is neither the expected one nor 429 ends the bench: its speed would mean nothing.
func (l *load) post(c *loadConn, body []byte) error {
	status, answer, err := c.post(body)
	c.slot.requests++
	switch {
	case err != nil:
		return err
	case status == statusBusy:
		c.slot.refused++
	case status != 200 || !bytes.HasPrefix(answer, l.answers) || !bytes.Contains(answer, l.popup):
		return fmt.Errorf("answer %d, want 200 and %s…%s: %.300s", status, l.answers, l.popup, answer)
	}
	return nil
}

// perSecond is the number of requests that were answered otherwise than refused, a second.
func (s *slot) perSecond() float64 { return float64(s.requests-s.refused) / s.took.Seconds() }

// loaded gathers the slots of the recorded rounds.
type loaded struct {
	rate, p50, p99, refused []float64
	all                     latencies
}

func newLoaded() *loaded { return &loaded{all: newLatencies()} }

func (l *loaded) add(s slot) {
	l.rate = append(l.rate, s.perSecond())
	l.p50 = append(l.p50, s.latency.quantile(50))
	l.p99 = append(l.p99, s.latency.quantile(99))
	l.refused = append(l.refused, float64(s.refused))
	l.all.Merge(s.latency.Histogram)
}

// p999 is taken over the requests of all rounds: one round has too few.
func (l *loaded) p999() Spread { return once(Micros, l.all.quantile(99.9)) }
