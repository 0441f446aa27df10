package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"nudge"
	"nudge/ingest"
	"nudge/internal/throttle"
)

// Limits of what the sink has in flight, and how often its place is logged.
const (
	window     = 1024 // firings that the broker has not confirmed
	feedPage   = 256  // firings read from the feed at a time
	ackTimeout = 5 * time.Second

	saveFirings = 4096
	saveEvery   = 250 * time.Millisecond
	saveIdle    = time.Hour // while nothing fires, so that the place does not fall behind the feed's beginning

	// lookAgain is how often a stream is looked for while there is none.
	lookAgain = 10 * time.Second
)

// Feed is what the engine keeps of firings, in the order of their cursors, suppressed and shadow ones too. Safe for concurrent use.
type Feed interface {
	// Firings returns the firings after a cursor, at most limit of them; none means that this is the end.
	Firings(after nudge.Cursor, limit int) ([]nudge.Firing, error)
	// Last is the cursor of the newest firing.
	Last() nudge.Cursor
	// Span says which records' firings it has, by offset: from begins on up to, but without, ends. What earlier ones caused may have gone.
	Span() (begins, ends nudge.Offset)
}

// SinkOptions of NewSink. All but Logger are required.
type SinkOptions struct {
	Server  Server
	Feed    Feed
	Sink    ingest.Sink // takes the record of the sink's place
	Place   string      // where the log says that the sink stands: SinkPosition names it; "" for nowhere
	Metrics *Metrics
	Logger  *slog.Logger // nil logs nothing
}

// Sink publishes firings: Begin, then Run. One goroutine works in it; any may call Wake.
type Sink struct {
	o     SinkOptions
	link  link
	bell  chan struct{}
	place sinkPlace                    // everything up to here is confirmed
	saved sinkPlace                    // as it is logged
	known atomic.Pointer[nudge.Cursor] // of saved, or of where a new one begins
	isNew bool                         // it is not
	since int                          // firings confirmed since it was logged
	last  time.Time                    // when it was logged
	quiet throttle.Log
}

// sinkPlace is how far firings have been published. It is logged as JSON (docs/NATS.md).
type sinkPlace struct {
	Cursor  cursor `json:"cursor"`            // everything up to it is published, or need not be
	Stream  string `json:"stream,omitempty"`  // that captures them; "" if none ever did
	Created int64  `json:"created,omitempty"` // its time of creation, in ns
	Seq     uint64 `json:"seq,omitempty"`     // of the last firing in it, or of any message before
}

// NewSink returns a sink that publishes nothing before Run. One without a place begins behind the newest firing there is now.
func NewSink(o SinkOptions) (*Sink, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sink{
		o: o, bell: make(chan struct{}, 1),
		link: newLink(o.Server, "nudge firings", o.Logger, o.Metrics.end("firings")),
	}
	if o.Place == "" {
		s.place.Cursor, s.isNew = cursor{o.Feed.Last()}, true
		s.note(s.place)
		return s, nil
	}
	if err := json.Unmarshal([]byte(o.Place), &s.place); err != nil {
		return nil, fmt.Errorf("the logged place of the firings' publisher cannot be read: %w", err)
	}
	s.saved = s.place
	s.note(s.saved)
	return s, nil
}

// Needs is the offset from which on the sink needs the feed: that of the newest firing which the log says is published, 0 where there is none after
// it. Safe for concurrent use.
func (s *Sink) Needs() nudge.Offset {
	known := *s.known.Load()
	if !known.Less(s.o.Feed.Last()) {
		return 0
	}
	return max(known.Offset, 1)
}

// note takes a place down for Needs.
func (s *Sink) note(p sinkPlace) { s.known.Store(&p.Cursor.Cursor) }

// Wake says that there are new firings.
func (s *Sink) Wake() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Begin logs where a new sink begins. It comes before the first event that may fire something: a crash would otherwise move the beginning behind it.
func (s *Sink) Begin(ctx context.Context) error {
	if !s.isNew {
		return nil
	}
	return endedBy(ctx, s.save(ctx))
}

// Run publishes until ctx ends, whatever becomes of the broker meanwhile. It ends with its place logged, as far as the engine still takes that.
func (s *Sink) Run(ctx context.Context) error {
	err := s.link.run(ctx, s.session)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	return errors.Join(err, endedBy(last, s.save(last)))
}

// endedBy leaves out an error that only says that it is time to end.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, nudge.ErrStopped) {
		return nil
	}
	return err
}

// save logs the place, unless it is logged.
func (s *Sink) save(ctx context.Context) error {
	s.since, s.last = 0, time.Now()
	if s.place == s.saved && !s.isNew {
		return nil
	}
	text, err := json.Marshal(s.place)
	if err != nil {
		panic(fmt.Sprintf("BUG: a place does not marshal: %v", err))
	}
	var b nudge.RecordBuilder
	b.Position(SinkPosition, string(text))
	err = submit(ctx, s.o.Sink, b.Buf, 1, func(err error) {
		s.quiet.Warn(s.o.Logger, "the publisher of firings waits for the engine", "err", err)
	})
	if err == nil {
		s.saved, s.isNew = s.place, false
		s.note(s.saved)
	}
	return err
}

// mind logs the place when it is time to.
func (s *Sink) mind(ctx context.Context) error {
	passed := time.Since(s.last)
	if s.since >= saveFirings || s.since > 0 && passed >= saveEvery || passed >= saveIdle {
		return s.save(ctx)
	}
	return nil
}

// moveTo moves the place.
func (s *Sink) moveTo(c nudge.Cursor) {
	if s.place.Cursor.Less(c) {
		s.place.Cursor = cursor{c}
	}
	s.o.Metrics.behind.Set(max(0, float64(s.o.Feed.Last().Offset)-float64(c.Offset)))
}

// cursor is one that is logged as text.
type cursor struct{ nudge.Cursor }

func (c cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c *cursor) UnmarshalText(text []byte) (err error) {
	c.Cursor, err = nudge.ParseCursor(string(text))
	return err
}
