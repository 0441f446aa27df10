package nats

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"nudge"
)

// publisher is the sink's work over one connection.
type publisher struct {
	*Sink
	c       *connection
	stream  string          // that captures the firings; "": none does
	held    map[string]bool // ids of firings behind the place that the stream holds already
	read    nudge.Cursor    // of the last firing taken from the feed
	flights []flight        // behind the place, in order, at most about window of them
	idles   bool            // the feed has been read to its end, and nobody has rung since
}

// flight is one firing of the feed that is not behind the place yet, or a step over firings that do not go out.
type flight struct {
	cursor nudge.Cursor
	firing bool
	future jetstream.PubAckFuture // nil: there is nothing to wait for
	err    error                  // it could not even be sent
}

// session publishes over one connection.
func (s *Sink) session(ctx context.Context, c *connection) (worked bool, err error) {
	began := s.place.Cursor
	p := &publisher{Sink: s, c: c, read: s.place.Cursor.Cursor}
	if err := p.findStream(ctx); err != nil {
		return false, err
	}
	if p.stream == "" {
		err = p.plain(ctx)
	} else {
		err = p.confirmed(ctx)
	}
	return s.place.Cursor != began, err
}

// confirmed publishes to a stream, many at once, and moves the place over each when it is confirmed.
func (p *publisher) confirmed(ctx context.Context) error {
	p.o.Logger.Info("publishing firings", "subject", FiredSubject+".>", "stream", p.stream, "after", p.read)
	for {
		err := p.send()
		switch {
		case err != nil:
		case len(p.flights) > 0:
			err = p.land(ctx)
		default:
			err = p.idle(ctx, saveIdle)
		}
		if err == nil {
			err = p.mind(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// send publishes what the feed has, while there is room in the window.
func (p *publisher) send() error {
	for !p.idles && len(p.flights) <= window-feedPage {
		if err := p.next(p.launch); err != nil {
			return err
		}
	}
	return nil
}

// next takes a page from the feed.
func (p *publisher) next(launch func(*nudge.Firing) flight) error {
	_, ends := p.o.Feed.Span() // before reading: what comes meanwhile is not passed over
	page, err := p.o.Feed.Firings(p.read, feedPage)
	if err != nil {
		return fmt.Errorf("read the feed after %s: %w", p.read, err)
	}
	if begins, _ := p.o.Feed.Span(); p.read.Offset+1 < begins { // after it: what went meanwhile is not passed over in silence
		p.o.Metrics.gaps.Inc()
		p.o.Logger.Error("firings may be missing on the broker: the feed dropped its oldest before they were published. Keep more of the log (--log-keep, "+
			"--log-max), or see to the broker sooner", "after", p.read, "before", nudge.Cursor{Offset: begins})
	}
	for i := range page {
		p.read = page[i].Cursor
		p.flights = append(p.flights, launch(&page[i]))
	}
	if p.idles = len(page) < feedPage; !p.idles {
		return nil
	}
	if end := upTo(ends); p.read.Less(end) {
		p.read = end
		p.flights = append(p.flights, flight{cursor: end})
	}
	return nil
}

// upTo is the last cursor before those of an offset.
func upTo(o nudge.Offset) nudge.Cursor {
	return nudge.Cursor{Offset: max(o, 1) - 1, N: math.MaxUint32}
}

// launch publishes one firing, if it is one that goes out and the stream does not hold it already.
func (p *publisher) launch(f *nudge.Firing) flight {
	if !f.Delivered() {
		return flight{cursor: f.Cursor}
	}
	if p.held[f.ID] {
		delete(p.held, f.ID)
		p.o.Metrics.published.Inc()
		p.o.Metrics.known.Inc()
		return flight{cursor: f.Cursor, firing: true}
	}
	future, err := p.c.js.PublishMsgAsync(firingMessage(f))
	return flight{cursor: f.Cursor, firing: true, future: future, err: err}
}

// land waits for the oldest flight and moves the place over it, or for more to send.
func (p *publisher) land(ctx context.Context) error {
	f := &p.flights[0]
	err := f.err
	if f.future != nil {
		select {
		case ack := <-f.future.Ok():
			p.confirm(ack)
		case err = <-f.future.Err():
		case <-p.bell:
			p.idles = false // there is more to send meanwhile
			return nil
		case <-p.c.lost:
			return errLost
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil && !p.refused(f.cursor, err) {
		return fmt.Errorf("publish the firing at %s: %w", f.cursor, p.explain(err))
	}
	p.landed(f)
	p.flights = p.flights[1:]
	return nil
}

func (p *publisher) landed(f *flight) {
	p.moveTo(f.cursor)
	if f.firing {
		p.since++
	}
}

func (p *publisher) confirm(ack *jetstream.PubAck) {
	p.o.Metrics.published.Inc()
	if ack.Duplicate {
		p.o.Metrics.known.Inc()
	}
	if ack.Stream == p.stream {
		p.place.Seq = max(p.place.Seq, ack.Sequence)
	}
}

// refused says whether the broker will never take a firing. It stays in the feed; those behind it must not wait for it.
func (p *publisher) refused(at nudge.Cursor, err error) bool {
	if !isTooLarge(err) {
		return false
	}
	p.o.Metrics.tooLarge.Inc()
	p.quiet.Warn(p.o.Logger, "a firing is too large for the broker and was left out: raise max_payload, or the stream's largest message", "cursor", at)
	return true
}

// isTooLarge says whether the broker, or the stream, does not take a message for its size.
func isTooLarge(err error) bool {
	return errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum)
}

func (p *publisher) explain(err error) error {
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		return fmt.Errorf("no stream captures it: give the stream %s the subject %s.>: %w", p.stream, FiredSubject, err)
	}
	return err
}

// idle waits for new firings, at most until the place is to be logged, and for no longer than given.
func (p *publisher) idle(ctx context.Context, longest time.Duration) error {
	if p.since > 0 {
		longest = saveEvery
	}
	t := time.NewTimer(longest)
	defer t.Stop()
	select {
	case <-p.bell:
		p.idles = false
	case <-t.C:
		p.idles = false // so that the place keeps up with a feed in which nothing goes out
	case <-p.c.lost:
		return errLost
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
