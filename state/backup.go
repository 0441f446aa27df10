package state

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"nudge"
)

// unfinishedSuffix is behind the name of a backup while it is written.
const unfinishedSuffix = ".unfinished"

// ErrExists is what Backup returns where the folder for it is there already.
var ErrExists = errors.New("is there already: give a folder that is not")

// BackupReport says what a backup holds.
type BackupReport struct {
	First nudge.Offset `json:"first"` // of the log
	Last  nudge.Offset `json:"last"`  // First − 1 where there is no record
	At    nudge.Millis `json:"at"`    // log time of the last record
	Bytes int64        `json:"bytes"` // of the log
}

// Backup makes a copy of the folder at a place that does not exist yet, while the folder is used. The copy is a data folder of its own: the store's
// newest commit, and the log up to what is durable when its end is copied. Files that never change are linked where the file system can. Until all of it is on
// disk the copy has another name, so what has the name is whole.
//
// The order: first nothing is trimmed or rewritten any more, then the store is copied, then the log. So the log reaches from the store's commit or before it
// to its end or behind it (I1, I7).
func (d *Dir) Backup(ctx context.Context, to string) (report BackupReport, err error) {
	if _, err := d.fs.Stat(to); err == nil {
		return report, fmt.Errorf("back up to %s: it %w", to, ErrExists)
	} else if !errors.Is(err, errNotExist) {
		return report, fmt.Errorf("back up to %s: %w", to, err)
	}
	d.Log.rewriteMu.Lock()
	defer d.Log.rewriteMu.Unlock()
	d.Log.hold(1)
	defer d.Log.hold(-1)
	unfinished := to + unfinishedSuffix
	if err := d.fs.RemoveAll(unfinished); err != nil { // of a backup that a crash ended
		return report, fmt.Errorf("back up to %s: %w", to, err)
	}
	if report, err = d.copyTo(ctx, unfinished); err == nil {
		err = d.fs.Rename(unfinished, to)
	}
	if err == nil {
		err = syncDir(d.fs, d.fs.PathDir(to))
	}
	if err != nil {
		return report, fmt.Errorf("back up to %s: %w", to, errors.Join(err, d.fs.RemoveAll(unfinished)))
	}
	return report, nil
}

// copyTo copies the store and the log, in this order, and makes the copy durable.
func (d *Dir) copyTo(ctx context.Context, to string) (report BackupReport, err error) {
	logTo := d.fs.PathJoin(to, "log")
	if err := makeFolders(d.fs, to, logTo); err != nil {
		return report, err
	}
	if err := ctx.Err(); err != nil {
		return report, err
	}
	if err := d.Store.copyTo(d.fs, d.fs.PathJoin(to, "store")); err != nil {
		return report, err
	}
	if report, err = d.Log.copyTo(ctx, logTo); err != nil {
		return report, err
	}
	return report, syncDir(d.fs, to)
}

// copyTo makes a copy of the store's newest commit in a folder that does not exist yet, with the notes of its manifest.
func (s *Store) copyTo(fs vfs.FS, dir string) error {
	if err := s.Err(); err != nil {
		return err
	}
	if err := s.checkpointTo(dir); err != nil {
		return fmt.Errorf("copy the store: %w", full(err))
	}
	name, err := atomicfs.ReadMarker(fs, dir, markerName)
	if err != nil {
		return err
	}
	b, err := readFile(fs, fs.PathJoin(dir, name))
	if err != nil {
		return err
	}
	notes := &sums{fs: fs, dir: dir}
	return notes.note(manifestSum{name: name, bytes: int64(len(b)), sum: crc32.Checksum(b, castagnoli)})
}

// checkpointTo lets Pebble copy itself. It panics where a folder of the copy cannot be synced: that is the copy's end and not the store's, which
// it leaves as it was.
func (s *Store) checkpointTo(dir string) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case error:
			err = v
		default:
			panic(v)
		}
	}()
	return s.db.Checkpoint(dir)
}

// hold keeps Trim from dropping anything, while more were held than let go.
func (l *Log) hold(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held += n
}

// copyTo copies the log as it is now into a folder. The caller holds it and rewriteMu, so that no file of it goes.
func (l *Log) copyTo(ctx context.Context, dir string) (report BackupReport, err error) {
	l.mu.Lock()
	m, active, at := l.manifest.clone(), l.active.header, l.synced
	report = BackupReport{First: l.firstLocked(), Last: at.next - 1, At: at.at, Bytes: l.bytesLocked() - l.appended.pos + at.pos}
	l.mu.Unlock()
	for _, s := range m.sealed {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		if err := linkOrCopy(l.fs, l.pathOf(s.segmentID), l.fs.PathJoin(dir, s.name())); err != nil {
			return report, err
		}
	}
	id := segmentID{number: active.number}
	if err := copyFile(l.fs, l.pathOf(id), l.fs.PathJoin(dir, id.name()), at.pos); err != nil {
		return report, err
	}
	return report, m.write(l.fs, dir)
}

// linkOrCopy gives a file that never changes another name, or copies it where the file system cannot.
func linkOrCopy(fs vfs.FS, from, to string) error {
	if fs.Link(from, to) == nil {
		return nil
	}
	return copyFile(fs, from, to, -1)
}

// copyFile copies the first bytes of a file, -1 for all, and makes the copy as long as the file, and durable but for its name.
func copyFile(fs vfs.FS, from, to string, bytes int64) (err error) {
	src, err := fs.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if bytes < 0 {
		bytes = info.Size()
	}
	dst, err := fs.Create(to, vfs.WriteCategoryUnspecified)
	if err != nil {
		return full(err)
	}
	n, err := io.Copy(dst, io.LimitReader(src, bytes))
	if err == nil && n < bytes {
		err = fmt.Errorf("%s ends at byte %d, %d were written", from, n, bytes)
	}
	if err == nil && n < info.Size() {
		_, err = dst.WriteAt([]byte{0}, info.Size()-1)
	}
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(full(err), dst.Close())
}
