package state

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

const (
	rewriteTmpName = "rewrite.tmp"

	rewriteBuffer = 1 << 20                // bytes that are written at once
	rewriteWork   = time.Millisecond       // it works before it looks whether others want the machine
	rewriteRest   = 4                      // times as long as it worked it rests where there is traffic: it takes a fifth of a core then
	rewritePause  = 250 * time.Millisecond // for so long at most
)

// RewriteOptions of Rewrite.
type RewriteOptions struct {
	// From and Through bound the segments that are looked at: those that hold an offset from From to Through. With Through the active
	// segment, too, is sealed if it must be; where it is 0, all sealed segments from From on are meant and the active one is left alone.
	From, Through nudge.Offset

	// Drop says which records become voids; nil: none. It may be asked more than once for a record and must answer the same. The
	// record is valid until it returns; of its name ids only those below nudge.FirstFreeName mean something.
	Drop func(off nudge.Offset, rec nudge.Record) bool

	Hurry bool // do not rest where there is traffic

	note *voidNote // for the manifest
}

// RewriteReport says what a Rewrite did.
type RewriteReport struct {
	Segments      int   // that were written anew
	Voided        int   // records that became voids
	Before, After int64 // bytes of these segments
}

// Rewrite writes sealed segments anew, one after the other: those that never were, and those that hold a record to drop. A dropped record
// becomes a void: its offset, and the log time of its entry, stay. When Rewrite returns without an error no file of the folder holds
// a dropped record of those segments any more; where it returns one, nudge.ErrFull among them, each segment is as it was or as it should be. Safe beside appending, reading and trimming.
func (l *Log) Rewrite(ctx context.Context, o RewriteOptions) (report RewriteReport, err error) {
	if err := l.failed(); err != nil {
		return report, err
	}
	if o.Through != 0 {
		if o.Through < o.From {
			return report, nil
		}
		if err := l.sealThrough(o.Through); err != nil {
			return report, err
		}
	}
	pace := pace{log: l, began: time.Now(), hurry: o.Hurry}
	for _, number := range l.segmentsBetween(o.From, o.Through) {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		if err := l.rewriteSegment(ctx, number, &o, &pace, &report); err != nil {
			return report, fmt.Errorf("rewrite log segment %d: %w", number, err)
		}
	}
	l.manifestMu.Lock()
	defer l.manifestMu.Unlock()
	return report, errors.Join(l.removeDropped(), l.removeStale())
}

// segmentsBetween lists the sealed segments that hold an offset from from to through; 0: to the last.
func (l *Log) segmentsBetween(from, through nudge.Offset) (numbers []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.manifest.sealed {
		if s.last >= from && (through == 0 || s.first <= through) {
			numbers = append(numbers, s.number)
		}
	}
	return numbers
}

// rewriteSegment writes one segment anew if there is a reason to. The order is what a crash at any point relies on: the new file is durable and was
// read back before the manifest names it, and the old one goes after. What is not named is removed when the log is opened.
func (l *Log) rewriteSegment(ctx context.Context, number uint64, o *RewriteOptions, pace *pace, report *RewriteReport) error {
	l.rewriteMu.Lock()
	defer l.rewriteMu.Unlock()
	old, prev := l.pinSealed(number)
	if old == nil {
		return nil // it was trimmed meanwhile
	}
	defer l.unpin(number)
	w := &rewriter{log: l, ctx: ctx, old: *old, prev: prev, names: nudge.NewNamesWith(math.MaxInt), drop: o.Drop, pace: pace, sum: newEntrySum()}
	w.read.init(w.names)
	if needed, err := w.needed(); err != nil || !needed {
		return err
	}
	fresh, err := w.write()
	if err != nil {
		return errors.Join(err, remove(l.fs, l.fs.PathJoin(l.dir, rewriteTmpName)))
	}
	if named, err := l.replaceSegment(*old, fresh, o.note); err != nil || !named {
		return err
	}
	report.Segments++
	report.Voided += w.voided
	report.Before += old.bytes
	report.After += fresh.bytes
	return nil
}

// pinSealed returns a sealed segment, which Trim then leaves on disk, and the checksum that its header must name.
func (l *Log) pinSealed(number uint64) (*sealed, *span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.manifest.sealed {
		if s.number == number {
			l.pins[number]++
			part := l.spansLocked(s.first)[0]
			return &s, &part
		}
	}
	return nil, nil
}

// replaceSegment lets the manifest name the new file instead of the old one, and removes the old one. named is false if the segment was
// trimmed meanwhile.
func (l *Log) replaceSegment(old, fresh sealed, note *voidNote) (named bool, err error) {
	tmp, path := l.fs.PathJoin(l.dir, rewriteTmpName), l.pathOf(fresh.segmentID)
	if err := l.fs.Rename(tmp, path); err != nil {
		return false, full(err)
	}
	if err := syncDir(l.fs, l.dir); err != nil {
		return false, err
	}
	err = l.replaceManifest(func() {}, func(m *manifest) {
		if s := m.find(fresh.first); s != nil {
			*s, named = fresh, true
			m.note(note)
		}
	})
	if err != nil && !errors.Is(err, nudge.ErrFull) {
		return false, l.fail(err)
	}
	l.manifestMu.Lock()
	defer l.manifestMu.Unlock()
	if named = named && err == nil; named {
		l.stale = slices.DeleteFunc(l.stale, func(id segmentID) bool { return id == fresh.segmentID }) // left by a try that found no room
		l.stale = append(l.stale, old.segmentID)
	} else {
		l.stale = append(l.stale, fresh.segmentID)
	}
	return named, errors.Join(err, l.removeStale())
}

// removeStale removes the files that nothing names any more. What cannot be removed now is tried again. The caller holds manifestMu.
func (l *Log) removeStale() error {
	if len(l.stale) == 0 {
		return nil
	}
	for len(l.stale) > 0 {
		if err := remove(l.fs, l.pathOf(l.stale[0])); err != nil {
			return err
		}
		l.stale = l.stale[1:]
	}
	return syncDir(l.fs, l.dir)
}

// rewriter writes one segment anew.
type rewriter struct {
	log  *Log
	ctx  context.Context
	old  sealed
	prev *span // where the old one is read
	drop func(nudge.Offset, nudge.Record) bool
	pace *pace
	read decoder

	names *nudge.Names // of the segment: it says afterwards what it said before, whatever names the process has room for

	file    vfs.File
	header  segmentHeader
	blocks  blockEncoder
	encoder encoder // of entries that no block has room for
	chain   uint32  // header checksum of the entry before
	buffer  []byte
	pos     int64 // behind what the file and the buffer hold
	voids   []byte
	voided  int
	sum     entrySum
}

var errHolds = errors.New("the segment holds a record to drop")

// needed says whether the segment is to be written anew.
func (w *rewriter) needed() (bool, error) {
	if w.old.generation == 0 {
		return true, nil
	}
	if w.drop == nil {
		return false, nil
	}
	err := w.each(func(e nudge.Entry) error {
		for off, rest := e.First, e.Records; len(rest) > 0; off++ {
			var rec nudge.Record
			if rec, rest = nudge.SplitRecord(rest); w.drops(off, rec) {
				return errHolds
			}
		}
		return nil
	})
	if errors.Is(err, errHolds) {
		return true, nil
	}
	return false, err
}

func (w *rewriter) drops(off nudge.Offset, rec nudge.Record) bool {
	return w.drop != nil && rec.Kind() != nudge.RecordVoid && w.drop(off, rec)
}

// each calls fn with the entries of the old segment, and rests between them.
func (w *rewriter) each(fn func(nudge.Entry) error) error {
	return w.log.readSpan(&w.read, *w.prev, 0, func(e nudge.Entry) error {
		if err := w.pace.rest(w.ctx); err != nil {
			return err
		}
		return fn(e)
	})
}

// write makes the new file, under a name of its own yet, and returns what the manifest will say of it.
func (w *rewriter) write() (fresh sealed, err error) {
	path := w.log.fs.PathJoin(w.log.dir, rewriteTmpName)
	if w.file, err = w.log.fs.Create(path, vfs.WriteCategoryUnspecified); err != nil {
		return fresh, full(err)
	}
	if err = w.begin(); err == nil {
		err = w.each(w.add)
	}
	if err == nil {
		err = w.closeBlock()
	}
	if err == nil {
		err = w.flush()
	}
	if err == nil && !planted(bugLooseRewrite) {
		err = w.file.Sync()
	}
	if err = errors.Join(err, w.file.Close()); err != nil {
		return fresh, err
	}
	fresh = w.old
	fresh.generation++
	fresh.bytes, fresh.final = w.pos, w.chain
	return fresh, w.verify(path, fresh)
}

// begin writes the header: that of the old segment with another salt.
func (w *rewriter) begin() error {
	old, err := w.log.openSpan(w.prev)
	if err != nil {
		return err
	}
	h, err := readSegmentHeader(old, w.log.pathOf(w.prev.segmentID), w.old.first)
	if err = errors.Join(err, old.Close()); err != nil {
		return err
	}
	w.header = newSegmentHeader(h.number, h.first, h.lastAt, h.prev)
	w.buffer = append(w.buffer, w.header.bytes()...)
	w.pos, w.chain = segmentHeaderBytes, w.header.crc
	w.encoder.init(w.names)
	w.encoder.reset(nil, nil)
	return w.blocks.init(w.names)
}

// add takes an entry of the old segment, voids for the records that are dropped.
func (w *rewriter) add(e nudge.Entry) error {
	e.Records = w.withoutDropped(e)
	w.sum.add(e)
	for {
		ok, err := w.blocks.add(e)
		if err != nil {
			return fmt.Errorf("offset %d: %w", e.First, err)
		}
		if ok && !w.blocks.full() {
			return nil
		}
		alone := w.blocks.empty()
		if err := w.closeBlock(); err != nil || ok {
			return err
		}
		if alone {
			return w.addAlone(e)
		}
	}
}

// addAlone writes an entry that even an empty block has no room for.
func (w *rewriter) addAlone(e nudge.Entry) error {
	bytes, h, err := w.encoder.encode(e, w.chain, w.header.salt)
	if err != nil {
		return fmt.Errorf("offset %d: %w", e.First, err)
	}
	return w.put(bytes, h)
}

func (w *rewriter) closeBlock() error {
	if w.blocks.empty() {
		w.blocks.begin() // of what it could not take
		return nil
	}
	return w.put(w.blocks.close(w.chain, w.header.salt))
}

func (w *rewriter) put(bytes []byte, h entryHeader) error {
	w.chain = h.crc
	w.pos += int64(len(bytes))
	w.buffer = append(w.buffer, bytes...)
	if len(w.buffer) < rewriteBuffer {
		return nil
	}
	return w.flush()
}

func (w *rewriter) withoutDropped(e nudge.Entry) []byte {
	if w.drop == nil {
		return e.Records
	}
	w.voids = w.voids[:0]
	for off, rest := e.First, e.Records; len(rest) > 0; off++ {
		var rec nudge.Record
		if rec, rest = nudge.SplitRecord(rest); w.drops(off, rec) {
			w.voids = nudge.AppendVoid(w.voids)
			w.voided++
		} else {
			w.voids = append(w.voids, rec...)
		}
	}
	return w.voids
}

func (w *rewriter) flush() error {
	_, err := w.file.Write(w.buffer)
	w.buffer = w.buffer[:0]
	return full(err)
}

// verify reads the new file back: it must say what was read from the old one. Afterwards the old one is removed, so a fault of ours must show
// before.
func (w *rewriter) verify(path string, fresh sealed) (err error) {
	f, err := w.log.fs.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s := *w.prev
	s.segmentID, s.end, s.final, s.part = fresh.segmentID, fresh.bytes, fresh.final, false
	back := newEntrySum()
	err = w.log.readFile(&w.read, f, path, s, 0, func(e nudge.Entry) error {
		back.add(e)
		return w.pace.rest(w.ctx)
	})
	if err == nil && back.digest.Sum64() != w.sum.digest.Sum64() {
		err = &Damage{File: path, Offset: fresh.first, What: "the rewritten segment does not say what the segment said"}
	}
	return err
}

// entrySum is a checksum of entries, whatever form they are stored in.
type entrySum struct{ digest *xxhash.Digest }

func newEntrySum() entrySum { return entrySum{xxhash.New()} }

func (s entrySum) add(e nudge.Entry) {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], uint64(e.First))
	binary.LittleEndian.PutUint64(b[8:], uint64(e.At))
	binary.LittleEndian.PutUint64(b[16:], uint64(e.Count))
	s.digest.Write(b[:])
	s.digest.Write(e.Records)
}

// pace lets others have the machine: after a while of work it rests a multiple of it, if anything was appended since it last looked.
type pace struct {
	log   *Log
	began time.Time // since when it has not rested
	seen  nudge.Offset
	hurry bool
}

// rest is called between two pieces of work. Its error is that of ctx.
func (p *pace) rest(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	spent := time.Since(p.began)
	if p.hurry || spent < rewriteWork {
		return nil
	}
	if next := p.log.Next(); next != p.seen {
		p.seen = next
		timer := time.NewTimer(min(rewriteRest*spent, rewritePause))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.began = time.Now()
	return nil
}
