package replay

import (
	"context"
	"errors"
	"sync/atomic"

	"nudge"
	"nudge/engine"
)

// applier gives decoded blocks to the engine, batch after batch.
type applier struct {
	engine  *engine.Engine
	batch   engine.Batch
	size    int // records per batch
	clock   clock
	skipBad bool
	emit    func([]nudge.Firing) error
	release func(*block)

	held    []*block // passed through, but the batch points into their records
	events  *atomic.Int64
	skipped Skipped
}

// run applies every block of the source.
func (a *applier) run(ctx context.Context, src *source) error {
	for {
		b, err := src.next(ctx)
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted: what was printed so far is right, the rest is missing")
		}
		if err != nil || b == nil {
			return errors.Join(a.flush(), err)
		}
		if err := a.block(b); err != nil {
			return err
		}
	}
}

// block applies a block's records. Where a line is refused, what stands before it is applied before the error is returned.
func (a *applier) block(b *block) error {
	start := 0
	for i := range b.items {
		it := &b.items[i]
		if err := a.item(b, it, start); err != nil {
			bad := b.lineError(it.line, err)
			if !a.skipBad {
				return errors.Join(a.flush(), &Refused{bad})
			}
			if a.skipped.Lines++; a.skipped.First == nil {
				a.skipped.First = bad
			}
		}
		start = it.end
		if a.batch.Len() >= a.size {
			if err := a.flush(); err != nil {
				return err
			}
		}
	}
	a.held = append(a.held, b)
	return nil
}

func (a *applier) item(b *block, it *item, start int) error {
	if it.err != nil {
		return it.err
	}
	rec, _ := nudge.SplitRecord(b.records.Buf[start:it.end])
	ts, hasTs := rec.Ts()
	at, err := a.clock.stamp(it.at, it.hasAt, ts, hasTs)
	if err != nil {
		return err
	}
	a.batch.Add(nudge.Offset(it.line), at, rec)
	return nil
}

// flush applies the batch and lets go of the blocks that it points into.
func (a *applier) flush() error {
	if n := a.batch.Len(); n > 0 {
		a.events.Add(int64(n))
		err := a.emit(a.engine.Apply(&a.batch))
		a.batch.Reset()
		if err != nil {
			return err
		}
	}
	for _, b := range a.held {
		a.release(b)
	}
	a.held = a.held[:0]
	return nil
}
