package bench

import (
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// This is the one file that knows the HTTP library: the load generator's connections, and the floor that they also load.

// ioTimeout ends a request that is not answered: the server hangs, and so would the bench.
const ioTimeout = 20 * time.Second

// conn is one connection of the load generator, kept open from request to request.
type conn struct {
	client fasthttp.HostClient
	req    *fasthttp.Request
	resp   *fasthttp.Response
}

func newConn(addr, path string) *conn {
	c := &conn{
		client: fasthttp.HostClient{
			Addr: addr, MaxConns: 1, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout, NoDefaultUserAgentHeader: true, MaxIdemponentCallAttempts: 1,
		},
		req: fasthttp.AcquireRequest(), resp: fasthttp.AcquireResponse(),
	}
	c.req.SetRequestURI("http://" + addr + path)
	c.req.Header.SetMethod(fasthttp.MethodPost)
	c.req.Header.SetContentType("application/json")
	return c
}

// post sends a body and returns the answer, which is valid until the next call.
func (c *conn) post(body []byte) (status int, answer []byte, err error) {
	c.req.SetBodyRaw(body)
	if err := c.client.Do(c.req, c.resp); err != nil {
		return 0, nil, fmt.Errorf("post to %s: %w", c.client.Addr, err)
	}
	return c.resp.StatusCode(), c.resp.Body(), nil
}

func (c *conn) close() { c.client.CloseIdleConnections() }

// statusBusy is the answer of a server at its bound.
const statusBusy = fasthttp.StatusTooManyRequests

// echo is the floor under the server: the same HTTP library with nothing behind it but the body sent back.
type echo struct {
	http fasthttp.Server
	ln   net.Listener
	done chan error
}

func startEcho() (*echo, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &echo{ln: ln, done: make(chan error, 1)}
	e.http = fasthttp.Server{
		Handler:               func(ctx *fasthttp.RequestCtx) { ctx.SetBody(ctx.PostBody()) },
		NoDefaultServerHeader: true,
		CloseOnShutdown:       true,
	}
	go func() { e.done <- e.http.Serve(ln) }()
	return e, nil
}

func (e *echo) addr() string { return e.ln.Addr().String() }

func (e *echo) close() error {
	if err := e.http.Shutdown(); err != nil {
		return err
	}
	return <-e.done
}
