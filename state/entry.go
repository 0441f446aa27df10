package state

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/s2"

	"nudge"
)

// Layout of an entry, little endian. docs/format/log.md is the page for readers.
//
//	 0 u32 magic
//	 4 u8  version
//	 5 u8  flags: 1 = the payload begins with name definitions
//	 6 u8  codec of the payload: 0 = as it is, 1 = s2
//	 7 u8  0
//	 8 u64 offset of the first record
//	16 i64 log time
//	24 u32 number of records
//	28 u32 stored length of the payload
//	32 u32 length of the payload as it is
//	36 u32 CRC32C of the stored payload and the end mark
//	40 u32 header checksum of the entry before; of the segment's header for the first
//	44 u32 header checksum: CRC32C of bytes 0–43, seeded with the segment's salt
//	48 payload
//	   u8 end mark; never zero, so that an entry cut short anywhere shows
const (
	entryMagic       = 0xB1676E4C // first byte in the file is 0x4C, not zero
	entryVersion     = 1
	entryHeaderBytes = 48
	endMark          = 0xA5

	flagDefines = 1

	codecPlain = 0
	codecS2    = 1
)

// MaxEntryBytes bounds the records of one entry. The sequencer's batches are far smaller.
const MaxEntryBytes = 16 << 20

const (
	maxPayloadBytes = MaxEntryBytes + nudge.MaxNames*(nudge.MaxNameBytes+4) // the records and every name there can be
	minS2Bytes      = 64                                                    // below, s2 gains nothing
)

type entryHeader struct {
	flags, codec  byte
	first         nudge.Offset
	at            nudge.Millis
	count         uint32
	stored, plain uint32
	payload, prev uint32 // checksums
	crc           uint32
}

// size is the length of the whole entry in the file.
func (h *entryHeader) size() int64 { return entryHeaderBytes + int64(h.stored) + 1 }

// put writes the header into b and sets h.crc.
func (h *entryHeader) put(b []byte, salt uint32) {
	binary.LittleEndian.PutUint32(b, entryMagic)
	b[4], b[5], b[6], b[7] = entryVersion, h.flags, h.codec, 0
	binary.LittleEndian.PutUint64(b[8:], uint64(h.first))
	binary.LittleEndian.PutUint64(b[16:], uint64(h.at))
	binary.LittleEndian.PutUint32(b[24:], h.count)
	binary.LittleEndian.PutUint32(b[28:], h.stored)
	binary.LittleEndian.PutUint32(b[32:], h.plain)
	binary.LittleEndian.PutUint32(b[36:], h.payload)
	binary.LittleEndian.PutUint32(b[40:], h.prev)
	h.crc = crc32.Update(salt, castagnoli, b[:44])
	binary.LittleEndian.PutUint32(b[44:], h.crc)
}

// parseEntryHeader reports ok if b begins with a header of this segment whose checksum is right.
func parseEntryHeader(b []byte, salt uint32) (h entryHeader, version byte, ok bool) {
	if len(b) < entryHeaderBytes || binary.LittleEndian.Uint32(b) != entryMagic {
		return h, 0, false
	}
	h = readEntryHeader(b)
	return h, b[4], crc32.Update(salt, castagnoli, b[:44]) == h.crc
}

func readEntryHeader(b []byte) entryHeader {
	return entryHeader{
		flags:   b[5],
		codec:   b[6],
		first:   nudge.Offset(binary.LittleEndian.Uint64(b[8:])),
		at:      nudge.Millis(binary.LittleEndian.Uint64(b[16:])),
		count:   binary.LittleEndian.Uint32(b[24:]),
		stored:  binary.LittleEndian.Uint32(b[28:]),
		plain:   binary.LittleEndian.Uint32(b[32:]),
		payload: binary.LittleEndian.Uint32(b[36:]),
		prev:    binary.LittleEndian.Uint32(b[40:]),
		crc:     binary.LittleEndian.Uint32(b[44:]),
	}
}

// encoder turns entries into the bytes of one segment. It belongs to the log's writer and keeps its buffers.
type encoder struct {
	names   nameWriter
	payload []byte
	joined  []byte
	out     []byte
}

// encode returns e's bytes and its header. They are valid until the next call. After an error nothing is defined that was not before.
func (c *encoder) encode(e nudge.Entry, prev, salt uint32) ([]byte, entryHeader, error) {
	h := entryHeader{first: e.First, at: e.At, count: uint32(e.Count), prev: prev}
	if err := checkRecords(e.Records, e.Count); err != nil {
		return nil, h, err
	}
	c.payload = append(c.payload[:0], e.Records...)
	c.names.begin()
	for rest := c.payload; len(rest) > 0; {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		rec.MapNames(c.names.mapID)
	}
	if err := c.names.err; err != nil {
		c.names.undo()
		return nil, h, err
	}
	plain := c.payload
	if c.names.fresh() {
		c.joined = append(c.names.appendDefinitions(c.joined[:0]), plain...)
		plain = c.joined
		h.flags |= flagDefines
	}
	bytes := c.seal(&h, plain, salt)
	return bytes, h, nil
}

// seal compresses plain where that helps and puts the header before it and the end mark behind.
func (c *encoder) seal(h *entryHeader, plain []byte, salt uint32) []byte {
	if need := entryHeaderBytes + s2.MaxEncodedLen(len(plain)) + 1; cap(c.out) < need {
		c.out = make([]byte, need+need/4)
	}
	out := c.out[:cap(c.out)]
	h.plain, h.codec = uint32(len(plain)), codecPlain
	n := len(plain)
	if n >= minS2Bytes {
		n = len(s2.Encode(out[entryHeaderBytes:], plain))
		h.codec = codecS2
	}
	if n >= len(plain) {
		n = copy(out[entryHeaderBytes:], plain)
		h.codec = codecPlain
	}
	h.stored = uint32(n)
	end := entryHeaderBytes + n
	out[end] = endMark
	h.payload = crc32.Checksum(out[entryHeaderBytes:end+1], castagnoli)
	h.put(out, salt)
	return out[:end+1]
}

// checkRecords makes sure that a broken buffer is refused before it is logged: logged, it would stop every later start.
func checkRecords(records []byte, count int) error {
	if len(records) > MaxEntryBytes {
		return fmt.Errorf("the entry's records are %d bytes, at most %d go into one entry", len(records), MaxEntryBytes)
	}
	n := 0
	for rest := records; len(rest) > 0; n++ {
		var err error
		if _, rest, err = nudge.NextRecord(rest); err != nil {
			return fmt.Errorf("record %d of the entry: %w", n, err)
		}
	}
	if n != count || n == 0 {
		return fmt.Errorf("the entry says %d records and holds %d; it must hold at least one", count, n)
	}
	return nil
}

// decoder turns the payloads of one segment's entries into records with the process's name ids. It belongs to one reader.
type decoder struct {
	names nameReader
	plain []byte
}

// decode returns the entry of h and its stored payload; its records are valid until the next call. The entries that define names must be
// decoded in their order.
func (d *decoder) decode(h entryHeader, stored []byte) (nudge.Entry, error) {
	e := nudge.Entry{First: h.first, At: h.at, Count: int(h.count)}
	if err := d.expand(h, stored); err != nil {
		return e, err
	}
	rest := d.plain
	var err error
	if h.flags&flagDefines != 0 {
		if rest, err = d.names.define(rest); err != nil {
			return e, err
		}
	}
	e.Records = rest
	if err := checkRecords(rest, e.Count); err != nil {
		return e, err
	}
	for len(rest) > 0 {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		rec.MapNames(d.names.mapID)
	}
	return e, d.names.err
}

func (d *decoder) expand(h entryHeader, stored []byte) error {
	if h.plain > maxPayloadBytes {
		return fmt.Errorf("the payload is %d bytes, at most %d are possible", h.plain, maxPayloadBytes)
	}
	switch h.codec {
	case codecPlain:
		if int(h.plain) != len(stored) {
			return fmt.Errorf("the payload is %d bytes, its header says %d", len(stored), h.plain)
		}
		d.plain = append(d.plain[:0], stored...)
		return nil
	case codecS2:
		n, err := s2.DecodedLen(stored)
		if err != nil || n != int(h.plain) {
			return fmt.Errorf("the payload unpacks to %d bytes, its header says %d (%v)", n, h.plain, err)
		}
		if cap(d.plain) < n {
			d.plain = make([]byte, n+n/4)
		}
		d.plain, err = s2.Decode(d.plain[:cap(d.plain)], stored)
		if err != nil {
			return fmt.Errorf("unpack the payload: %w", err)
		}
		return nil
	}
	return fmt.Errorf("the payload's codec is %d, which this build does not know: use the build that wrote it, or a newer one", h.codec)
}
