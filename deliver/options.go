package deliver

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nudge"
)

// Feed is what the engine keeps of firings: durable ones only (I5), in cursor order, suppressed and shadow ones too.
// Safe for concurrent use. A firing is in the feed before it is published.
type Feed interface {
	// Firings returns the firings after a cursor, ascending, at most limit of them; none means that this is the end.
	Firings(after nudge.Cursor, limit int) ([]nudge.Firing, error)
	// Last is the cursor of the newest firing.
	Last() nudge.Cursor
}

// Defaults of Options.
const (
	DefaultPopupTTL             = 30 * time.Minute
	DefaultMaxStreams           = 10_000
	DefaultMaxStreamsPerVisitor = 8
	DefaultMaxPopups            = 1 << 18
	DefaultMaxPopupBytes        = 256 << 20
	DefaultMaxPopupsPerVisitor  = 16
	DefaultStallTimeout         = 10 * time.Second
)

// Limits of requests.
const (
	MaxWait         = 60 * time.Second // of ?wait=
	MaxVisitorBytes = 256              // of ?visitor=: no event has a longer one
	DefaultLimit    = 100              // of ?limit=, alerts
	MaxLimit        = 1000
)

// Heartbeat is how often a stream with nothing to say sends a comment, so that proxies keep it and a browser that has gone is noticed.
const Heartbeat = 15 * time.Second

// Options of New. A limit of 0 is its default.
type Options struct {
	Feed Feed // required

	WriteKeys []string // any of them opens popups; none: no key is asked for
	FeedKeys  []string // any of them opens alerts; none: no key is asked for

	PopupTTL             time.Duration // a popup expires this long after its firing's instant
	MaxStreams           int           // open streams and waiting polls, all together, a sixteenth of them for alerts alone; beyond it 429
	MaxStreamsPerVisitor int           // the same for the popups of one visitor
	MaxPopups            int           // pending popups of all visitors; beyond it the oldest go
	MaxPopupBytes        int           // what they take in memory, about: their data may hold whatever events bring; beyond it the oldest go
	MaxPopupsPerVisitor  int           // pending popups of one visitor; beyond it the oldest go
	StallTimeout         time.Duration // a stream whose connection takes no bytes for this long is closed

	Now        func() nudge.Millis // the time in which firings are stamped; nil is the machine's
	Logger     *slog.Logger        // nil logs nothing
	Registerer prometheus.Registerer
}

// Validate returns every problem at once.
func (o *Options) Validate() error {
	var errs []error
	if o.Feed == nil {
		errs = append(errs, errors.New("options: Feed is required"))
	}
	for name, keys := range map[string][]string{"WriteKeys": o.WriteKeys, "FeedKeys": o.FeedKeys} {
		for i, k := range keys {
			if k == "" {
				errs = append(errs, fmt.Errorf("options: %s[%d] is empty: leave it out, or give a key", name, i))
			}
		}
	}
	for name, n := range map[string]int64{
		"PopupTTL": int64(o.PopupTTL), "MaxStreams": int64(o.MaxStreams), "MaxStreamsPerVisitor": int64(o.MaxStreamsPerVisitor),
		"MaxPopups": int64(o.MaxPopups), "MaxPopupBytes": int64(o.MaxPopupBytes), "MaxPopupsPerVisitor": int64(o.MaxPopupsPerVisitor), "StallTimeout": int64(o.StallTimeout),
	} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("options: %s is negative: 0 is its default", name))
		}
	}
	if o.PopupTTL > 0 && o.PopupTTL < time.Millisecond {
		errs = append(errs, errors.New("options: PopupTTL is below a millisecond"))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what is not given.
func (o Options) withDefaults() Options {
	o.PopupTTL = orDefault(o.PopupTTL, DefaultPopupTTL)
	o.MaxStreams = orDefault(o.MaxStreams, DefaultMaxStreams)
	o.MaxStreamsPerVisitor = orDefault(o.MaxStreamsPerVisitor, DefaultMaxStreamsPerVisitor)
	o.MaxPopups = orDefault(o.MaxPopups, DefaultMaxPopups)
	o.MaxPopupBytes = orDefault(o.MaxPopupBytes, DefaultMaxPopupBytes)
	o.MaxPopupsPerVisitor = orDefault(o.MaxPopupsPerVisitor, DefaultMaxPopupsPerVisitor)
	o.StallTimeout = orDefault(o.StallTimeout, DefaultStallTimeout)
	if o.Now == nil {
		o.Now = func() nudge.Millis { return nudge.Millis(time.Now().UnixMilli()) }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}
