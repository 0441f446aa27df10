package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// message is one message of a stream.
type message struct {
	seq     uint64
	time    time.Time
	subject string
	header  nats.Header
	data    []byte
}

// anySubject matches every message of a stream.
const anySubject = ">"

// errNone: the stream has no such message.
var errNone = errors.New("the stream has no such message")

// next is the first message at or behind a sequence number, on a subject. The stream's leader is asked, not a replica, as the client's own
// call may do: one that lags would say that a message is gone which is there.
func (c *connection) next(ctx context.Context, stream string, seq uint64, subject string) (*message, error) {
	request, err := json.Marshal(struct {
		Seq  uint64 `json:"seq"`
		Next string `json:"next_by_subj"`
	}{max(seq, 1), subject})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+stream, request)
	if err != nil {
		return nil, fmt.Errorf("ask the stream %s for message %d: %w", stream, seq, err)
	}
	var got struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return nil, fmt.Errorf("ask the stream %s for message %d: the answer is not JSON: %w", stream, seq, err)
	}
	if got.Error != nil && got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return nil, errNone
	}
	if got.Error != nil {
		return nil, fmt.Errorf("ask the stream %s for message %d: %w", stream, seq, got.Error)
	}
	g := &got.Message
	m := &message{seq: g.Sequence, time: g.Time, subject: g.Subject, data: g.Data}
	if len(g.Header) > 0 {
		if m.header, err = nats.DecodeHeadersMsg(g.Header); err != nil {
			m.header = nil // whoever wrote it has no use for it
		}
	}
	return m, nil
}

// captures is the stream that keeps what is published to a subject, "" if the broker says that there is none.
func (c *connection) captures(ctx context.Context, subject string) (string, error) {
	name, err := c.js.StreamNameBySubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("ask which stream captures %s: %w", subject, err)
	}
	return name, nil
}
