package engine

import (
	"encoding/binary"

	"nudge"
)

// wait is the slot of OpAbsent and OpDwell.
//
//	0 u8 state · 1 u8 flags · 2 i64 newest time of an ending event
//	10 i64 time of the start · 18 i64 deadline · 26 u16 length of what is kept of the starting event, then that
//
// A key that has only ever had ending events holds the first 10 bytes. What is kept: u16 length and text of the visitor, then for each
// field u64 hash of its name and the value. The field of hash 0 is the source, eight bytes as text; a person's key has none.
type wait []byte

const (
	waitIdle    = 0
	waitOpen    = 1 // started, not ended, the deadline is to come
	waitPulsed  = 2 // dwell: after the pulse, until an end
	flagEnd     = 1 // the newest ending time is set
	flagEnded   = 2 // an ending event came whose time lies behind the window, but before the pulse
	waitIdleLen = 10
	waitHeader  = 28
)

func (w wait) newestEnd() nudge.Millis { return nudge.Millis(binary.LittleEndian.Uint64(w[2:])) }
func (w wait) startTs() nudge.Millis   { return nudge.Millis(binary.LittleEndian.Uint64(w[10:])) }
func (w wait) deadline() nudge.Millis  { return nudge.Millis(binary.LittleEndian.Uint64(w[18:])) }
func (w wait) isOpen() bool            { return w != nil && w[0] == waitOpen }
func (w wait) kept() []byte {
	return w[waitHeader : waitHeader+int(binary.LittleEndian.Uint16(w[26:]))]
}

// keep notes what is kept of the starting event. There is room for it.
func (w wait) keep(kept []byte) {
	binary.LittleEndian.PutUint16(w[26:], uint16(len(kept)))
	clear(w[waitHeader+copy(w[waitHeader:], kept):])
}

const sourceField = 0

func appendKeptSource(kept []byte, source nudge.KeyHash) []byte {
	kept = binary.LittleEndian.AppendUint64(kept, sourceField)
	kept = append(kept, byte(nudge.Text))
	kept = binary.LittleEndian.AppendUint16(kept, 8)
	return binary.LittleEndian.AppendUint64(kept, uint64(source))
}

// eachKept calls f for the fields of what a wait kept, as they are stored, with the hash of each one's name. It returns the visitor.
func eachKept(kept []byte, f func(hash uint64, field []byte)) (visitor string) {
	n := 2 + int(binary.LittleEndian.Uint16(kept))
	visitor, kept = string(kept[2:n]), kept[n:]
	for len(kept) > 0 {
		size := 8 + valueBytes(kept[8:])
		f(binary.LittleEndian.Uint64(kept), kept[:size])
		kept = kept[size:]
	}
	return visitor
}

// keptSource is the source of what a wait kept, 0 if it has none.
func keptSource(kept []byte) (source nudge.KeyHash) {
	eachKept(kept, func(hash uint64, field []byte) {
		if hash == sourceField {
			source = nudge.KeyHash(binary.LittleEndian.Uint64(field[len(field)-8:]))
		}
	})
	return source
}

func (w wait) openUntil() nudge.Millis {
	if w.isOpen() {
		return w.deadline()
	}
	return never
}

// endWait applies an ending event with time ts: it ends what is open if it lies in [start, start + window), and makes a
// dwell that has pulsed ready again if it is not older than the start.
// It says whether a deadline is gone.
func (t *table) endWait(i uint32, num uint32, ts, window nudge.Millis) (gone bool) {
	w := wait(t.slot(i, num))
	if w == nil {
		w = wait(t.grow(i, num, waitIdleLen))
	}
	switch {
	case w[0] == waitOpen && ts >= w.startTs() && ts < w.startTs()+window:
		w[0], gone = waitIdle, true
	case w[0] == waitOpen && ts >= w.startTs():
		w[1] |= flagEnded
	case w[0] == waitPulsed && ts >= w.startTs():
		w[0] = waitIdle
	}
	if w[1]&flagEnd == 0 || ts > w.newestEnd() {
		w.noteEnd(ts)
	}
	return gone
}

// endIdle is endWait where nothing is open, nor has pulsed. It says whether it is so.
func (w wait) endIdle(ts nudge.Millis) bool {
	if w[0] != waitIdle {
		return false
	}
	if w[1]&flagEnd == 0 || ts > w.newestEnd() {
		w.noteEnd(ts)
	}
	return true
}

// startWait opens a wait, unless one is open or has pulsed, or an ending event was newer, and says whether it did. kept is copied.
func (t *table) startWait(i uint32, num uint32, ts, at, window nudge.Millis, kept []byte) bool {
	w := wait(t.slot(i, num))
	if w != nil && (w[0] != waitIdle || w[1]&flagEnd != 0 && ts < w.newestEnd()) {
		return false
	}
	if len(w) < waitHeader+len(kept) {
		w = wait(t.grow(i, num, waitHeader+len(kept)))
	}
	w[0] = waitOpen
	w[1] &^= flagEnded
	binary.LittleEndian.PutUint64(w[10:], uint64(ts))
	binary.LittleEndian.PutUint64(w[18:], uint64(max(ts+window, at+1)))
	w.keep(kept)
	return true
}

// mergeWait lets a visitor's wait join the key's. First the newest end of either side ends what is open on the other one where it lies inside;
// then an open wait stays rather than one that has pulsed, the one with the earlier deadline, on a tie the earlier start; of two that have
// pulsed the later start.
func (t *table) mergeWait(i, num uint32, window nudge.Millis, src wait) {
	dst := wait(t.slot(i, num))
	dstEnds, srcEnds := src.endedBy(dst, window), dst.endedBy(src, window)
	if dstEnds {
		src[0] = waitIdle
	}
	if srcEnds {
		dst[0] = waitIdle
	}
	if src[1]&flagEnd != 0 && (dst[1]&flagEnd == 0 || src.newestEnd() > dst.newestEnd()) {
		dst.noteEnd(src.newestEnd())
	} else if dst[1]&flagEnd != 0 {
		src.noteEnd(dst.newestEnd())
	}
	if !src.overrides(dst) {
		return
	}
	if len(dst) < len(src) {
		dst = wait(t.grow(i, num, len(src)))
	}
	clear(dst[copy(dst, src):])
}

// endedBy says whether the newest end of another wait lies inside this one, which is open.
func (w wait) endedBy(other wait, window nudge.Millis) bool {
	return w.isOpen() && other[1]&flagEnd != 0 && other.newestEnd() > w.startTs() && other.newestEnd() < w.startTs()+window
}

// overrides says whether w rather than dst stays when the two are merged.
func (w wait) overrides(dst wait) bool {
	switch {
	case w[0] == waitIdle || w[0] == waitPulsed && dst[0] == waitOpen:
		return false
	case w[0] != dst[0]:
		return true
	case w[0] == waitPulsed:
		return w.startTs() > dst.startTs()
	case w.deadline() != dst.deadline():
		return w.deadline() < dst.deadline()
	}
	return w.startTs() < dst.startTs()
}

// vacant says whether the wait means nothing any more: nothing is open, and no start to come, nor a wait that is still to be merged with this one, can
// be older than the newest end. before is an instant one window before the oldest start that is no history.
func (w wait) vacant(before nudge.Millis) bool {
	return w[0] == waitIdle && (w[1]&flagEnd == 0 || w.newestEnd() < before)
}

func (w wait) noteEnd(ts nudge.Millis) {
	w[1] |= flagEnd
	binary.LittleEndian.PutUint64(w[2:], uint64(ts))
}

// pulse ends a wait at its deadline and says whether it was due: a dwell stays so until an end, unless one has come already.
func (w wait) pulse(now nudge.Millis, dwell bool) bool {
	if !w.isOpen() || w.deadline() != now {
		return false
	}
	w[0] = waitIdle
	if dwell && w[1]&flagEnded == 0 {
		w[0] = waitPulsed
	}
	return true
}
