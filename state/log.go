package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

var errNotExist = fs.ErrNotExist

// errClosed is what Append and Sync return after Close.
var errClosed = errors.New("the log is closed")

// Log is the one durable, ordered file of records of a node. Append and Sync belong to one goroutine; everything else may be called from any,
// beside them.
type Log struct {
	fs      vfs.FS
	dir     string
	opts    Options
	logger  *slog.Logger
	encoder encoder // the writer's, as is all that writeMu guards
	active  segment // the writer's; changed under mu, so that readers may look
	spare   spare   // the writer's
	junk    int64   // the writer's: up to this byte of the active segment stand the remains of an entry that found no room; 0: none
	short   bool    // the writer's: the next segment found no room; until it is made nothing is appended

	writeMu    sync.Mutex  // held by whoever appends, syncs or seals; taken before manifestMu
	rewriteMu  sync.Mutex  // held while a segment is rewritten; taken before writeMu
	manifestMu sync.Mutex  // held while the manifest is replaced; taken before mu
	stale      []segmentID // files that Rewrite has replaced and could not remove yet; guarded by manifestMu

	mu       sync.Mutex // guards what follows
	manifest manifest
	dropped  []sealed       // segments that Trim took from the manifest and whose files are still there
	appended end            // behind the last entry that was written
	synced   end            // behind the last entry that is durable
	held     int            // Trim drops nothing while it is not 0
	pins     map[uint64]int // segment number → readers that may still open it or a later one
	err      error          // the first failed write or sync (I9)
	torn     string         // what opening dropped, for Confirm's message
}

// end is the place behind an entry of the active segment.
type end struct {
	pos  int64
	next nudge.Offset
	at   nudge.Millis
	crc  uint32 // header checksum of the entry
}

// segment is the one that is appended to.
type segment struct {
	file   vfs.File
	path   string
	header segmentHeader
	since  nudge.Millis // log time of its first entry
}

func (l *Log) pathOf(id segmentID) string { return l.fs.PathJoin(l.dir, id.name()) }

// Append writes e behind the last entry. It is durable, and Read sees it, after the next Sync. e's buffer is not changed and not kept. Where
// the disk is full it returns nudge.ErrFull: the log is as before, and an entry, this one or another, may be appended once there is room.
func (l *Log) Append(e nudge.Entry) error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	at, err := l.appendable(e)
	if err != nil {
		return err
	}
	if err := l.clearJunk(at); err != nil {
		return err
	}
	if err := l.makeRoom(); err != nil {
		return fmt.Errorf("append offset %d: %w", e.First, err)
	}
	bytes, h, err := l.encoder.encode(e, at.crc, l.active.header.salt)
	if err != nil {
		return fmt.Errorf("append offset %d: %w", e.First, err)
	}
	if at.pos > segmentHeaderBytes && (at.pos+int64(len(bytes)) > l.opts.SegmentBytes || e.At-l.active.since > l.opts.segmentAge()) {
		if at, err = l.roll(at); err != nil {
			return l.notAppended(fmt.Errorf("begin a log segment at offset %d: %w", e.First, err))
		}
		if bytes, h, err = l.encoder.encode(e, at.crc, l.active.header.salt); err != nil {
			return fmt.Errorf("append offset %d: %w", e.First, err)
		}
	}
	if _, err := l.active.file.WriteAt(bytes, at.pos); err != nil {
		l.junk = at.pos + int64(len(bytes))
		return l.notAppended(fmt.Errorf("write log segment %s at byte %d: %w", l.active.path, at.pos, full(err)))
	}
	l.mu.Lock()
	if at.pos == segmentHeaderBytes {
		l.active.since = e.At
	}
	l.appended = end{pos: at.pos + h.size(), next: e.First + nudge.Offset(e.Count), at: e.At, crc: h.crc}
	l.mu.Unlock()
	return nil
}

// notAppended passes on why an entry is not in the log. All but a full disk is final.
func (l *Log) notAppended(err error) error {
	if !errors.Is(err, nudge.ErrFull) {
		return l.fail(err)
	}
	l.encoder.undo()
	return err
}

// clearJunk puts zeros, durably, where an entry found no room for all of itself: what comes there next must find the place as a torn write
// leaves it, or a crash could not be told from damage.
func (l *Log) clearJunk(at end) error {
	if l.junk == 0 {
		return nil
	}
	if _, err := l.active.file.WriteAt(make([]byte, l.junk-at.pos), at.pos); err != nil {
		err = fmt.Errorf("clear log segment %s at byte %d: %w", l.active.path, at.pos, full(err))
		if errors.Is(err, nudge.ErrFull) {
			return err
		}
		return l.fail(err)
	}
	if err := l.active.file.SyncData(); err != nil {
		return l.fail(fmt.Errorf("sync log segment %s: %w", l.active.path, err))
	}
	l.junk = 0
	return nil
}

// appendable refuses what would break the log's order, and syncs an entry that its caller did not: two unsynced entries could be torn
// together, and recovery tells a crash from damage by there being one.
func (l *Log) appendable(e nudge.Entry) (end, error) {
	l.mu.Lock()
	at, synced, err := l.appended, l.synced, l.err
	l.mu.Unlock()
	switch {
	case err != nil:
		return at, err
	case e.First != at.next:
		return at, fmt.Errorf("append offset %d: the log goes on with offset %d", e.First, at.next)
	case e.At < at.at:
		return at, fmt.Errorf("append offset %d: log time goes back from %d to %d (I6)", e.First, at.at, e.At)
	}
	if at != synced {
		return at, l.sync()
	}
	return at, nil
}

// Sync makes the last entry durable. An error is final: the bytes may be on disk or not, and syncing the same file again may report success
// for pages that the failure dropped (I9).
func (l *Log) Sync() error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	return l.sync()
}

func (l *Log) sync() error {
	l.mu.Lock()
	at, synced, err := l.appended, l.synced, l.err
	l.mu.Unlock()
	if err != nil || at == synced {
		return err
	}
	err = l.active.file.SyncData()
	if err != nil && planted(bugSyncAgain) {
		err = l.active.file.SyncData()
	}
	if err != nil {
		return l.fail(fmt.Errorf("sync log segment %s: %w", l.active.path, err))
	}
	l.mu.Lock()
	l.synced = at
	l.mu.Unlock()
	if at.pos > l.opts.SegmentBytes/2 {
		l.spare.start(l)
	}
	return nil
}

// fail keeps the first error for every later call.
func (l *Log) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	return l.err
}

// First is the offset of the oldest record that is held, or Next if there is none.
func (l *Log) First() nudge.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.firstLocked()
}

func (l *Log) firstLocked() nudge.Offset {
	if len(l.manifest.sealed) > 0 {
		return l.manifest.sealed[0].first
	}
	return l.active.header.first
}

// Next is the offset that the next entry must begin with.
func (l *Log) Next() nudge.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appended.next
}

// LastAt is the log time of the last entry, 0 if there never was one.
func (l *Log) LastAt() nudge.Millis {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.appended.at
}

// Bytes is the length of what was written and is held. The space that is made ahead, two segments at most, comes on top.
func (l *Log) Bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytesLocked()
}

func (l *Log) bytesLocked() int64 {
	n := l.appended.pos
	for _, s := range l.manifest.sealed {
		n += s.bytes
	}
	return n
}

// LogStats is what the log holds.
type LogStats struct {
	Segments  int          // with the active one
	Rewritten int          // of them
	Bytes     int64        // as Bytes
	Since     nudge.Millis // log time of the oldest entry, 0 if there is none
	Voids     int          // records that were made voids by hand
}

// Stats says what the log holds.
func (l *Log) Stats() LogStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := LogStats{Segments: len(l.manifest.sealed) + 1, Bytes: l.bytesLocked(), Voids: len(l.manifest.voids)}
	for _, sealed := range l.manifest.sealed {
		if sealed.generation > 0 {
			s.Rewritten++
		}
	}
	switch {
	case len(l.manifest.sealed) > 0:
		s.Since = l.manifest.sealed[0].since
	case l.appended.next > l.active.header.first:
		s.Since = l.active.since
	}
	return s
}

// Confirm checks that the log reaches stored: the last offset that a checkpoint or a cursor speaks of. If it does not, acknowledged
// records are lost and the node must not start (I7).
func (l *Log) Confirm(stored nudge.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if stored < l.synced.next || planted(bugDropsAny) {
		return nil
	}
	what := fmt.Sprintf("the log ends with offset %d, but offset %d was stored as done: records are missing at its end", l.synced.next-1, stored)
	if l.torn != "" {
		what += "; " + l.torn
	}
	return &Damage{File: l.active.path, Pos: l.synced.pos, Offset: stored, What: what}
}

func (l *Log) close() error {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	err := l.spare.close()
	l.fail(errClosed)
	if file := l.active.file; file != nil {
		l.active.file = nil
		err = errors.Join(err, file.Close())
	}
	return err
}
