package nats

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"strconv"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"nudge"
	"nudge/ingest"
)

// batch is what is handed to the engine in one request.
type batch struct {
	records  nudge.RecordBuilder
	count    int // records
	accepted int // events
	place    place
	acks     []ack
	letters  []*nats.Msg
}

// ack is a message to acknowledge when the batch is durable.
type ack struct {
	m   jetstream.Msg
	bad string // why nothing, or not everything, of it could be taken
}

func (b *batch) reset(p place) {
	clear(b.acks)
	clear(b.letters)
	*b = batch{records: nudge.RecordBuilder{Buf: b.records.Buf[:0]}, place: p, acks: b.acks[:0], letters: b.letters[:0]}
}

// full says whether the batch takes no further message. One message may carry it beyond the bound, by at most ingest.MaxBodyBytes of events.
func (b *batch) full() bool {
	return b.count >= batchRecords || len(b.records.Buf) >= batchBytes || len(b.letters) >= maxLetters || len(b.acks) >= maxAckPending
}

// decode puts a message's events into the batch. bad says what could not be taken.
func (s *Source) decode(m *message) (bad string) {
	s.metrics.messages.Inc()
	b := &s.batch
	b.place.Seq, b.place.Time = m.seq, m.time.UnixNano()
	if ours(m.subject) { // the stream captures what we publish: that is no event, and a dead letter of it would come again
		return ""
	}
	var done ingest.Decoded
	err := error(&ingest.Error{Code: ingest.CodeTooLarge, Message: fmt.Sprintf("the message has more than %d bytes: publish the events in several", ingest.MaxBodyBytes)})
	if len(m.data) <= ingest.MaxBodyBytes {
		done, err = s.codec.Message(m.data, contentType(m.header), s.origin(m), &b.records)
	}
	b.count += done.Records
	b.accepted += done.Accepted
	var whole *ingest.Error
	if errors.As(err, &whole) {
		done.Rejected = []ingest.Rejection{{Error: *whole}}
	}
	if len(done.Rejected) == 0 {
		return ""
	}
	return s.reject(m, done.Rejected)
}

// origin is what a message says of events that do not say it themselves. The publisher's own id of the message comes first: a publisher that sends
// again, later than the stream remembers ids, is then still recognised. Otherwise its place in the stream names it; with its time, since
// a stream that is made anew, or has lost its end, gives out its numbers again.
func (s *Source) origin(m *message) ingest.Origin {
	id := m.header.Get(jetstream.MsgIDHeader)
	if id == "" || len(id) > ingest.MaxOriginBytes || !utf8.ValidString(id) {
		id = s.o.Stream.Name + ":" + strconv.FormatUint(m.seq, 10) + ":" + strconv.FormatInt(m.time.UnixNano(), 36)
	}
	return ingest.Origin{ID: id, Ts: nudge.Millis(m.time.UnixMilli())}
}

// contentType matters where it says MessagePack; otherwise the first byte tells what a body is.
func contentType(h nats.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// flush makes the batch durable together with its place, and acknowledges it.
func (s *Source) flush(ctx context.Context, c *connection) error {
	b := &s.batch
	if b.place != s.place {
		s.publishLetters(ctx, c)
		b.records.Position(s.o.Stream.Position(), b.place.String())
		err := submit(ctx, s.o.Sink, b.records.Buf, b.count+1, func(err error) {
			s.metrics.busy.Inc()
			s.quiet.waits.Warn(s.o.Logger, "events wait for the engine", "stream", s.o.Stream.Name, "err", err)
		})
		if err != nil {
			return err
		}
		s.place = b.place
		s.metrics.accepted.Add(float64(b.accepted))
	}
	for _, a := range b.acks {
		// One that is lost is sent again, and passed over.
		if a.bad != "" {
			_ = a.m.TermWithReason(a.bad)
		} else {
			_ = a.m.Ack()
		}
	}
	b.reset(b.place)
	return nil
}
