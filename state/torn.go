package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// sectorBytes is what a disk writes at once. A torn write leaves whole sectors old or new, in any pattern.
const sectorBytes = 512

func payloadProblem(h *entryHeader, entry []byte) string {
	end := len(entry) - 1
	if crc32.Checksum(entry[entryHeaderBytes:], castagnoli) != h.payload || entry[end] != endMark {
		return "the checksum of the entry's payload is wrong"
	}
	return ""
}

// torn decides whether tail can be the remains of one entry whose write a crash interrupted. tail begins where the entry should, at byte pos of
// the segment, and goes on to the last byte of the segment that is not zero.
//
// Before an entry is written its place holds zeros, so a torn one shows zeros where it must not: in the magic's first byte, in the end mark, or
// over a whole sector's share of it. A flipped bit makes none of these. So a damaged last entry is told from an unfinished one even where no
// checkpoint points at it; without this rule it would be dropped in silence although it was acknowledged. (etcd's log does the same.)
//
// why says what else it is if it is not torn.
func torn(tail []byte, pos int64, salt uint32) (yes bool, why string) {
	size := entryHeaderBytes
	h, _, ok := parseEntryHeader(tail, salt)
	if ok {
		size = int(h.size())
	}
	if ok && len(tail) > size {
		return false, "and more was written behind it"
	}
	if at := findEntryHeader(tail, salt); at > 0 {
		return false, fmt.Sprintf("and an entry that was written later stands at byte %d", pos+int64(at))
	}
	if len(tail) <= entryHeaderBytes || tail[0] == 0 || ok && len(tail) < size {
		return true, ""
	}
	for from := 0; from < size; {
		to := min(size, from+int(sectorBytes-(pos+int64(from))%sectorBytes))
		if allZero(tail[from:to]) {
			return true, ""
		}
		from = to
	}
	return false, "and its bytes are not those of an unfinished write"
}

// findEntryHeader returns where behind the first byte of b a sound header of this segment begins, 0 if nowhere.
func findEntryHeader(b []byte, salt uint32) int {
	magic := binary.LittleEndian.AppendUint32(nil, entryMagic)
	for from := 1; from < len(b); from++ {
		i := bytes.Index(b[from:], magic)
		if i < 0 {
			return 0
		}
		from += i
		if _, _, ok := parseEntryHeader(b[from:], salt); ok {
			return from
		}
	}
	return 0
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
