package deliver

import (
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// source is what a stream sends.
type source interface {
	// next appends what has come since the last call as server-sent events; nothing if nothing has.
	next(dst []byte) ([]byte, error)
}

// stream is a response body that never ends by itself. The connection's own goroutine reads it and writes each piece out at once, so
// a stream costs no goroutine, no pipe and no queue beside its connection; fasthttp's SetBodyStreamWriter would add all three.
type stream struct {
	*guest
	source source

	beat   *time.Timer
	buf    []byte // events in the making
	unsent []byte // the part of buf that is not read yet
	left   bool
	ending bool // the last event is on its way

	deadline sync.Mutex // guards the connection's write deadline
	isCut    bool
}

// reconnectMin and reconnectMax bound the wait that a browser is told to make before it reconnects. It differs from stream to stream,
// so that ten thousand of them do not come back in the same instant.
const (
	reconnectMin = 1000 * time.Millisecond
	reconnectMax = 3000 * time.Millisecond
)

// keepBuf is the largest buffer that an idle stream keeps.
const keepBuf = 4 << 10

// serveStream answers with a stream of src until the consumer goes, stalls, or the hub closes.
func (g *guest) serveStream(ctx *fasthttp.RequestCtx, src source) {
	s := &stream{guest: g, source: src, beat: time.NewTimer(Heartbeat)}
	retry := reconnectMin + rand.N(reconnectMax-reconnectMin)
	s.unsent = append(strconv.AppendInt([]byte("retry: "), retry.Milliseconds(), 10), "\n\n"...)

	g.hub.mu.Lock()
	g.hub.streams[s] = struct{}{}
	g.hub.mu.Unlock()

	r := &ctx.Response
	r.Header.SetContentType("text/event-stream")
	r.Header.Set("Cache-Control", "no-store")
	r.Header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	// The write deadline set below outlives the stream: the connection must not be used again.
	r.SetConnectionClose()
	r.SetBodyStream(s, -1)
}

// Read gives the server the next bytes to write, waiting until there are some.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.unsent) == 0 {
		if err := s.fill(); err != nil {
			_ = s.extend() // the end of the body is written too
			return 0, err
		}
	}
	n := copy(p, s.unsent)
	s.unsent = s.unsent[n:]
	return n, s.extend()
}

// fill waits for events, or for the time of a heartbeat. A source that fails ends the stream; the consumer comes back.
func (s *stream) fill() error {
	if cap(s.buf) > keepBuf {
		s.buf = nil
	}
	for {
		if s.hub.isClosing() {
			return s.end()
		}
		changed := s.changed()
		var err error
		if s.buf, err = s.source.next(s.buf[:0]); err != nil {
			return io.EOF
		}
		if len(s.buf) > 0 {
			break
		}
		s.beat.Reset(Heartbeat)
		select {
		case <-s.hub.closing:
			return s.end()
		case <-s.gone:
			return io.EOF
		case <-changed:
			continue
		case <-s.beat.C:
			if s.peerGone() {
				return io.EOF
			}
		}
		s.buf = append(s.buf, ":\n\n"...) // after it the source is looked at again, whether a bell rang or not
		break
	}
	s.unsent = s.buf
	return nil
}

// end makes the last event of a stream that ends because the server does: come back a little later, when another one runs. Each stream names another
// time, so that not all come at once.
func (s *stream) end() error {
	if s.ending {
		return io.EOF
	}
	s.ending = true
	retry := reconnectMin + rand.N(reconnectMax-reconnectMin)
	s.buf = append(strconv.AppendInt(append(s.buf[:0], "retry: "...), retry.Milliseconds(), 10), "\nevent: stopping\ndata: {}\n\n"...)
	s.unsent = s.buf
	return nil
}

// extend gives the write that comes next its own deadline: the server's WriteTimeout counts from the start of the response, and
// would cut every stream.
func (s *stream) extend() error {
	s.deadline.Lock()
	defer s.deadline.Unlock()
	if s.isCut {
		return io.EOF
	}
	return s.conn.SetWriteDeadline(time.Now().Add(s.hub.o.StallTimeout))
}

// cut makes a write that is stuck fail. The hub's lock is held, so that the stream has not left: the connection is still its own.
func (s *stream) cut() {
	s.deadline.Lock()
	defer s.deadline.Unlock()
	s.isCut = true
	_ = s.conn.SetWriteDeadline(time.Unix(1, 0)) // the stream is ending in any case
}

// CloseWithError is called by the server when the response is over, or could not be begun; err is the write's. There is no Close: the
// server would call it first, without the error.
func (s *stream) CloseWithError(err error) error {
	if s.left {
		return nil
	}
	s.left = true
	s.beat.Stop()
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		s.hub.metrics.slowClosed.Inc()
	}
	s.hub.mu.Lock()
	delete(s.hub.streams, s)
	s.hub.mu.Unlock()
	s.leave()
	return nil
}
