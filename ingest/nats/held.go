package nats

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// findStream finds the stream that captures the firings, and what it holds of those behind the place. Once one has captured them there must be one:
// while a broker starts, none is there for a moment, and what is published then is lost.
func (p *publisher) findStream(ctx context.Context) (err error) {
	subject := FiredSubject + ".>"
	if p.stream, err = p.c.captures(ctx, subject); err != nil {
		return err
	}
	if p.stream == "" && p.place.Stream != "" {
		return fmt.Errorf("no stream captures %s any more, %s did: firings wait for one; make it again, as in `nats stream add %s --subjects '%s'`",
			subject, p.place.Stream, p.place.Stream, subject)
	}
	if p.stream == "" {
		return nil
	}
	stream, err := p.c.js.Stream(ctx, p.stream)
	if err != nil {
		return fmt.Errorf("find the stream %s: %w", p.stream, err)
	}
	p.placeIn(stream.CachedInfo())
	if err := p.lookUp(ctx, subject); err != nil {
		return err
	}
	return p.save(ctx) // a crash must not forget from where on the stream was looked through
}

// placeIn moves the place to the stream as it is now.
func (p *publisher) placeIn(info *jetstream.StreamInfo) {
	created, last := info.Created.UnixNano(), info.State.LastSeq
	switch known := p.place.Stream == p.stream && p.place.Created == created; {
	case p.place.Stream == "":
		p.place.Seq = last // nothing of ours is in it yet
	case !known:
		p.place.Seq = 0 // what was on its way may have met the new one
	case p.place.Seq > last:
		p.o.Logger.Error("the stream of the firings has lost its end, and with it firings that it had confirmed; the feed still has them. "+
			"Let the broker sync (sync_interval: always), or replicate the stream", "stream", p.stream, "confirmed", p.place.Seq, "last", last)
		p.place.Seq = last
	}
	p.place.Stream, p.place.Created = p.stream, created
}

// maxHeld bounds the ids that are looked up: more than can be behind the place and published.
const maxHeld = 4 * (window + saveFirings)

// lookUp collects the ids of the firings that the stream holds behind the place: those whose confirmation, or whose place, was lost.
func (p *publisher) lookUp(ctx context.Context, subject string) error {
	p.held = map[string]bool{}
	for seq := p.place.Seq + 1; len(p.held) < maxHeld; {
		m, err := p.c.next(ctx, p.stream, seq, subject)
		if errors.Is(err, errNone) {
			return nil
		}
		if err != nil {
			return err
		}
		p.held[m.header.Get(jetstream.MsgIDHeader)] = true
		seq = m.seq + 1
	}
	return nil
}
