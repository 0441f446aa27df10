//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What the clients do.
const (
	loadClients   = 4
	loadVisitors  = 50 // of one client: nobody else sends their events, so what each must have sent is known
	loadCompanies = 20
	loadEvents    = 20 // at most, in one request
	retryPause    = 50 * time.Millisecond
)

// load is the clients, and what they know.
type load struct {
	ctx   context.Context
	pause time.Duration // of a client between two requests
	bulk  int           // bytes of noise in each event
	stop  chan struct{} // closed: each client ends behind its request
	wg    sync.WaitGroup
	took  latencies

	mu       sync.Mutex
	url      string        // of the server that runs, or of the last one
	moved    chan struct{} // closed when url changes
	tally    tally
	statuses map[string]int // answers by status and code; "" is none
	failure  error          // an answer that should never be
	progress chan struct{}  // gets a value when something was accepted
}

func newLoad(ctx context.Context, seed uint64) *load {
	l := &load{
		ctx: ctx, stop: make(chan struct{}), moved: make(chan struct{}), statuses: map[string]int{}, progress: make(chan struct{}, 1),
		tally: newTally(seed),
	}
	return l
}

// begin starts the clients.
func (l *load) begin() {
	for i := range loadClients {
		l.wg.Go(func() { l.client(i) })
	}
}

// finish lets each client end its request.
func (l *load) finish() error {
	close(l.stop)
	l.wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// move tells everybody where the server is now.
func (l *load) move(p *server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.url = p.url
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *load) where() (url string, moved chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.url, l.moved
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	case <-l.ctx.Done():
		return true
	default:
		return false
	}
}

// client sends requests one after the other, each as it is until it is answered.
func (l *load) client(number int) {
	c := newSender(number, l.tally.seed, l.bulk)
	var before *request
	for !l.stopped() {
		if before != nil && c.rng.IntN(20) == 0 { // as if its answer had been lost
			l.post(before)
		}
		r := c.next()
		for !l.post(r) {
			if l.ctx.Err() != nil {
				return
			}
		}
		l.mu.Lock()
		l.tally.accept(r)
		l.mu.Unlock()
		select {
		case l.progress <- struct{}{}:
		default:
		}
		before = r
		l.rest(l.pause)
	}
}

func (l *load) rest(d time.Duration) {
	if d > 0 {
		select {
		case <-time.After(d):
		case <-l.ctx.Done():
		}
	}
}

// post says whether the request was answered with 200. Where it was not, it has waited a little.
func (l *load) post(r *request) bool {
	url, moved := l.where()
	sent := time.Now()
	req, err := http.NewRequestWithContext(l.ctx, http.MethodPost, url+"/v1/events"+r.query, bytes.NewReader(r.body))
	if err != nil {
		l.fail(err)
		return false
	}
	resp, err := client.Do(req)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err != nil {
		l.count("no answer")
		select {
		case <-moved:
		case <-time.After(retryPause):
		case <-l.ctx.Done():
		}
		return false
	}
	switch {
	case resp.StatusCode == http.StatusOK && strings.Contains(string(text), fmt.Sprintf(`"accepted":%d`, r.events)):
		l.took.add(time.Since(sent))
		l.count("200")
		return true
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable:
		l.count(fmt.Sprintf("%d %s", resp.StatusCode, codeOf(text)))
		if resp.Header.Get("Retry-After") == "" && codeOf(text) != "" { // without a code it is refused as a connection
			l.fail(fmt.Errorf("%s without Retry-After: %s", resp.Status, text))
		}
		l.rest(retryPause)
	default:
		l.fail(fmt.Errorf("%s: %s", resp.Status, text))
		l.rest(retryPause)
	}
	return false
}

// codeOf is the code of an error's body.
func codeOf(body []byte) string {
	_, rest, _ := strings.Cut(string(body), `"code":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

func (l *load) count(status string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[status]++
}

func (l *load) answers(status string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.statuses[status]
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		l.failure = err
	}
}

func (l *load) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tally.accepted
}

// more waits until so many more events were accepted.
func (l *load) more(events int) error {
	return l.until(fmt.Sprintf("%d more events to be accepted", events), waitTime, func() bool { events0 := l.accepted(); return events0 >= events })
}

// waitTime bounds every wait for something that must happen.
const waitTime = 3 * time.Minute

// until looks again and again until something is so.
func (l *load) until(what string, within time.Duration, so func() bool) error {
	over := time.After(within)
	for !so() {
		select {
		case <-l.progress:
		case <-time.After(20 * time.Millisecond):
		case <-over:
			l.mu.Lock()
			defer l.mu.Unlock()
			return fmt.Errorf("waited %v for %s; answers so far: %v, %v", within, what, l.statuses, l.failure)
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
	return nil
}

// request is one request and what must come of it.
type request struct {
	body   []byte
	query  string
	events int
	marks  int // events that fire
	stays  []string
	people []join
	last   int // number of the client's last marked event
	client int
}

// join is a visit of a company.
type join struct{ company, visitor int }

// sender makes one client's requests.
type sender struct {
	number int
	rng    *rand.Rand
	sent   int               // events
	marked int               // events that fire
	seen   [loadVisitors]int // events that each visitor has sent
	noise  []byte
	bulk   int
}

func newSender(number int, seed uint64, bulk int) *sender {
	return &sender{number: number, rng: rand.New(rand.NewPCG(seed, uint64(number))), bulk: bulk}
}

// next makes a request of some events: visits, marked ones that must fire with the visits so far, and stays, some of which end at once.
func (c *sender) next() *request {
	r := &request{client: c.number}
	var body bytes.Buffer
	for range 1 + c.rng.IntN(loadEvents) {
		v := c.rng.IntN(loadVisitors)
		company := c.rng.IntN(loadCompanies)
		kind := c.rng.IntN(20)
		c.sent++
		r.events++
		id := fmt.Sprintf("c%d-%d", c.number, c.sent)
		switch {
		case kind < 4:
			c.marked++
			r.marks++
			fmt.Fprintf(&body, `{"type":"mark","id":%q,"visitor":"v%d-%d","n":%d,"want":%d%s}`+"\n", id, c.number, v, c.marked, c.seen[v], c.fill())
		case kind == 4:
			visitor := fmt.Sprintf("s%d-%d", c.number, c.sent)
			fmt.Fprintf(&body, `{"type":"stay","id":%q,"visitor":%q}`+"\n", id, visitor)
			if c.rng.IntN(2) == 0 {
				r.stays = append(r.stays, visitor)
				break
			}
			c.sent++
			r.events++
			fmt.Fprintf(&body, `{"type":"go","id":"c%d-%d","visitor":%q}`+"\n", c.number, c.sent, visitor)
		default:
			c.seen[v]++
			r.people = append(r.people, join{company, c.number*loadVisitors + v})
			fmt.Fprintf(&body, `{"type":"seen","id":%q,"visitor":"v%d-%d","company":"company-%d.example"%s}`+"\n", id, c.number, v, company, c.fill())
		}
	}
	r.body, r.last = body.Bytes(), c.marked
	if c.rng.IntN(4) == 0 {
		r.query = "?decide=1"
	}
	return r
}

// fill is noise that no compression makes smaller by much.
func (c *sender) fill() string {
	if c.bulk == 0 {
		return ""
	}
	const signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	c.noise = c.noise[:0]
	for range c.bulk {
		c.noise = append(c.noise, signs[c.rng.IntN(len(signs))])
	}
	return `,"noise":"` + string(c.noise) + `"`
}
