package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"nudge"
	"nudge/ingest"
	"nudge/internal/throttle"
)

// Limits of what a source has in flight (I8).
const (
	pullMessages = 1000             // that the broker may send without being asked again
	pullBytes    = 8 << 20          // the same in bytes, or one message of the largest size
	pullExpiry   = 10 * time.Second // a request that nothing came for is made anew

	maxAckPending = 4 * pullMessages // of the consumer that a source makes
	resetTimeout  = time.Second      // a broker that cannot put a consumer back does not say so
	ackWait       = time.Minute      // after which the broker sends again what was not acknowledged

	batchRecords = 4096 // a request to the engine is closed when it has so many records
	batchBytes   = 1 << 20
)

// SourceOptions of NewSource. All but Reserved and Logger are required.
type SourceOptions struct {
	Stream   Stream
	Sink     ingest.Sink
	Names    *nudge.Names
	Reserved func(nudge.NameID) bool // types of events that only rules make; nil: none but fired
	Place    string                  // where the log says that the source stands: Stream.Position() names it; "" for nowhere
	Metrics  *Metrics
	Logger   *slog.Logger // nil logs nothing
}

// Source reads the events of one stream. One goroutine works in it.
type Source struct {
	o       SourceOptions
	link    link
	metrics sourceMetrics
	codec   *ingest.Codec
	place   place // everything up to here is durable, in the stream as it is
	whole   bool  // the consumer is to deliver the stream from its first message on
	batch   batch
	quiet   struct{ rejected, missing, letters, waits throttle.Log }
}

// place is how far a stream has been read. It is logged as JSON (docs/NATS.md).
type place struct {
	Created int64  `json:"created"` // the stream's time of creation, in ns; 0: it was never read
	Seq     uint64 `json:"seq"`     // of the last message that is durable here; 0: none
	Time    int64  `json:"time"`    // its time in the stream, in ns; 0: not known
}

func (p place) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("BUG: a place does not marshal: %v", err))
	}
	return string(text)
}

// NewSource returns a source that reads nothing before Run.
func NewSource(o SourceOptions) (*Source, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	end := o.Stream.Name + "/" + o.Stream.Consumer
	s := &Source{
		o: o, codec: ingest.NewCodec(ingest.CodecOptions{Names: o.Names, Reserved: o.Reserved}),
		link:    newLink(o.Stream.Server, "nudge source "+end, o.Logger, o.Metrics.end(end)),
		metrics: o.Metrics.source(end),
	}
	if o.Place != "" {
		if err := json.Unmarshal([]byte(o.Place), &s.place); err != nil {
			return nil, fmt.Errorf("the logged place of the source %s is not JSON: %w", end, err)
		}
	}
	return s, nil
}

// Run reads until ctx ends, whatever becomes of the broker meanwhile.
func (s *Source) Run(ctx context.Context) error { return s.link.run(ctx, s.session) }

// session reads the stream over one connection.
func (s *Source) session(ctx context.Context, c *connection) (worked bool, err error) {
	consumer, err := s.attach(ctx, c)
	if err != nil {
		return false, err
	}
	began := s.place
	s.batch.reset(s.place)
	incoming, failed := make(chan jetstream.Msg, pullMessages), make(chan error, 1)
	limit := max(pullBytes, int(c.nc.MaxPayload())+pullBytes/2) // one message fits, with its header
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case incoming <- m:
		case <-ctx.Done():
		}
	}, jetstream.PullMaxMessagesWithBytesLimit(pullMessages, limit), jetstream.PullExpiry(pullExpiry),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case failed <- err:
			default:
			}
		}))
	if err != nil {
		return false, fmt.Errorf("read the stream %s: %w", s.o.Stream.Name, err)
	}
	defer consuming.Stop()
	for err == nil {
		select {
		case m := <-incoming:
			err = s.read(ctx, c, m, incoming)
		case err = <-failed:
			err = fmt.Errorf("read the stream %s: %w", s.o.Stream.Name, err)
		case <-c.lost:
			err = errLost
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return s.place != began, err
}

// read takes a message and what else has arrived, hands it over, and acknowledges it.
func (s *Source) read(ctx context.Context, c *connection, m jetstream.Msg, incoming <-chan jetstream.Msg) error {
	for {
		if err := s.take(ctx, c, m); err != nil {
			return err
		}
		if s.batch.full() {
			break
		}
		select {
		case m = <-incoming:
			continue
		default:
		}
		break
	}
	return s.flush(ctx, c)
}

// take puts a message behind what was read before it, with what the consumer has left out in between.
func (s *Source) take(ctx context.Context, c *connection, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("a message of the stream %s: %w", s.o.Stream.Name, err)
	}
	s.metrics.pending.Set(float64(meta.NumPending))
	seq := meta.Sequence.Stream
	read := &s.batch.place
	if seq <= read.Seq {
		s.metrics.redelivered.Inc()
		s.batch.acks = append(s.batch.acks, ack{m, ""})
		return nil
	}
	if seq != read.Seq+1 && (read.Seq != 0 || s.whole) {
		if err := s.fill(ctx, c, seq); err != nil {
			return err
		}
	}
	bad := s.decode(&message{seq: seq, time: meta.Timestamp, subject: m.Subject(), header: m.Headers(), data: m.Data()})
	s.batch.acks = append(s.batch.acks, ack{m, bad})
	return nil
}

// fill takes what lies between the last message and seq from the stream itself: a consumer may deliver late, and passes over what it cannot read.
// What the stream does not have is missing for good.
func (s *Source) fill(ctx context.Context, c *connection, seq uint64) error {
	for due := s.batch.place.Seq + 1; due < seq; due = s.batch.place.Seq + 1 {
		m, err := c.next(ctx, s.o.Stream.Name, due, anySubject)
		if err != nil && !errors.Is(err, errNone) {
			return err
		}
		if err != nil || m.seq >= seq {
			s.missing(due, seq-1)
			return nil
		}
		if m.seq > due {
			s.missing(due, m.seq-1)
		}
		s.metrics.filled.Inc()
		s.decode(m)
		if s.batch.full() {
			if err := s.flush(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing counts messages that are. What the stream had lost before anything was read is how it begins.
func (s *Source) missing(first, last uint64) {
	if first == 1 {
		return
	}
	s.metrics.missing.Add(float64(last - first + 1))
	s.quiet.missing.Warn(s.o.Logger, "messages are missing from the stream: its limits or a purge have removed them, somebody has deleted them, or they are damaged",
		"stream", s.o.Stream.Name, "first", first, "last", last)
}
