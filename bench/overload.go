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

// What the overload level does.
const (
	overloadTimes   = 2    // as much as the server can take
	overloadConns   = 1000 // each of them waits for its answer, as browsers do
	overloadSlots   = 4    // an overload lasts so many slots
	saturationConns = 64
	recoveryEvery   = time.Millisecond // between two requests behind the overload
	recoveryStreak  = 100              // so many taken in a row, and it is over
)

// flood is what was found in one overload.
type flood struct {
	asked, refused int
	took           time.Duration
	taken, turned  latencies     // of what was taken and what was refused, from the instant at which it was to be sent
	served         latencies     // of what was taken, from the instant at which it was sent
	recovered      time.Duration // from the last request of the overload to the last one refused behind it
}

// crowd is many connections that post what is asked of them. They share a pool of bodies and what is found: a pool and a histogram for each would take
// more memory than the server.
type crowd struct {
	conns   []*conn
	answers []byte // of a request that is taken

	mu    sync.Mutex
	body  func() []byte
	found flood
}

func newCrowd(n int, addr string, size, worker int) *crowd {
	c := &crowd{body: newBodies(worker).events(size), answers: fmt.Appendf(nil, `{"accepted":%d}`, size)}
	for range n {
		c.conns = append(c.conns, newConn(addr, "/v1/events"))
	}
	return c
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		conn.close()
	}
}

func (c *crowd) next(buf []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(buf[:0], c.body()...)
}

// flood posts perSecond requests a second whatever the answers are: each connection takes the next of the instants at which one is to be sent.
func (c *crowd) flood(ctx context.Context, d time.Duration, limit int, perSecond float64) error {
	c.found = flood{taken: newLatencies(), turned: newLatencies(), served: newLatencies()}
	var next atomic.Int64
	requests := min(max(int64(d.Seconds()*perSecond), 1), int64(limit))
	gap := float64(time.Second) / perSecond
	errs := make([]error, len(c.conns))
	var wg sync.WaitGroup
	begun := time.Now()
	for i, conn := range c.conns {
		wg.Go(func() {
			var body []byte
			for n := next.Add(1) - 1; n < requests && ctx.Err() == nil && errs[i] == nil; n = next.Add(1) - 1 {
				due := begun.Add(time.Duration(float64(n) * gap))
				body = c.next(body)
				time.Sleep(time.Until(due))
				_, errs[i] = c.post(conn, body, due)
			}
		})
	}
	wg.Wait()
	c.found.took = time.Since(begun)
	return errors.Join(append(errs, ctx.Err())...)
}

// post sends one request and notes what became of it.
func (c *crowd) post(conn *conn, body []byte, due time.Time) (taken bool, err error) {
	sent := time.Now()
	status, answer, err := conn.post(body)
	if err != nil {
		return false, err
	}
	taken = status == 200 && bytes.HasPrefix(answer, c.answers)
	if !taken && status != statusBusy {
		return false, fmt.Errorf("answer %d, want 200 and %s, or %d: %.300s", status, c.answers, statusBusy, answer)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found.asked++
	if taken {
		c.found.taken.add(time.Since(due))
		c.found.served.add(time.Since(sent))
	} else {
		c.found.refused++
		c.found.turned.add(time.Since(due))
	}
	return taken, nil
}

// recover posts one request after the other until enough of them were taken in a row.
func (c *crowd) recover(ctx context.Context) error {
	begun, found := time.Now(), c.found
	for streak := 0; streak < recoveryStreak; {
		taken, err := c.post(c.conns[0], c.next(nil), time.Now())
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if streak++; !taken {
			streak, found.recovered = 0, time.Since(begun)
		}
		time.Sleep(recoveryEvery)
	}
	c.found = found
	return nil
}

// flooded is one size of requests under overload.
type flooded struct {
	size   int
	closed *load
	crowd  *crowd

	canDo, canDo99        []float64 // closed loop: requests a second, and their p99
	asked, taken, refused []float64
	p50, p99, turned99    []float64
	served50, served99    []float64
	recovered             []float64
}

// runOverload asks the server for twice what it can do.
func runOverload(ctx context.Context, o *Options, r *Report) (err error) {
	s, end, err := o.serve(ctx, r, sixRules, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var all []*flooded
	var contenders []contender
	var recorded bool
	for i, size := range httpSizes {
		f := newFlooded(s, size, i*1000)
		defer f.close()
		all = append(all, f)
		contenders = append(contenders, contender{plural(size, "event"), func(ctx context.Context) error { return f.run(ctx, o, recorded) }})
	}
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellOverload(r, all)
	return nil
}

func newFlooded(s *server, size, firstWorker int) *flooded {
	f := &flooded{size: size, crowd: newCrowd(overloadConns, s.addr(), size, firstWorker)}
	f.closed = newLoad(saturationConns, s.addr(), "/v1/events", func(worker int) func() []byte {
		return newBodies(firstWorker + 1 + worker).events(size)
	})
	f.closed.answers = f.crowd.answers
	return f
}

func (f *flooded) close() {
	f.closed.close()
	f.crowd.close()
}

// run finds what the server can take in a closed loop, asks for twice as much, and then a little, until it takes everything again.
func (f *flooded) run(ctx context.Context, o *Options, recorded bool) error {
	limit := max(o.Events/f.size, 1)
	calm, err := f.closed.closed(ctx, o.slot(), limit)
	if err == nil {
		err = f.crowd.flood(ctx, overloadSlots*o.slot(), overloadSlots*limit, overloadTimes*calm.perSecond())
	}
	if err == nil {
		err = f.crowd.recover(ctx)
	}
	if err != nil || !recorded {
		return err
	}
	found := &f.crowd.found
	seconds := found.took.Seconds()
	f.canDo = append(f.canDo, calm.perSecond())
	f.canDo99 = append(f.canDo99, calm.latency.quantile(99))
	f.asked = append(f.asked, float64(found.asked)/seconds)
	f.taken = append(f.taken, float64(found.asked-found.refused)/seconds)
	f.refused = append(f.refused, float64(found.refused)/float64(max(found.asked, 1))*100)
	f.p50 = append(f.p50, found.taken.quantile(50))
	f.p99 = append(f.p99, found.taken.quantile(99))
	f.served50 = append(f.served50, found.served.quantile(50))
	f.served99 = append(f.served99, found.served.quantile(99))
	f.turned99 = append(f.turned99, found.turned.quantile(99))
	f.recovered = append(f.recovered, float64(found.recovered.Microseconds()))
	return nil
}

func tellOverload(r *Report, all []*flooded) {
	rates := Table{Title: "per request", Columns: []string{"can do, requests/s", "asked", "taken", "refused, %"}}
	times := Table{Title: "answered after", Columns: []string{"can do: p99", "taken: p50", "p99", "once sent: p50", "p99", "refused: p99", "refuses behind it for"}}
	for _, f := range all {
		name := plural(f.size, "event")
		rates.row(name, spread(PerSecond, f.canDo), spread(PerSecond, f.asked), spread(PerSecond, f.taken), spread(Count, f.refused))
		times.row(name, spread(Micros, f.canDo99), spread(Micros, f.p50), spread(Micros, f.p99), spread(Micros, f.served50), spread(Micros, f.served99), spread(Micros, f.turned99), spread(Micros, f.recovered))
		r.EventsPerSecond = max(r.EventsPerSecond, spread(PerSecond, f.taken).Median*float64(f.size))
	}
	r.Tables = append(r.Tables, rates, times)
	r.Method = append(r.Method,
		"the server of `nudge serve` with its defaults, in this process: every event that is taken is synced to the log before the answer",
		fmt.Sprintf("can do: a closed loop on %d connections for %v; asked: %d times as many requests a second at fixed instants, over %d connections, for %v", saturationConns, slotTime, overloadTimes, overloadConns, overloadSlots*slotTime),
		"latencies count from the instant at which a request was to be sent; one that is refused with 429 is not sent again",
		"behind it: one request every millisecond; how long it takes until none is refused any more",
		"clients and server share the cores, so what clients take is missing to the server, and where they do not come to ask for so much, what is taken has waited for its client: once sent is the server's part",
		"events_per_second is what was taken in the faster row",
	)
}
