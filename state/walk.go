package state

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// flaw says what kind of thing is wrong at a place where an entry should be.
type flaw int

const (
	sound       flaw = iota
	flawHeader       // no header, or its checksum is wrong
	flawPayload      // the header is right, what belongs to it is not
	flawChain        // both are right, but it is not the entry that belongs here
)

// walker walks a segment's entries in their order and checks everything that can be checked without unpacking them.
type walker struct {
	file vfs.File
	salt uint32

	// Where the next entry must be, and what it must continue.
	pos  int64
	prev uint32
	next nudge.Offset
	at   nudge.Millis

	last  int64        // position of the entry before pos, 0 if there is none
	since nudge.Millis // log time of the first entry
	end   int64        // nothing of interest is behind it; only sizes the window

	window    []byte // bytes of the file from windowPos on
	windowPos int64
}

const windowBytes = 256 << 10

func newWalker(f vfs.File, h segmentHeader, end int64) *walker {
	return &walker{file: f, salt: h.salt, pos: segmentHeaderBytes, prev: h.crc, next: h.first, at: h.lastAt, end: end}
}

// step reads the entry at w.pos and moves behind it. If it is flawed, w stays and problem says why. stored is valid until the next call.
func (w *walker) step() (h entryHeader, stored []byte, f flaw, problem string, err error) {
	b, err := w.bytes(entryHeaderBytes)
	if err != nil {
		return h, nil, sound, "", err
	}
	h, version, ok := parseEntryHeader(b, w.salt)
	if !ok {
		return h, nil, flawHeader, "the checksum of the entry's header is wrong", nil
	}
	if problem := w.misfit(&h, version); problem != "" {
		return h, nil, flawChain, problem, nil
	}
	if b, err = w.bytes(int(h.size())); err != nil {
		return h, nil, sound, "", err
	}
	if problem := payloadProblem(&h, b); problem != "" {
		return h, nil, flawPayload, problem, nil
	}
	if w.last == 0 {
		w.since = h.at
	}
	w.last = w.pos
	w.pos += h.size()
	w.prev, w.next, w.at = h.crc, h.first+nudge.Offset(h.count), h.at
	return h, b[entryHeaderBytes : len(b)-1], sound, "", nil
}

// misfit says why an entry with a sound header does not belong where it is.
func (w *walker) misfit(h *entryHeader, version byte) string {
	switch {
	case version != entryVersion:
		return fmt.Sprintf("the entry's version is %d, this build reads %d: use the build that wrote it, or a newer one", version, entryVersion)
	case h.flags&^(flagDefines|flagBlock) != 0:
		return fmt.Sprintf("the entry has flags %#x, which this build does not know: use the build that wrote it, or a newer one", h.flags)
	case h.first != w.next:
		return fmt.Sprintf("the entry begins with offset %d: records are missing or doubled", h.first)
	case h.prev != w.prev:
		return "the entry does not follow the one before it: their checksums do not chain"
	case h.at < w.at:
		return fmt.Sprintf("log time goes back from %d to %d", w.at, h.at)
	case h.count == 0 || h.stored > maxPayloadBytes:
		return fmt.Sprintf("the entry says %d records in %d bytes, which is not possible", h.count, h.stored)
	}
	return ""
}

// bytes returns the n bytes from w.pos on. What is beyond the end of the file reads as zeros.
func (w *walker) bytes(n int) ([]byte, error) {
	if from := w.pos - w.windowPos; from >= 0 && from+int64(n) <= int64(len(w.window)) {
		return w.window[from : from+int64(n)], nil
	}
	if size := max(int64(n), min(windowBytes, w.end-w.pos)); int64(cap(w.window)) < size {
		w.window = make([]byte, size)
	}
	w.window = w.window[:cap(w.window)]
	w.windowPos = w.pos
	if err := readPadded(w.file, w.window, w.pos); err != nil {
		return nil, err
	}
	return w.window[:n], nil
}

// readPadded fills b from f. What is beyond the end of the file reads as zeros: a segment ends in zeros, and a file that was cut short must
// look like one whose end was never written.
func readPadded(f vfs.File, b []byte, pos int64) error {
	n, err := f.ReadAt(b, pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	clear(b[n:])
	return nil
}
