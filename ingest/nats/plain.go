package nats

import (
	"context"
	"fmt"
	"time"

	"nudge"
)

// plain publishes to whoever is listening, and ends when there is a stream. The place moves when the broker has read the bytes; who was not
// listening has missed them.
func (p *publisher) plain(ctx context.Context) error {
	p.o.Logger.Warn("no stream captures "+FiredSubject+".>: firings go to whoever is listening, and are lost where nobody is. Make one, as in "+
		"`nats stream add FIRED --subjects '"+FiredSubject+".>'`", "after", p.read)
	for looked := time.Now(); ; {
		err := p.sendPlain(ctx)
		if err == nil {
			err = p.mind(ctx)
		}
		if err == nil && p.idles {
			err = p.idle(ctx, lookAgain)
		}
		if err != nil {
			return err
		}
		if time.Since(looked) < lookAgain {
			continue
		}
		looked = time.Now()
		if stream, err := p.c.captures(ctx, FiredSubject+".>"); stream != "" || err != nil {
			return err // the next session finds it
		}
	}
}

// sendPlain publishes a page of the feed and waits until the broker has read it.
func (p *publisher) sendPlain(ctx context.Context) error {
	err := p.next(func(f *nudge.Firing) flight {
		if !f.Delivered() {
			return flight{cursor: f.Cursor}
		}
		return flight{cursor: f.Cursor, firing: true, err: p.c.nc.PublishMsg(firingMessage(f))}
	})
	if err != nil || len(p.flights) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := p.c.nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("publish firings: %w", err)
	}
	for i := range p.flights {
		f := &p.flights[i]
		if f.err != nil && !p.refused(f.cursor, f.err) {
			return fmt.Errorf("publish the firing at %s: %w", f.cursor, f.err)
		}
		if f.firing && f.err == nil {
			p.o.Metrics.unconfirmed.Inc()
		}
		p.landed(f)
	}
	p.flights = p.flights[:0]
	return nil
}
