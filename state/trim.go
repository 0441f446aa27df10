package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nudge"
)

// Trim drops the oldest segments while the log is larger than LogMaxBytes, or all their records are older than LogMaxAge at now. It never drops the
// active one, or one that holds keepFrom or a later offset. The file of one that a Read still needs goes with a later Trim, or when the log
// is opened again. Nothing goes while a backup is made, and what LogWanted names goes later. After a nudge.ErrFull nothing is dropped; a later
// Trim may find room for the shorter manifest.
func (l *Log) Trim(keepFrom nudge.Offset, now nudge.Millis) error {
	wanted := l.wanted()
	l.manifestMu.Lock()
	defer l.manifestMu.Unlock()
	l.mu.Lock()
	before := l.manifest
	n := l.trimmableLocked(keepFrom, wanted, now)
	if err := l.err; err != nil {
		l.mu.Unlock()
		return err
	}
	drop := l.manifest.sealed[:n]
	m := l.manifest.clone()
	m.dropOldest(n)
	l.manifest = m // from here on no Read begins in them
	l.dropped = append(l.dropped, drop...)
	l.mu.Unlock()
	if n > 0 {
		// First the manifest, then the files: a crash in between leaves files that opening removes, never a hole.
		if err := m.write(l.fs, l.dir); err != nil {
			return l.notTrimmed(before, n, fmt.Errorf("trim the log: %w", err))
		}
		l.logger.Info("trimmed the log", "segments", n, "last", uint64(drop[n-1].last))
	}
	return errors.Join(l.removeDropped(), l.removeStale())
}

// notTrimmed passes on why the manifest on disk is still the one before, from which n segments were dropped. All but a full disk is final.
func (l *Log) notTrimmed(before manifest, n int, err error) error {
	if !errors.Is(err, nudge.ErrFull) {
		return l.fail(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.manifest = before
	l.dropped = l.dropped[:len(l.dropped)-n]
	return err
}

// removeDropped removes the files of dropped segments, oldest first, up to the first that a Read may still open. What cannot be removed now is tried
// again: it may hold a record of somebody who is being erased. The caller holds manifestMu.
func (l *Log) removeDropped() error {
	for {
		l.mu.Lock()
		if len(l.dropped) == 0 || l.pinnedLocked(l.dropped[0].number) {
			l.mu.Unlock()
			return nil
		}
		id := l.dropped[0].segmentID
		l.mu.Unlock()
		if err := remove(l.fs, l.pathOf(id)); err != nil {
			return fmt.Errorf("trim the log: %w", err)
		}
		l.mu.Lock()
		l.dropped = l.dropped[1:]
		l.mu.Unlock()
	}
}

// AwaitRemoval waits until the files of all segments that were trimmed are gone: a Read keeps those that it may still open until it ends.
func (l *Log) AwaitRemoval(ctx context.Context) error {
	look := time.NewTicker(purgeLook)
	defer look.Stop()
	for {
		if left, err := l.removeTrimmed(); err != nil || left == 0 {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// removeTrimmed is removeDropped, and says of how many segments there are files left.
func (l *Log) removeTrimmed() (left int, err error) {
	l.manifestMu.Lock()
	defer l.manifestMu.Unlock()
	err = l.removeDropped()
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.dropped), err
}

func (l *Log) wanted() nudge.Offset {
	if l.opts.LogWanted == nil {
		return 0
	}
	return l.opts.LogWanted()
}

// trimmableLocked counts the oldest segments that may go.
func (l *Log) trimmableLocked(keepFrom, wanted nudge.Offset, now nudge.Millis) int {
	if l.held != 0 {
		return 0
	}
	bytes := l.bytesLocked()
	for i, s := range l.manifest.sealed {
		allowed := nudge.Millis(1)
		if wanted != 0 && s.last >= wanted {
			allowed = wantedShare
		}
		expired := s.at < now-allowed*l.opts.LogMaxAge
		if s.last >= keepFrom && !planted(bugTrimsAll) || !expired && bytes <= int64(allowed)*l.opts.LogMaxBytes {
			return i
		}
		bytes -= s.bytes
	}
	return len(l.manifest.sealed)
}

// pinnedLocked reports whether a Read may still open the segment.
func (l *Log) pinnedLocked(number uint64) bool {
	for first := range l.pins {
		if first <= number {
			return true
		}
	}
	return false
}
