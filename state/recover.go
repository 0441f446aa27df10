package state

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// openLog opens the log in dir, which exists. The steps: make durable what the folder shows, list and tidy, compare with the manifest, check the active segment, make what
// was kept durable.
func openLog(dir string, o Options) (*Log, error) {
	l := &Log{fs: o.FS, dir: dir, opts: o, logger: o.Logger, pins: map[uint64]int{}}
	l.encoder.init(o.Names)
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open log: %w", errors.Join(err, l.close()))
	}
	return l, nil
}

func (l *Log) open() error {
	// A process that was killed may have renamed a manifest or a segment and not synced the folder: before anything rests on what it shows, that
	// must be on the disk.
	if !planted(bugLooseFolder) {
		if err := syncDir(l.fs, l.dir); err != nil {
			return err
		}
	}
	m, err := readManifest(l.fs, l.dir)
	if err != nil {
		return err
	}
	present, unfinished, err := l.listSegments()
	if err != nil {
		return err
	}
	for _, name := range unfinished {
		if err := l.fs.Remove(l.fs.PathJoin(l.dir, name)); err != nil {
			return err
		}
	}
	if m == nil {
		if m, err = l.begin(present); err != nil {
			return err
		}
		present[segmentID{number: 1}] = true
	}
	leftover, err := l.compare(m, present)
	if err != nil {
		return err
	}
	for _, id := range leftover {
		if err := l.fs.Remove(l.pathOf(id)); err != nil {
			return err
		}
	}
	l.manifest = *m
	following := present[segmentID{number: m.active + 1}]
	if err := l.openActive(following); err != nil {
		return err
	}
	if following {
		return l.finishRoll()
	}
	return nil
}

// listSegments lists the segments that are there, and the files that an interrupted change left unfinished.
func (l *Log) listSegments() (present map[segmentID]bool, unfinished []string, err error) {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return nil, nil, err
	}
	present = map[segmentID]bool{}
	for _, name := range names {
		if id, ok := parseSegmentName(name); ok {
			present[id] = true
		}
		if name == spareName || name == manifestTmpName || name == rewriteTmpName {
			unfinished = append(unfinished, name)
		}
	}
	return present, unfinished, nil
}

// begin makes segment 1 and the first manifest. A crash between the two leaves a segment 1 without entries.
func (l *Log) begin(present map[segmentID]bool) (*manifest, error) {
	one := segmentID{number: 1}
	if len(present) > 1 || len(present) == 1 && !present[one] {
		return nil, &Damage{File: l.fs.PathJoin(l.dir, manifestName), What: "the manifest is missing, but there are segments"}
	}
	if !present[one] {
		made := makeSpare(l.fs, l.dir, l.opts.SegmentBytes, false)
		if made.err != nil {
			return nil, made.err
		}
		s, err := l.beginSegment(made.file, newSegmentHeader(1, 1, 0, 0))
		if err != nil {
			return nil, err
		}
		if err := s.file.Close(); err != nil {
			return nil, err
		}
	} else if err := l.checkEmpty(1, 1, 0); err != nil {
		return nil, err
	}
	m := &manifest{active: 1}
	return m, m.write(l.fs, l.dir)
}

// checkEmpty makes sure that a segment, whose entries the manifest cannot know of yet, has none.
func (l *Log) checkEmpty(number uint64, first nudge.Offset, prev uint32) error {
	path := l.pathOf(segmentID{number: number})
	f, err := l.fs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := readSegmentHeader(f, path, first)
	if err == nil {
		err = h.check(path, number, first, prev)
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	tail, err := readTail(f, segmentHeaderBytes, info.Size())
	if err != nil {
		return err
	}
	if len(tail) > 0 {
		return &Damage{File: path, Pos: segmentHeaderBytes, Offset: h.first, What: "the segment holds records, but the manifest does not know of it: the manifest is missing or old"}
	}
	return nil
}

// compare makes sure that every segment of the manifest is there, and nothing beyond. What is left over are older ones, which an interrupted Trim
// left, and others of the same number, which an interrupted Rewrite did.
func (l *Log) compare(m *manifest, present map[segmentID]bool) (leftover []segmentID, err error) {
	expected := map[segmentID]bool{}
	first := nudge.Offset(0)
	for _, s := range m.sealed {
		if !present[s.segmentID] {
			return nil, l.missing(s.segmentID, s.first)
		}
		expected[s.segmentID] = true
		first = s.last + 1
	}
	active, following := segmentID{number: m.active}, segmentID{number: m.active + 1}
	if !present[active] {
		return nil, l.missing(active, first)
	}
	expected[active], expected[following] = true, true
	for id := range present {
		if id.number >= m.active && !expected[id] {
			return nil, &Damage{File: l.pathOf(id), What: fmt.Sprintf("the manifest ends with segment %d: the manifest is old, or the file does not belong here", m.active)}
		}
	}
	for id := range present {
		if !expected[id] {
			leftover = append(leftover, id)
		}
	}
	return leftover, nil
}

func (l *Log) missing(id segmentID, first nudge.Offset) error {
	return &Damage{File: l.pathOf(id), Offset: first, What: "the segment is missing"}
}

// openActive checks the active segment and makes it ready for appending.
func (l *Log) openActive(following bool) error {
	path := l.pathOf(segmentID{number: l.manifest.active})
	f, err := l.fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	l.active = segment{file: f, path: path}
	w, tail, err := l.checkActive(following)
	if err != nil {
		return err
	}
	if err := settle(f, w, tail); err != nil {
		return fmt.Errorf("settle the end of %s: %w", path, err)
	}
	return nil
}

// checkActive reads the active segment to its end and notes where that is. following says that a later segment exists: then everything in this one was synced,
// and nothing of it may be dropped. tail is how many bytes stand behind the end.
func (l *Log) checkActive(following bool) (w *walker, tail int, err error) {
	f, path := l.active.file, l.active.path
	if l.active.header, err = l.activeHeader(f, path, l.manifest.active); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	w = newWalker(f, l.active.header, info.Size())
	problem, err := l.walkAll(w)
	if err != nil {
		return nil, 0, err
	}
	if made := l.active.header.made; info.Size() < made { // no crash makes a file shorter: what stood at its end may have been acknowledged
		what := fmt.Sprintf("the file was made with %d bytes and has %d: its end is cut off", made, info.Size())
		return nil, 0, &Damage{File: path, Pos: info.Size(), Offset: w.next, What: what}
	}
	rest, err := readTail(f, w.pos, info.Size())
	if err != nil {
		return nil, 0, err
	}
	if len(rest) > 0 {
		if why := notDroppable(rest, w, following, problem); why != "" {
			return nil, 0, &Damage{File: path, Pos: w.pos, Offset: w.next, What: why}
		}
		l.torn = fmt.Sprintf("opening dropped an entry at byte %d that was not written to its end", w.pos)
		l.logger.Warn("dropped the unfinished last entry of the log", "file", path, "byte", w.pos, "bytes", len(rest), "offset", uint64(w.next))
	}
	l.active.since = w.since
	l.synced = end{pos: w.pos, next: w.next, at: w.at, crc: w.prev}
	l.appended = l.synced
	return w, len(rest), nil
}

// activeHeader reads the active segment's header and checks it against the last sealed one, if one is held.
func (l *Log) activeHeader(f vfs.File, path string, number uint64) (segmentHeader, error) {
	h, err := readSegmentHeader(f, path, 0)
	if err != nil {
		return h, err
	}
	first, prev := h.first, h.prev
	if n := len(l.manifest.sealed); n > 0 {
		first, prev = l.manifest.sealed[n-1].last+1, l.manifest.sealed[n-1].chain
	}
	return h, h.check(path, number, first, prev)
}

// walkAll walks to the first place where no sound entry stands, and learns the names and shapes that the segment defines. It returns what is wrong
// there beyond there being no entry.
func (l *Log) walkAll(w *walker) (problem atPlace, err error) {
	var d decoder
	d.init(l.opts.Names)
	for {
		floor := w.at
		h, stored, f, what, err := w.step()
		if err != nil {
			return atPlace{}, fmt.Errorf("read %s: %w", l.active.path, err)
		}
		if f != sound {
			l.encoder.reset(d.segment.names.ids, d.segment.shapes.all)
			return atPlace{f, what}, nil
		}
		if h.flags&flagDefines == 0 {
			continue
		}
		if err := d.open(h, stored, floor); err != nil {
			return atPlace{}, &Damage{File: l.active.path, Pos: w.last, Offset: h.first, What: err.Error()}
		}
	}
}

// atPlace is what is wrong at a place of a segment.
type atPlace struct {
	flaw flaw
	what string
}

// notDroppable says why tail, which begins where the walker found no sound entry, must not be dropped; "" if it may.
func notDroppable(tail []byte, w *walker, following bool, p atPlace) string {
	if p.flaw == flawChain {
		return p.what
	}
	if following {
		return p.what + ", though a later segment exists"
	}
	if yes, why := torn(tail, w.pos, w.salt); !yes && !planted(bugDropsAny) {
		return p.what + ", " + why
	}
	return ""
}

// settle makes sure that the disk holds what was read. The last entry is written again: if its sync failed in the process before, the
// system may hold its pages as clean although they never reached the disk, and a sync alone would not write them. What is dropped becomes
// zeros, so that it can never stand behind a later, shorter entry.
func settle(f vfs.File, w *walker, tail int) error {
	if w.last > 0 && !planted(bugNoRewrite) {
		b := make([]byte, w.pos-w.last)
		if err := readPadded(f, b, w.last); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, w.last); err != nil {
			return err
		}
	}
	if tail > 0 && !planted(bugTailStays) {
		if _, err := f.WriteAt(make([]byte, tail), w.pos); err != nil {
			return err
		}
	}
	return f.Sync()
}

// readTail returns the bytes from pos to the last one of the file, which is size bytes long, that is not zero.
func readTail(f vfs.File, pos, size int64) ([]byte, error) {
	buf := make([]byte, min(zeroBytes, max(0, size-pos)))
	last := pos
	for at := pos; at < size; at += int64(len(buf)) {
		if err := readPadded(f, buf, at); err != nil {
			return nil, err
		}
		for i := len(buf) - 1; i >= 0; i-- {
			if buf[i] != 0 {
				last = at + int64(i) + 1
				break
			}
		}
	}
	tail := make([]byte, last-pos)
	return tail, readPadded(f, tail, pos)
}

// checkRoll makes sure that the segment behind the active one is what a crash leaves that interrupted the change to it before the manifest
// knew of it.
func (l *Log) checkRoll() error {
	old, at := l.active, l.synced
	if err := l.checkEmpty(old.header.number+1, at.next, at.crc); err != nil {
		return err
	}
	if at.next == old.header.first {
		return &Damage{File: old.path, Pos: at.pos, Offset: at.next, What: "the segment holds no records, though a later one exists"}
	}
	return nil
}

// finishRoll completes the change to the next segment.
func (l *Log) finishRoll() error {
	if err := l.checkRoll(); err != nil {
		return err
	}
	old, at := l.active, l.synced
	if err := l.seal(old, at, func() { l.active = segment{} }); err != nil { // openActive sets it again
		return err
	}
	if err := old.file.Close(); err != nil {
		return err
	}
	return l.openActive(false)
}
