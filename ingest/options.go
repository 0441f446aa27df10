package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"nudge"
)

// Sink takes the records of one request.
type Sink interface {
	// Submit returns when the records, count of them back to back, are durable (I1); with decide when the rules have seen them too, with
	// the firings whose first cause is one of them. nudge.ErrBusy, nudge.ErrFull: nothing was taken. nudge.ErrStopped: what became of them is not known.
	// It does not keep records.
	Submit(ctx context.Context, records []byte, count int, decide bool) ([]nudge.Firing, error)
}

// Defaults of ServerOptions.
const (
	DefaultListen   = "127.0.0.1:8080"
	DefaultPopupTTL = 30 * time.Minute
	DefaultMaxConns = 1 << 16
)

// ServerOptions configure a server. What is not given has its default.
type ServerOptions struct {
	Listen string       // address; DefaultListen
	Sink   Sink         // required
	Names  *nudge.Names // required

	Eraser Eraser // nil: nobody can be erased over HTTP

	Reserved func(nudge.NameID) bool // types of events that only rules make; called for each event; nil: none but fired

	WriteKeys      []string // any of them may send events; none: no key is asked for, and only loopback is listened on
	AdminKeys      []string // any of them may erase; none: nobody may, unless
	OpenAdmin      bool     // nobody is asked for any key
	AllowedOrigins []string // pages that may read answers, as "https://www.acme.example"; none: all

	Routes   map[string]fasthttp.RequestHandler // other packages' paths, exact; they see to methods, keys and CORS themselves
	NotFound fasthttp.RequestHandler            // every path that is nobody's; nil answers 404
	Ready    func() error                       // why the server cannot work yet, for /readyz; nil is always ready
	Loaded   func() float64                     // which part of what was stored is in memory, for /readyz too: below 1 answers may take longer; nil: all

	PopupTTL time.Duration // a popup's expires_at lies this long behind its firing; DefaultPopupTTL
	MaxConns int           // open connections, streams included; DefaultMaxConns

	Now        func() nudge.Millis // the time in which events are stamped, to correct the sender's clock by; nil is the machine's
	Logger     *slog.Logger        // nil logs nothing
	Registerer prometheus.Registerer
}

// Validate returns every problem at once.
func (o *ServerOptions) Validate() error {
	var errs []error
	if o.Sink == nil {
		errs = append(errs, errors.New("options: Sink is required"))
	}
	if o.Names == nil {
		errs = append(errs, errors.New("options: Names is required"))
	}
	for name, keys := range map[string][]string{"WriteKeys": o.WriteKeys, "AdminKeys": o.AdminKeys} {
		for i, k := range keys {
			if k == "" {
				errs = append(errs, fmt.Errorf("options: %s[%d] is empty: leave it out, or give a key", name, i))
			}
		}
	}
	if o.PopupTTL < 0 || o.MaxConns < 0 {
		errs = append(errs, errors.New("options: PopupTTL or MaxConns is negative: 0 is the default"))
	}
	for path := range o.Routes {
		if _, ours := routes[path]; ours {
			errs = append(errs, fmt.Errorf("options: Routes has %s, which this package serves itself", path))
		}
	}
	return errors.Join(errs...)
}

func (o ServerOptions) withDefaults() ServerOptions {
	if o.Listen == "" {
		o.Listen = DefaultListen
	}
	if o.PopupTTL == 0 {
		o.PopupTTL = DefaultPopupTTL
	}
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	if o.Now == nil {
		o.Now = func() nudge.Millis { return nudge.Millis(time.Now().UnixMilli()) }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// checkExposed refuses to let anybody but this machine in where no key is asked for.
func checkExposed(addr net.Addr, keys int) error {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || keys > 0 || tcp.IP.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen on %s: without a write key only this machine may send events: configure a write key, or listen on 127.0.0.1", addr)
}
