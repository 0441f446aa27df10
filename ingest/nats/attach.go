package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// attach finds the stream and the consumer, makes sure of the place, and has the consumer deliver from there on. The place comes last: where anything before
// it fails, the next session still knows whether the stream was ever read.
func (s *Source) attach(ctx context.Context, c *connection) (jetstream.Consumer, error) {
	name := s.o.Stream.Name
	stream, err := c.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("the broker has no stream %s: make one, as in `nats stream add %s --subjects 'events.>'`", name, name)
	}
	if err != nil {
		return nil, fmt.Errorf("find the stream %s: %w", name, err)
	}
	consumer, err := stream.Consumer(ctx, s.o.Stream.Consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = stream.CreateConsumer(ctx, s.consumerConfig())
	}
	if err != nil {
		return nil, fmt.Errorf("find or make the consumer %s of the stream %s: %w", s.o.Stream.Consumer, name, err)
	}
	info := consumer.CachedInfo()
	if err := s.checkConsumer(&info.Config); err != nil {
		return nil, err
	}
	s.whole = info.Config.DeliverPolicy == jetstream.DeliverAllPolicy
	known := s.place.Created != 0
	if s.place, err = s.verify(ctx, c, stream.CachedInfo()); err != nil {
		return nil, err
	}
	if floor := info.AckFloor.Stream; !known && floor > 0 { // somebody has read it before us
		s.o.Logger.Warn("the data folder does not know the stream, but its consumer has been used: reading goes on where that stands. To read the "+
			"stream from its beginning, delete the consumer", "stream", name, "consumer", s.o.Stream.Consumer, "after", floor)
		s.place.Seq, s.place.Time = floor, 0
	}
	// What the session before was sent and did not acknowledge would come only after the consumer's time for it, and behind newer messages.
	// An older broker cannot do this and delivers in that order: fill sees to it.
	short, cancel := context.WithTimeout(ctx, resetTimeout)
	defer cancel()
	if _, err := c.js.ResetConsumerToSequence(short, name, s.o.Stream.Consumer, s.place.Seq+1); err != nil {
		s.o.Logger.Info("the consumer was not put back to the place", "stream", name, "consumer", s.o.Stream.Consumer, "err", err)
	}
	s.o.Logger.Info("reading events", "stream", name, "consumer", s.o.Stream.Consumer, "after", s.place.Seq)
	return consumer, nil
}

// consumerConfig is that of the consumer that a source makes for itself.
func (s *Source) consumerConfig() jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: s.o.Stream.Consumer, Description: "events into nudge", AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
		MaxAckPending: maxAckPending, DeliverPolicy: jetstream.DeliverAllPolicy,
	}
}

// checkConsumer refuses one that was made for something else.
func (s *Source) checkConsumer(config *jetstream.ConsumerConfig) error {
	problem := ""
	switch {
	case config.DeliverSubject != "":
		problem = "pushes"
	case config.AckPolicy != jetstream.AckExplicitPolicy:
		problem = "does not want every message acknowledged"
	case config.FilterSubject != "" && config.FilterSubject != anySubject || len(config.FilterSubjects) > 0:
		problem = "leaves out subjects"
	default:
		return nil
	}
	return fmt.Errorf("the consumer %s of the stream %s %s: delete it, or name another one in the URL, as in ?consumer=nudge-2", s.o.Stream.Consumer, s.o.Stream.Name, problem)
}

// verify is the place in the stream as it is now: where it was, unless the stream is another one or has lost its end.
func (s *Source) verify(ctx context.Context, c *connection, info *jetstream.StreamInfo) (place, error) {
	p := s.place
	created := info.Created.UnixNano()
	switch {
	case p.Created == 0:
		return place{Created: created}, nil
	case p.Created != created:
		s.metrics.anew.Inc()
		s.o.Logger.Warn("the stream was made anew: it is read from its first message", "stream", info.Config.Name, "created", info.Created, "read before", p.Seq)
		return place{Created: created}, nil
	case p.Seq == 0 || p.Time == 0:
		return p, nil
	}
	older, lost, err := c.lostEnd(ctx, info, p)
	if err != nil || !lost {
		return p, err
	}
	s.metrics.anew.Inc()
	s.o.Logger.Error("the stream has lost its end and gives out its numbers again: reading goes on behind what is not younger than what was read. "+
		"Let the broker sync (sync_interval: always), or replicate the stream", "stream", info.Config.Name, "read before", p.Seq, "after", older.Seq)
	return older, nil
}

// lostEnd says whether the stream has lost messages that were read: its last number is lower, or one of the numbers that were read is now that of a
// younger message. older is then the last message that is not younger.
func (c *connection) lostEnd(ctx context.Context, info *jetstream.StreamInfo, p place) (older place, lost bool, err error) {
	name, read := info.Config.Name, time.Unix(0, p.Time)
	if p.Seq <= info.State.LastSeq {
		m, err := c.next(ctx, name, p.Seq, anySubject)
		if err != nil && !errors.Is(err, errNone) {
			return p, false, err
		}
		if err == nil && m.seq == p.Seq && m.time.Equal(read) {
			return p, false, nil
		}
	}
	older = place{Created: p.Created}
	if err := c.notAfter(ctx, name, read, min(info.State.LastSeq, p.Seq), &older); err != nil {
		return p, false, err
	}
	if p.Seq > info.State.LastSeq {
		return older, true, nil
	}
	m, err := c.next(ctx, name, older.Seq+1, anySubject)
	if errors.Is(err, errNone) {
		return p, false, nil
	}
	return older, err == nil && m.seq <= p.Seq, err
}

// notAfter puts found at the last message, up to a bound, that is not younger than an instant, and leaves it as it is where there is none. Times in
// a stream do not decrease.
func (c *connection) notAfter(ctx context.Context, stream string, at time.Time, bound uint64, found *place) error {
	low, high := uint64(1), bound // the next one lies in [low, high]
	for low <= high {
		mid := low + (high-low)/2
		m, err := c.next(ctx, stream, mid, anySubject)
		switch {
		case err != nil && !errors.Is(err, errNone):
			return err
		case err != nil || m.seq > high || m.time.After(at):
			high = mid - 1
		default:
			found.Seq, found.Time = m.seq, m.time.UnixNano()
			low = m.seq + 1
		}
	}
	return nil
}
