package nats

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"nudge/ingest"
)

// Subjects that Nudge publishes to.
const (
	RejectedSubject = "nudge.rejected" // dead letters
	FiredSubject    = "nudge.fired"    // firings; the rule's id follows
)

// Headers of a dead letter. Its body is the message's.
const (
	headerStream   = "Nudge-Stream"
	headerSequence = "Nudge-Sequence"
	headerSubject  = "Nudge-Subject"
	headerCode     = "Nudge-Code" // of the first event that was not taken
	headerMessage  = "Nudge-Message"
	headerField    = "Nudge-Field"
	headerIndex    = "Nudge-Index"
	headerRejected = "Nudge-Rejected" // how many were not
)

// Limits of dead letters.
const (
	maxLetters    = 100         // in one batch
	letterTimeout = time.Second // for the broker to confirm one
)

// ours says whether a subject is one that Nudge publishes to.
func ours(subject string) bool {
	return subject == RejectedSubject || strings.HasPrefix(subject, FiredSubject+".")
}

// reject counts what could not be taken of a message, and makes its dead letter.
func (s *Source) reject(m *message, rejected []ingest.Rejection) (bad string) {
	for i := range rejected {
		s.metrics.rejected.WithLabelValues(rejected[i].Code).Inc()
	}
	first := &rejected[0]
	s.quiet.rejected.Warn(s.o.Logger, "events were rejected", "stream", s.o.Stream.Name, "sequence", m.seq, "count", len(rejected),
		"code", first.Code, "message", first.Message)
	h := nats.Header{}
	h.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s:%d:%d", s.o.Stream.Name, m.seq, m.time.UnixNano()))
	if t := m.header.Get("Content-Type"); t != "" {
		h.Set("Content-Type", t)
	}
	h.Set(headerStream, s.o.Stream.Name)
	h.Set(headerSequence, strconv.FormatUint(m.seq, 10))
	h.Set(headerSubject, m.subject)
	h.Set(headerCode, first.Code)
	h.Set(headerMessage, oneLine(first.Message))
	h.Set(headerField, oneLine(first.Field))
	h.Set(headerIndex, strconv.Itoa(first.Index))
	h.Set(headerRejected, strconv.Itoa(len(rejected)))
	s.batch.letters = append(s.batch.letters, &nats.Msg{Subject: RejectedSubject, Header: h, Data: m.data})
	return oneLine(first.Code + ": " + first.Message)
}

// oneLine makes a text fit a header.
func oneLine(s string) string { return strings.Map(dropControl, s) }

func dropControl(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

// publishLetters publishes the batch's dead letters before its messages are acknowledged. A stream that captures their subject confirms each. What
// goes wrong is said and does not stop the events behind it: the message is still in its own stream, as far as that keeps it.
func (s *Source) publishLetters(ctx context.Context, c *connection) {
	if len(s.batch.letters) == 0 {
		return
	}
	stream, err := c.captures(ctx, RejectedSubject)
	for _, m := range s.batch.letters {
		if err != nil {
			break
		}
		if err = c.publishLetter(ctx, stream, m); isTooLarge(err) { // with its headers; those behind it may be smaller
			s.letterLost(err)
			err = nil
		}
	}
	if err != nil {
		s.letterLost(err)
	}
}

func (c *connection) publishLetter(ctx context.Context, stream string, m *nats.Msg) error {
	if stream == "" {
		return c.nc.PublishMsg(m)
	}
	ctx, cancel := context.WithTimeout(ctx, letterTimeout)
	defer cancel()
	_, err := c.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	return err
}

func (s *Source) letterLost(err error) {
	s.quiet.letters.Warn(s.o.Logger, "a dead letter was not published", "stream", s.o.Stream.Name, "subject", RejectedSubject, "err", err)
}
