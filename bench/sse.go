package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"nudge"
	"nudge/rules"
)

// sseRules: a popup for whoever clicks, and an alert for each purchase.
var sseRules = []rules.Source{
	{File: "click.expr", Text: `{per: visitor, when: on(click), then: popup("hello", {})}`},
	{File: "purchase.expr", Text: `{per: visitor, when: on(event("purchase")), then: alert("bought", {})}`},
}

const (
	ssePopups  = 1000 // open streams of as many visitors
	sseAlerts  = 100  // open streams of the feed
	sseRate    = 500  // popups a second
	sseAlerted = 20   // alerts a second, each to every stream of the feed
)

// told is one way of telling many streams.
type told struct {
	name      string
	event     string // that is sent
	path      func(stream int) string
	line      []byte // by which a stream is told
	streams   int
	each      int // streams that are told of one event
	perSecond int

	open              []net.Conn
	told              chan time.Time
	done              sync.WaitGroup
	p50, p99, longest []float64
	sync              []float64 // the longest of the log
	all               latencies
}

// runSSE measures how soon what fires is with those who wait on open streams.
func runSSE(ctx context.Context, o *Options, r *Report) (err error) {
	s, end, err := o.serve(ctx, r, sseRules, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	streams := func(n int) int { return min(n, o.Events) }
	all := []*told{
		{
			name: fmt.Sprintf("a popup, %d streams open", streams(ssePopups)), event: "click", line: []byte("event: popup"),
			path: func(i int) string { return "/v1/popups/stream?visitor=visitor-" + strconv.Itoa(i) }, streams: streams(ssePopups), each: 1, perSecond: sseRate,
		},
		{
			name: fmt.Sprintf("an alert to each of %d streams", streams(sseAlerts)), event: "purchase", line: []byte("event: alert"),
			path: func(int) string { return "/v1/alerts/stream" }, streams: streams(sseAlerts), each: streams(sseAlerts), perSecond: sseAlerted,
		},
	}
	var recorded bool
	var contenders []contender
	for _, f := range all {
		defer f.close()
		if err := f.dial(s.addr()); err != nil {
			return err
		}
		contenders = append(contenders, contender{f.name, func(ctx context.Context) error { return f.run(ctx, s, o.Events, recorded) }})
	}
	o.Progress("streams opened")
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellSSE(r, all)
	return nil
}

// dial opens the streams, and returns when the server has answered all of them.
func (f *told) dial(addr string) error {
	f.told, f.all = make(chan time.Time, f.streams*16), newLatencies()
	for i := range f.streams {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return fmt.Errorf("open stream %d: %w", i, err)
		}
		f.open = append(f.open, conn)
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", f.path(i)); err != nil {
			return fmt.Errorf("open stream %d: %w", i, err)
		}
		lines := bufio.NewReader(conn)
		if status, err := lines.ReadString('\n'); err != nil || !bytes.Contains([]byte(status), []byte(" 200 ")) {
			return fmt.Errorf("open stream %d: the server answers %q, %w", i, status, err)
		}
		f.done.Go(func() { f.listen(lines) })
	}
	return nil
}

// listen tells of each time that the stream is told something, until it is closed.
func (f *told) listen(lines *bufio.Reader) {
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
		if bytes.HasPrefix(line, f.line) {
			f.told <- time.Now()
		}
	}
}

// run sends events one by one at an even rate, each when all streams concerned have been told of the one before.
func (f *told) run(ctx context.Context, s *server, events int, recorded bool) error {
	w, err := newClicks(s, f.event)
	if err != nil {
		return err
	}
	found := newLatencies()
	patience := time.NewTimer(timerPatience)
	defer patience.Stop()
	s.log.takeLongest()
	begun := time.Now()
	for n := range max(events/f.each, 1) {
		time.Sleep(time.Until(begun.Add(time.Duration(n) * time.Second / time.Duration(f.perSecond))))
		sent := time.Now()
		if err := w.send(ctx, n%f.streams); err != nil {
			return err
		}
		patience.Reset(timerPatience)
		for got := range f.each {
			select {
			case at := <-f.told:
				found.add(at.Sub(sent))
			case <-patience.C:
				return fmt.Errorf("event %d: only %d of %d streams were told within %v", n, got, f.each, timerPatience)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	if recorded {
		f.p50 = append(f.p50, found.quantile(50))
		f.p99 = append(f.p99, found.quantile(99))
		f.longest = append(f.longest, found.quantile(100))
		f.sync = append(f.sync, s.log.takeLongest())
		f.all.Merge(found.Histogram)
	}
	return nil
}

func (f *told) close() {
	for _, conn := range f.open {
		_ = conn.Close() // the streams end with it
	}
	f.done.Wait()
}

// clicks submits an event of a visitor.
type clicks struct {
	s   *server
	typ nudge.NameID
	b   nudge.RecordBuilder
}

func newClicks(s *server, event string) (*clicks, error) {
	typ, err := s.names.Intern(event)
	return &clicks{s: s, typ: typ}, err
}

func (c *clicks) send(ctx context.Context, visitor int) error {
	text := "visitor-" + strconv.Itoa(visitor)
	c.b.Buf = c.b.Buf[:0]
	c.b.Begin(nudge.RecordEvent, c.typ)
	c.b.Text(nudge.NameVisitor, text)
	c.b.End(nudge.HashKey("visitor", text))
	_, err := c.s.node.Submit(ctx, c.b.Buf, 1, false)
	return err
}

func tellSSE(r *Report, all []*told) {
	t := Table{Title: "on the stream after", Columns: []string{"p50", "p99", "longest", "longest sync", "p99.9 of all", "told"}}
	for _, f := range all {
		t.row(f.name, spread(Micros, f.p50), spread(Micros, f.p99), spread(Micros, f.longest), spread(Micros, f.sync), once(Micros, f.all.quantile(99.9)),
			once(Count, float64(f.all.TotalCount())))
	}
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method,
		"the server of `nudge serve` with its defaults, in this process; every stream is a connection over loopback that stays open",
		longestSyncMethod,
		fmt.Sprintf("events come one by one, %d popups or %d alerts a second at most; from handing the event in, its sync to the log included, to the stream's reader having the line", sseRate, sseAlerted),
	)
}
