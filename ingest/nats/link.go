package nats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"nudge"
	"nudge/internal/throttle"
)

// How a connection is kept.
const (
	dialTimeout  = 3 * time.Second
	pingInterval = 10 * time.Second // two that are not answered: the broker is gone
	callTimeout  = 5 * time.Second  // for the answer to a request
	flushTimeout = time.Second      // for what is in the buffer when a session ends

	firstPause = 100 * time.Millisecond // before the second session; doubled each time nothing came of it
	lastPause  = 10 * time.Second
)

// maxCredsBytes bounds a credentials file; a real one has about a thousand.
const maxCredsBytes = 1 << 20

// link keeps one end connected: it opens sessions, one after the other. A session is one connection; the client's own reconnecting is off, so
// that everything that is known of the broker is asked for anew after every fault.
type link struct {
	server  Server
	name    string // of the connection, for the broker's operators
	logger  *slog.Logger
	metrics *endMetrics
	longest time.Duration // between two sessions
	known   []string      // other servers of the same cluster
	quiet   throttle.Log
	async   throttle.Log // the client's own goroutines report there
	told    string       // the last trouble that was logged: another one is logged at once
}

func newLink(s Server, name string, l *slog.Logger, m *endMetrics) link {
	return link{server: s, name: name, logger: l, metrics: m, longest: lastPause}
}

// connection is that of one session.
type connection struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	lost <-chan struct{} // closed when the connection is
}

// run opens a session after the other until ctx ends. worked says that the session has got somewhere.
func (l *link) run(ctx context.Context, session func(context.Context, *connection) (worked bool, err error)) error {
	pause := firstPause
	for ctx.Err() == nil {
		worked, err := l.once(ctx, session)
		if ctx.Err() != nil || errors.Is(err, nudge.ErrStopped) {
			return nil
		}
		if worked || err == nil {
			pause = firstPause
		}
		if err == nil {
			continue // it wants another one
		}
		if text := err.Error(); text != l.told {
			l.told, l.quiet = text, throttle.Log{}
		}
		l.quiet.Warn(l.logger, "no session with the broker; it is tried again for ever", "broker", l.server.URL, "end", l.name, "err", err)
		wait(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, l.longest)
	}
	return nil
}

// once is one session, from the connection on.
func (l *link) once(ctx context.Context, session func(context.Context, *connection) (bool, error)) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := l.dial(ctx)
	if err != nil {
		return false, err
	}
	l.metrics.sessions.Inc()
	l.metrics.connected.Set(1)
	defer func() {
		_ = c.nc.FlushTimeout(flushTimeout) // acknowledgements; what is lost of them comes again
		c.nc.Close()
		l.metrics.connected.Set(0)
	}()
	l.known = c.nc.DiscoveredServers()
	worked, err := session(ctx, c)
	if last := c.nc.LastError(); err != nil && c.nc.IsClosed() && last != nil {
		err = fmt.Errorf("%w (%w)", err, last)
	}
	return worked, err
}

func (l *link) dial(ctx context.Context) (*connection, error) {
	lost := make(chan struct{})
	o := nats.GetDefaultOptions()
	o.Servers = append([]string{l.server.URL}, l.known...)
	o.Name = l.name
	o.Timeout = dialTimeout
	o.PingInterval, o.MaxPingsOut = pingInterval, 2
	o.AllowReconnect, o.NoRandomize = false, true
	o.CustomDialer = dialer{ctx}
	o.ClosedCB = func(*nats.Conn) { close(lost) }
	o.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) {
		l.async.Warn(l.logger, "the broker's client complains", "end", l.name, "err", err)
	}
	if l.server.Password != "" {
		o.User, o.Password = l.server.User, l.server.Password
	} else {
		o.Token = l.server.User
	}
	if l.server.Creds != "" {
		if err := nats.UserCredentials(l.server.Creds)(&o); err != nil {
			return nil, fmt.Errorf("credentials file %s: %w", l.server.Creds, err)
		}
	}
	nc, err := o.Connect()
	switch {
	case errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired):
		return nil, fmt.Errorf("connect to %s: the broker refuses the credentials: check the user in the URL, or the credentials file: %w", l.server.URL, err)
	case err != nil:
		return nil, fmt.Errorf("connect to %s: %w", l.server.URL, err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(callTimeout), jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &connection{nc: nc, js: js, lost: lost}, nil
}

// dialer ends with the session's context.
type dialer struct{ ctx context.Context }

func (d dialer) Dial(network, address string) (net.Conn, error) {
	var n net.Dialer
	ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
	defer cancel()
	return n.DialContext(ctx, network, address)
}

// CheckCreds says what is wrong with a credentials file, before anybody connects.
func CheckCreds(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCredsBytes))
	if err != nil {
		return err
	}
	for _, part := range []string{"BEGIN NATS USER JWT", "BEGIN USER NKEY SEED"} {
		if !bytes.Contains(text, []byte(part)) {
			return fmt.Errorf("%s holds no credentials: it has no line with %s", path, part)
		}
	}
	return nil
}

// wait lets d pass, or ctx end.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

var errLost = errors.New("the connection is lost")
