package state

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"nudge"
)

// decoder turns the payloads of one segment's entries into records with the process's name ids. It belongs to one reader. The payloads that
// define something must be opened in their order; those of blocks stand alone.
type decoder struct {
	segment unpacker // knows what the segment's entries define
	block   unpacker // knows what one block defines
	unpack  *unpacker
	zstd    *zstd.Decoder // nil until it is needed
	plain   []byte
	short   []byte // the records of an entry, before names in them are spelled out

	out  []byte          // the records of the entries since it was emptied
	room func(count int) // is called before those of an entry, so many, are appended to out; nil: out is emptied

	h       entryHeader
	flat    []byte // the records of a flat entry, as they are stored
	heads   []byte // of a block: what it says of its entries
	headPos int    // of the next one
	next    nudge.Offset
	at      nudge.Millis // of the entry before
	left    int          // entries that are left
}

func (d *decoder) init(names *nudge.Names) {
	d.segment.init(names)
	d.block.init(names)
}

// reset begins a segment.
func (d *decoder) reset() { d.segment.reset() }

// open begins the payload stored of header h; floor is the log time of the entry before. entry then returns its entries.
func (d *decoder) open(h entryHeader, stored []byte, floor nudge.Millis) error {
	if h.plain > maxPayloadBytes {
		return fmt.Errorf("the payload is %d bytes, at most %d are possible", h.plain, maxPayloadBytes)
	}
	d.h, d.next, d.at, d.left = h, h.first, floor, 1
	d.unpack = &d.segment
	if h.flags&flagBlock != 0 {
		d.unpack = &d.block
		d.block.reset()
	}
	switch h.codec {
	case codecFlat, codecFlatS2:
		return d.openFlat(stored)
	case codecPacked, codecPackedS2, codecPackedZstd:
		return d.openPacked(stored)
	}
	return fmt.Errorf("the payload's codec is %d, which this build does not know: use the build that wrote it, or a newer one", h.codec)
}

// entry sets e to the next entry of the payload; ok is false behind the last one. Its records are the end of d.out: where d.room is nil, they are valid until
// the next call.
func (d *decoder) entry(e *nudge.Entry) (ok bool, err error) {
	if d.left == 0 {
		return false, nil
	}
	d.left--
	e.First, e.At, e.Count = d.next, d.h.at, int(d.h.count)
	if d.h.flags&flagBlock != 0 {
		if err := d.head(e); err != nil {
			return false, err
		}
	}
	if d.room == nil {
		d.out = d.out[:0]
	} else {
		d.room(e.Count)
	}
	start := len(d.out)
	if err := d.records(e); err != nil {
		return false, err
	}
	if len(d.unpack.names.other) > 0 {
		d.spellOut(start)
	}
	e.Records = d.out[start:len(d.out):len(d.out)]
	d.next += nudge.Offset(e.Count)
	d.at = e.At
	if d.left > 0 || d.isFlat() {
		return true, nil
	}
	if d.next != d.h.first+nudge.Offset(d.h.count) || e.At != d.h.at {
		return false, fmt.Errorf("its entries end with offset %d at %d", d.next-1, e.At)
	}
	return true, d.unpack.closed()
}

func (d *decoder) isFlat() bool { return d.h.codec <= codecFlatS2 }

// records appends the entry's records to d.out.
func (d *decoder) records(e *nudge.Entry) error {
	if d.isFlat() {
		return d.flatRecords()
	}
	out, err := d.unpack.records(d.out, e.Count, e.At)
	if err != nil {
		return fmt.Errorf("records from offset %d on: %w", e.First, err)
	}
	d.out = out
	return nil
}

// spellOut lets the records from start on spell out the names for which the process has no room.
func (d *decoder) spellOut(start int) {
	d.short = append(d.short[:0], d.out[start:]...)
	d.out = d.out[:start]
	for rest := d.short; len(rest) > 0; {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		d.out = rec.AppendSpelled(d.out, d.unpack.names.spell)
	}
}

// flatRecords appends those of a flat entry.
func (d *decoder) flatRecords() error {
	start := len(d.out)
	d.out = append(d.out, d.flat...)
	for rest := d.out[start:]; len(rest) > 0; {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		rec.MapNames(d.segment.names.mapID)
	}
	return d.segment.names.err
}

// drop takes the records of the entry that was returned last out of d.out.
func (d *decoder) drop(e nudge.Entry) { d.out = d.out[:len(d.out)-len(e.Records)] }

// head reads what a block says of its next entry.
func (d *decoder) head(e *nudge.Entry) error {
	count, mid := varintAt(d.heads, d.headPos)
	before, end := varintAt(d.heads, mid)
	at := d.h.at - nudge.Millis(before)
	if mid == 0 || end == 0 || count == 0 || count > uint64(d.h.count) || at < d.at || at > d.h.at {
		return fmt.Errorf("the entry at offset %d of the block has %d records at %d", d.next, count, at)
	}
	d.headPos, e.Count, e.At = end, int(count), at
	return nil
}

func (d *decoder) openFlat(stored []byte) error {
	if d.h.flags&flagBlock != 0 {
		return errors.New("the payload is a block and not packed")
	}
	b := stored
	if d.h.codec == codecFlatS2 {
		var err error
		if b, err = d.expandS2(stored); err != nil {
			return err
		}
	}
	if len(b) != int(d.h.plain) {
		return fmt.Errorf("the payload unpacks to %d bytes, its header says %d", len(b), d.h.plain)
	}
	if d.h.flags&flagDefines != 0 {
		var err error
		if b, err = d.segment.names.define(b); err != nil {
			return err
		}
	}
	d.flat = b
	return checkRecords(b, int(d.h.count))
}

func (d *decoder) expandS2(b []byte) ([]byte, error) {
	n, err := s2.DecodedLen(b)
	if err != nil || n > maxPayloadBytes {
		return nil, fmt.Errorf("the payload unpacks to %d bytes, at most %d are possible (%v)", n, maxPayloadBytes, err)
	}
	b, err = s2.Decode(room(&d.plain, n), b)
	if err != nil {
		return nil, fmt.Errorf("unpack the payload: %w", err)
	}
	return b, nil
}

// expandZstd unpacks uvarint length, zstd frame of so many bytes.
func (d *decoder) expandZstd(b []byte) ([]byte, error) {
	n, b, ok := uvarint(b)
	if !ok || n > maxPayloadBytes {
		return nil, fmt.Errorf("the payload unpacks to %d bytes, at most %d are possible", n, maxPayloadBytes)
	}
	if d.zstd == nil {
		var err error
		d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
	}
	b, err := d.zstd.DecodeAll(b, room(&d.plain, int(n))[:0:n])
	if err != nil {
		return nil, fmt.Errorf("unpack the payload: %w", err)
	}
	if uint64(len(b)) != n {
		return nil, fmt.Errorf("the payload unpacks to %d bytes, it says %d", len(b), n)
	}
	return b, nil
}

func (d *decoder) openPacked(stored []byte) (err error) {
	if d.h.codec == codecPackedZstd {
		if stored, err = d.expandZstd(stored); err != nil {
			return err
		}
	}
	n, b, ok := uvarint(stored)
	if !ok || n > uint64(len(b)) {
		return fmt.Errorf("the payload's first part is %d bytes of %d", n, len(b))
	}
	part, ids := b[:n], b[n:]
	if d.h.codec == codecPackedS2 {
		if part, err = d.expandS2(part); err != nil {
			return err
		}
	}
	if part, err = d.unpack.define(part, d.h.flags&flagDefines != 0); err != nil {
		return err
	}
	if d.h.flags&flagBlock != 0 {
		if part, err = d.openBlock(part); err != nil {
			return err
		}
	}
	return d.unpack.open(part, ids, int(d.h.plain))
}

// openBlock reads what stands before a block's records: uvarint how many entries, then of each uvarint how many records and uvarint how many
// milliseconds before the last entry.
func (d *decoder) openBlock(b []byte) ([]byte, error) {
	entries, b, ok := uvarint(b)
	if !ok || entries == 0 || entries > uint64(d.h.count) {
		return nil, fmt.Errorf("the block says %d entries with %d records", entries, d.h.count)
	}
	d.left, d.heads, d.headPos = int(entries), b, 0
	rest, ok := skipVarints(b, 2*d.left)
	if !ok {
		return nil, errors.New("the block's list of entries is cut off")
	}
	return rest, nil
}
