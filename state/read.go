package state

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// span is a part of a segment that a reader may read: up to end, which is durable.
type span struct {
	segmentID
	first  nudge.Offset
	next   nudge.Offset // offset behind the last record that is wanted
	prev   uint32       // the checksum that its header must name, unless
	oldest bool         // the segment before it was trimmed, and the checksum with it
	end    int64
	final  uint32 // header checksum of the entry before end
	part   bool   // more may stand behind next: the segment went on and was rewritten since the Read began
}

// Read calls fn with the entries from the one that contains from on (0: from the oldest), up to the last that is durable when it is called. An
// entry is valid until fn returns; its name ids are the process's. An error of fn ends it and is returned.
func (l *Log) Read(from nudge.Offset, fn func(nudge.Entry) error) error {
	var d decoder
	return l.readWith(&d, from, fn)
}

func (l *Log) readWith(d *decoder, from nudge.Offset, fn func(nudge.Entry) error) error {
	spans, err := l.pin(from)
	if err != nil || len(spans) == 0 {
		return err
	}
	defer l.unpin(spans[0].number)
	d.init(l.opts.Names)
	for _, s := range spans {
		if err := l.readSpan(d, s, from, fn); err != nil {
			return err
		}
	}
	return nil
}

// pin lists what is to be read and keeps Trim from it.
func (l *Log) pin(from nudge.Offset) ([]span, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.firstLocked()
	if from == 0 {
		from = first
	}
	if from < first {
		return nil, &Damage{
			File: l.pathOf(l.manifest.oldest()), Offset: from,
			What: fmt.Sprintf("offset %d is wanted, but the log begins with offset %d", from, first),
		}
	}
	if from > l.appended.next {
		return nil, &Damage{
			File: l.active.path, Pos: l.synced.pos, Offset: from,
			What: fmt.Sprintf("offset %d is wanted, but the log ends with offset %d", from, l.appended.next-1),
		}
	}
	if from >= l.synced.next {
		return nil, nil
	}
	spans := l.spansLocked(from)
	l.pins[spans[0].number]++
	return spans, nil
}

func (l *Log) spansLocked(from nudge.Offset) []span {
	list := l.manifest.sealed
	skip := sort.Search(len(list), func(i int) bool { return list[i].last >= from })
	var spans []span
	for i := skip; i < len(list); i++ {
		s := list[i]
		part := span{segmentID: s.segmentID, first: s.first, next: s.last + 1, end: s.bytes, final: s.final, oldest: i == 0}
		if i > 0 {
			part.prev = list[i-1].chain
		}
		spans = append(spans, part)
	}
	if h := l.active.header; l.synced.next > h.first {
		id := segmentID{number: h.number}
		spans = append(spans, span{segmentID: id, first: h.first, next: l.synced.next, prev: h.prev, end: l.synced.pos, final: l.synced.crc})
	}
	return spans
}

func (l *Log) unpin(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pins[number]--; l.pins[number] == 0 {
		delete(l.pins, number)
	}
}

// openSpan opens the span's file. Where the segment was rewritten since the Read began, that is another file, and s becomes the span of it.
func (l *Log) openSpan(s *span) (vfs.File, error) {
	for {
		f, err := l.fs.Open(l.pathOf(s.segmentID))
		if !errors.Is(err, errNotExist) {
			return f, err
		}
		l.mu.Lock()
		now := l.sealedLocked(s.number)
		l.mu.Unlock()
		if now == nil || now.generation == s.generation {
			return nil, l.missing(s.segmentID, s.first)
		}
		s.segmentID, s.end, s.final, s.part = now.segmentID, now.bytes, now.final, now.last >= s.next
	}
}

// sealedLocked returns a copy of what is known of a sealed segment whose file is there, nil if it is none.
func (l *Log) sealedLocked(number uint64) *sealed {
	for _, list := range [...][]sealed{l.manifest.sealed, l.dropped} {
		if i := slices.IndexFunc(list, func(s sealed) bool { return s.number == number }); i >= 0 {
			s := list[i]
			return &s
		}
	}
	return nil
}

func (l *Log) readSpan(d *decoder, s span, from nudge.Offset, fn func(nudge.Entry) error) (err error) {
	f, err := l.openSpan(&s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return l.readFile(d, f, l.pathOf(s.segmentID), s, from, fn)
}

// readFile reads the file of a span.
func (l *Log) readFile(d *decoder, f vfs.File, path string, s span, from nudge.Offset, fn func(nudge.Entry) error) error {
	h, err := readSegmentHeader(f, path, s.first)
	if err == nil && s.oldest {
		s.prev = h.prev
	}
	if err == nil {
		err = h.check(path, s.number, s.first, s.prev)
	}
	if err != nil {
		return err
	}
	d.reset()
	w := newWalker(f, h, s.end)
	for w.pos < s.end && !(s.part && w.next >= s.next) {
		if err := l.readEntry(d, w, path, from, s.next, fn); err != nil {
			return err
		}
	}
	if w.next < s.next || !s.part && (w.next != s.next || w.pos != s.end || w.prev != s.final) {
		return &Damage{File: path, Pos: w.pos, Offset: w.next, What: fmt.Sprintf("the segment should end at byte %d with offset %d", s.end, s.next-1)}
	}
	return nil
}

// readEntry reads the next entry, or block of them, and hands to fn what reaches from and begins before to. What does not is only opened for
// what it defines.
func (l *Log) readEntry(d *decoder, w *walker, path string, from, to nudge.Offset, fn func(nudge.Entry) error) error {
	floor := w.at
	h, stored, flaw, problem, err := w.step()
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if flaw != sound {
		return &Damage{File: path, Pos: w.pos, Offset: w.next, What: problem}
	}
	wanted := w.next > from
	if !wanted && h.flags&(flagDefines|flagBlock) != flagDefines {
		return nil
	}
	err = d.open(h, stored, floor)
	var e nudge.Entry
	for err == nil {
		var ok bool
		if ok, err = d.entry(&e); !ok {
			break
		}
		switch {
		case err != nil:
		case wanted && e.First+nudge.Offset(e.Count) > from && e.First < to:
			if err := fn(e); err != nil {
				return err
			}
		default:
			d.drop(e)
		}
	}
	if err != nil {
		return &Damage{File: path, Pos: w.last, Offset: h.first, What: err.Error()}
	}
	return nil
}
