package state

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

// Layout of a segment, little endian. docs/format/log.md is the page for readers.
//
//	 0 8 bytes "nudgelog"
//	 8 u8  version
//	 9 3 bytes 0
//	12 u32 salt, random; seeds the checksums of the entries' headers, so that nobody can send bytes that pass for a header
//	16 u64 number of the segment, from 1
//	24 u64 offset of the first record
//	32 i64 log time of the last entry before
//	40 u32 header checksum of the last entry before, as it was when this segment was begun; 0 in segment 1
//	44 u64 bytes that the file was made with; 0: not known
//	52 8 bytes 0
//	60 u32 CRC32C of bytes 0–59
//	64 entries, back to back; zeros behind the last
const (
	segmentMagic       = "nudgelog"
	segmentVersion     = 1
	segmentHeaderBytes = 64
	segmentSuffix      = ".seg"
	spareName          = "spare.tmp"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type segmentHeader struct {
	salt   uint32
	number uint64
	first  nudge.Offset
	lastAt nudge.Millis
	prev   uint32
	made   int64  // bytes; a shorter file was cut. 0 where older builds made it, and of one that was rewritten: the manifest knows its length
	crc    uint32 // the first entry names it as the checksum before its own
}

func newSegmentHeader(number uint64, first nudge.Offset, lastAt nudge.Millis, prev uint32) segmentHeader {
	var salt [4]byte
	rand.Read(salt[:])
	return segmentHeader{salt: binary.LittleEndian.Uint32(salt[:]), number: number, first: first, lastAt: lastAt, prev: prev}
}

// bytes also sets h.crc.
func (h *segmentHeader) bytes() []byte {
	b := make([]byte, segmentHeaderBytes)
	copy(b, segmentMagic)
	b[8] = segmentVersion
	binary.LittleEndian.PutUint32(b[12:], h.salt)
	binary.LittleEndian.PutUint64(b[16:], h.number)
	binary.LittleEndian.PutUint64(b[24:], uint64(h.first))
	binary.LittleEndian.PutUint64(b[32:], uint64(h.lastAt))
	binary.LittleEndian.PutUint32(b[40:], h.prev)
	binary.LittleEndian.PutUint64(b[44:], uint64(h.made))
	sealHeader(b)
	h.crc = binary.LittleEndian.Uint32(b[60:])
	return b
}

// sealHeader sets the checksum of a segment header.
func sealHeader(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

// parseSegmentHeader returns what is wrong with b, "" if nothing is.
func parseSegmentHeader(b []byte) (h segmentHeader, problem string) {
	if string(b[:8]) != segmentMagic {
		return h, "this is not a log segment: its first bytes are not \"" + segmentMagic + "\""
	}
	h.crc = binary.LittleEndian.Uint32(b[60:])
	if crc32.Checksum(b[:60], castagnoli) != h.crc {
		return h, "the checksum of the segment's header is wrong"
	}
	if b[8] != segmentVersion {
		return h, fmt.Sprintf("the segment's version is %d, this build reads %d: use the build that wrote it, or a newer one", b[8], segmentVersion)
	}
	h.salt = binary.LittleEndian.Uint32(b[12:])
	h.number = binary.LittleEndian.Uint64(b[16:])
	h.first = nudge.Offset(binary.LittleEndian.Uint64(b[24:]))
	h.lastAt = nudge.Millis(binary.LittleEndian.Uint64(b[32:]))
	h.prev = binary.LittleEndian.Uint32(b[40:])
	h.made = int64(binary.LittleEndian.Uint64(b[44:]))
	return h, ""
}

// readSegmentHeader reads the header of the segment f, in which offset first is expected.
func readSegmentHeader(f vfs.File, path string, first nudge.Offset) (segmentHeader, error) {
	b := make([]byte, segmentHeaderBytes)
	if err := readPadded(f, b, 0); err != nil {
		return segmentHeader{}, fmt.Errorf("read %s: %w", path, err)
	}
	h, problem := parseSegmentHeader(b)
	if problem != "" {
		return h, &Damage{File: path, Offset: first, What: problem}
	}
	return h, nil
}

// check compares the header with what is known of the segment.
func (h *segmentHeader) check(path string, number uint64, first nudge.Offset, prev uint32) error {
	var problem string
	switch {
	case h.number != number:
		problem = fmt.Sprintf("it is segment %d under the name of segment %d", h.number, number)
	case h.first != first:
		problem = fmt.Sprintf("the segment begins with offset %d: records are missing or doubled", h.first)
	case h.prev != prev:
		problem = "the segment does not follow the one before it: their checksums do not chain"
	default:
		return nil
	}
	return &Damage{File: path, Offset: first, What: problem}
}

// segmentID names the file of a segment: each time it is rewritten it gets another one.
type segmentID struct {
	number     uint64
	generation uint32 // how often it was rewritten
}

func (id segmentID) name() string {
	if id.generation == 0 {
		return segmentName(id.number)
	}
	return fmt.Sprintf("%010d-%d%s", id.number, id.generation, segmentSuffix)
}

// segmentName is the name of a segment as it is begun.
func segmentName(number uint64) string { return fmt.Sprintf("%010d%s", number, segmentSuffix) }

func parseSegmentName(name string) (id segmentID, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok {
		return id, false
	}
	digits, generation, rewritten := strings.Cut(digits, "-")
	number, err := strconv.ParseUint(digits, 10, 64)
	id.number = number
	if rewritten && err == nil {
		var n uint64
		n, err = strconv.ParseUint(generation, 10, 32)
		id.generation = uint32(n)
	}
	return id, err == nil && id.name() == name
}
