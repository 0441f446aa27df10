package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nudge"
)

// MaxVoids bounds the records that may be made voids by hand: the manifest names each, and it is written often. One would do.
const MaxVoids = 1000

// errVoid is what Void returns of a record that is a void already.
var errVoid = errors.New("the record is a void already")

// Void makes the one record at an offset a void, and notes in the manifest that it was, at an instant of the wall clock. It is for a record that
// stops the engine: what it did to a checkpoint that covers it, it did.
func (l *Log) Void(ctx context.Context, off nudge.Offset, at nudge.Millis) error {
	first, next, voids := l.First(), l.Next(), l.Voids()
	switch {
	case off < first || off >= next:
		return fmt.Errorf("offset %d is not in the log: it holds the offsets %d to %d", off, first, next-1)
	case len(voids) >= MaxVoids:
		return fmt.Errorf("%d records were made voids by hand already, and more are not noted: what stops the engine must be mended there", MaxVoids)
	case slices.ContainsFunc(voids, func(v VoidInfo) bool { return v.Offset == off }):
		return errVoid
	}
	r, err := l.Rewrite(ctx, RewriteOptions{
		From: off, Through: off, Hurry: true, Drop: func(o nudge.Offset, _ nudge.Record) bool { return o == off },
		note: &voidNote{off: off, at: at},
	})
	if err == nil && r.Voided == 0 {
		return errVoid
	}
	return err
}
