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
//	 5 u8  flags: 1 = the payload begins with definitions, 2 = it is a block: it holds several entries and stands alone
//	 6 u8  codec of the payload: 0 = flat, 1 = flat and s2, 2 = packed, 3 = packed and s2, 4 = packed and zstd
//	 7 u8  0
//	 8 u64 offset of the first record
//	16 i64 log time; of a block's last entry
//	24 u32 number of records
//	28 u32 stored length of the payload
//	32 u32 flat: length of the payload as it is; packed: length of its records once they are flat
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
	flagBlock   = 2

	codecFlat       = 0
	codecFlatS2     = 1
	codecPacked     = 2
	codecPackedS2   = 3
	codecPackedZstd = 4
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
	packer
	plain []byte
	flat  []byte
	out   []byte
}

// encode returns e's bytes and its header. They are valid until the next call. After an error nothing is defined that was not before.
func (c *encoder) encode(e nudge.Entry, prev, salt uint32) ([]byte, entryHeader, error) {
	h := entryHeader{first: e.First, at: e.At, count: uint32(e.Count), prev: prev}
	if err := checkRecords(e.Records, e.Count); err != nil {
		return nil, h, err
	}
	c.begin()
	packed := true
	for rest := e.Records; packed && len(rest) > 0; {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		packed = c.add(rec, e.At)
	}
	if err := c.names.err; err != nil {
		c.undo()
		return nil, h, err
	}
	if !packed {
		c.undo()
		return c.encodeFlat(h, e.Records, salt)
	}
	c.plain = c.appendPlain(c.plain[:0])
	h.plain, h.codec = uint32(c.size), codecPacked
	if c.fresh() {
		h.flags = flagDefines
	}
	return c.sealPacked(&h, salt), h, nil
}

// sealPacked makes the entry: uvarint length of what is compressed, that, and the ids as they are.
func (c *encoder) sealPacked(h *entryHeader, salt uint32) []byte {
	out := room(&c.out, entryHeaderBytes+binary.MaxVarintLen32+s2.MaxEncodedLen(len(c.plain))+len(c.ids)+1)
	part := c.plain
	if len(part) >= minS2Bytes {
		// Behind the place of the longest length; it is moved to its own below.
		if packed := s2.Encode(out[entryHeaderBytes+binary.MaxVarintLen32:], part); len(packed) < len(part) {
			part, h.codec = packed, codecPackedS2
		}
	}
	n := entryHeaderBytes + binary.PutUvarint(out[entryHeaderBytes:], uint64(len(part)))
	n += copy(out[n:], part)
	n += copy(out[n:], c.ids)
	return finishEntry(h, out, n, salt)
}

// encodeFlat is the way of entries whose shapes have no room.
func (c *encoder) encodeFlat(h entryHeader, records []byte, salt uint32) ([]byte, entryHeader, error) {
	c.flat = append(c.flat[:0], records...)
	c.begin()
	for rest := c.flat; len(rest) > 0; {
		var rec nudge.Record
		rec, rest = nudge.SplitRecord(rest)
		rec.MapNames(c.names.mapID)
	}
	if err := c.names.err; err != nil {
		c.undo()
		return nil, h, err
	}
	plain := c.flat
	if c.names.fresh() {
		c.plain = append(c.names.appendDefinitions(c.plain[:0]), plain...)
		plain = c.plain
		h.flags = flagDefines
	}
	out := room(&c.out, entryHeaderBytes+s2.MaxEncodedLen(len(plain))+1)
	h.plain, h.codec = uint32(len(plain)), codecFlatS2
	n := len(s2.Encode(out[entryHeaderBytes:], plain))
	if n >= len(plain) {
		n, h.codec = copy(out[entryHeaderBytes:], plain), codecFlat
	}
	return finishEntry(&h, out, entryHeaderBytes+n, salt), h, nil
}

// finishEntry puts the header before the payload, which ends at end, and the end mark behind.
func finishEntry(h *entryHeader, out []byte, end int, salt uint32) []byte {
	h.stored = uint32(end - entryHeaderBytes)
	out[end] = endMark
	h.payload = crc32.Checksum(out[entryHeaderBytes:end+1], castagnoli)
	h.put(out, salt)
	return out[:end+1]
}

// room makes buf n bytes long at least and returns all of it.
func room(buf *[]byte, n int) []byte {
	if cap(*buf) < n {
		*buf = make([]byte, n+n/4)
	}
	return (*buf)[:cap(*buf)]
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
