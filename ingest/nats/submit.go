package nats

import (
	"context"
	"errors"
	"time"

	"nudge"
	"nudge/ingest"
)

// How long an engine that has taken nothing is left alone before it is asked again.
const (
	firstBusyPause = 2 * time.Millisecond
	lastBusyPause  = 200 * time.Millisecond
)

// submit hands records over, and again as long as the engine is at its bound or its disk is full: then it has taken nothing. waits is told of it.
func submit(ctx context.Context, to ingest.Sink, records []byte, count int, waits func(error)) error {
	for pause := firstBusyPause; ; pause = min(2*pause, lastBusyPause) {
		_, err := to.Submit(ctx, records, count, false)
		if !errors.Is(err, nudge.ErrBusy) && !errors.Is(err, nudge.ErrFull) {
			return err
		}
		waits(err)
		wait(ctx, pause)
	}
}
