package state

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"nudge"
)

// Drop makes the records from one offset to another that drop names voids, and notes none of them: persons were erased. When it returns without an error no file of the log holds one of
// them any more. files is how many were written anew. Like Rewrite, it may run beside everything else and be called again after a crash.
func (l *Log) Drop(ctx context.Context, from, through nudge.Offset, drop func(nudge.Offset, nudge.Record) bool) (files int, err error) {
	report, err := l.Rewrite(ctx, RewriteOptions{From: from, Through: through, Drop: drop})
	return report.Segments, err
}

// purgeLook is how often Purge looks whether Pebble has removed the files that it does not need any more, and AwaitRemoval whether a Read has ended.
const purgeLook = 10 * time.Millisecond

// Purge makes the store forget what it has been told to forget: when it returns, no file holds a row, or the value of one, that was deleted or
// replaced before it was called. It may run beside everything else, and reads and writes all of the store that was not at rest.
func (s *Store) Purge(ctx context.Context) error {
	if err := s.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- s.db.Compact(ctx, []byte{0}, []byte{0xff}, false) }() // it never ends where the store fails meanwhile
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("store: purge: %w", full(s.readError(err)))
		}
	case <-s.failed:
		s.stuck.Store(true)
		return s.Err()
	}
	return s.waitForCleaning(ctx)
}

// waitForCleaning waits until the files are gone that the compaction has replaced. A scan under way holds its own back until it ends.
func (s *Store) waitForCleaning(ctx context.Context) error {
	look := time.NewTicker(purgeLook)
	defer look.Stop()
	for unneeded(s.db.Metrics()) > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.failed:
			return s.Err()
		}
	}
	return nil
}

// unneeded is how many files hold what no row needs.
func unneeded(m *pebble.Metrics) int64 { return m.Table.ObsoleteCount + m.Table.ZombieCount }
