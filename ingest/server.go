package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"nudge/internal/throttle"
)

// Time that a connection is given. Streams of other packages have no write timeout: they see to theirs.
const (
	readTimeout     = 15 * time.Second // for a request, once it has begun
	writeTimeout    = 15 * time.Second // for an answer of this package
	idleTimeout     = 75 * time.Second // between two requests
	shutdownTimeout = 3 * time.Second  // for requests in flight when the server ends
)

// maxOtherBodyBytes bounds the bodies of requests that are not events.
const maxOtherBodyBytes = 256 << 10

// Server answers HTTP. A panic while a request is handled is a bug of ours: it is logged with its stack, counted, and answered 500; it does
// not end the process, since a request shares nothing with others but the Sink, and that guards itself.
type Server struct {
	o         ServerOptions
	keys      keyring
	adminKeys keyring
	metrics   *metrics
	http      *fasthttp.Server
	works     sync.Pool // *work
	decoders  sync.Pool // *decoder
	gate      *gate
	quiet     throttle.Log

	ctx      context.Context // of every Submit; ends when Close is called
	cancel   context.CancelFunc
	waits    context.Context // of what is held back for others to end; ends when Close begins
	endWaits context.CancelFunc
	ln       net.Listener
	draining atomic.Bool
}

// NewServer returns a server that does not listen yet. Without a write key it refuses an address that others can reach.
func NewServer(o ServerOptions) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	addr, err := net.ResolveTCPAddr("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: write HOST:PORT, as in %s: %w", o.Listen, DefaultListen, err)
	}
	if err := checkExposed(addr, len(o.WriteKeys)); err != nil {
		return nil, err
	}
	g := newGate()
	m, err := newMetrics(o.Registerer, g.count, o.Names)
	if err != nil {
		return nil, fmt.Errorf("register the metrics of ingest: %w", err)
	}
	s := &Server{o: o, keys: newKeyring(o.WriteKeys), adminKeys: newKeyring(o.AdminKeys), gate: g, metrics: m}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.waits, s.endWaits = context.WithCancel(s.ctx)
	s.works.New = func() any { return &work{} }
	s.decoders.New = func() any { return newDecoder(s) }
	s.http = &fasthttp.Server{
		Handler:               s.handle,
		ErrorHandler:          s.unreadable,
		HeaderReceived:        bodyLimit,
		MaxRequestBodySize:    maxOtherBodyBytes,
		Concurrency:           o.MaxConns,
		ReadTimeout:           readTimeout,
		IdleTimeout:           idleTimeout,
		ReadBufferSize:        8 << 10, // the longest header; each open connection has this much
		CloseOnShutdown:       true,
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		Logger:                discard{}, // what matters is counted and logged here

		DisablePreParseMultipartForm: true,
	}
	return s, nil
}

// Listen binds the address. Run does so too; a caller that wants to know the port first calls Listen and then Addr.
func (s *Server) Listen() error {
	ln, err := net.Listen("tcp", s.o.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen on %s: another program uses this port: end it, or choose another port (0 takes any free one): %w", s.o.Listen, err)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.o.Listen, err)
	}
	s.ln = ln
	return nil
}

// Addr is what the server listens on, nil before Listen.
func (s *Server) Addr() net.Addr {
	if s.ln == nil {
		return nil
	}
	return s.ln.Addr()
}

// Run serves until ctx ends; then it takes no more requests and finishes those in flight.
func (s *Server) Run(ctx context.Context) error {
	if s.ln == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(s.ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		err := s.Close()
		_ = s.ln.Close() // closed already, unless Serve comes to it only now: it must not serve for ever
		return errors.Join(err, <-served)
	}
}

// Serve answers on a listener until Close.
func (s *Server) Serve(ln net.Listener) error {
	if err := checkExposed(ln.Addr(), len(s.o.WriteKeys)); err != nil {
		return err
	}
	if err := s.http.Serve(lingerListener{patientListener{ln, s.notAccepted}}); err != nil {
		return fmt.Errorf("serve HTTP on %s: %w", ln.Addr(), err)
	}
	return nil
}

// Close takes no more requests and waits for those in flight, up to shutdownTimeout: streams that nobody ends are left to the process's end.
func (s *Server) Close() error {
	s.draining.Store(true)
	s.endWaits()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := s.http.ShutdownWithContext(ctx)
	s.cancel()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("shut HTTP down: %w", err)
	}
	return nil
}

type discard struct{}

func (discard) Printf(string, ...any) {}
