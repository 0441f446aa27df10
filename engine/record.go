package engine

import "encoding/binary"

// A key's record, little endian (docs/format/checkpoint.md):
//
//	0 u8  layout version
//	1 u8  flags: 1 = wide
//	2 u16 scope number
//	4 u16 number of slots
//	6 u16 length of the key's text; of a wide record 0, and at 8 u32 the length
//	8 the key's text (wide: 12), then the directory: for each slot, ascending by number, u16 number of the operator, cooldown or pool, u16 position of its
//	  bytes in the record (wide: u32, u32); then the slots' bytes in the same order, each up to the next one's position
//
// A record is wide where 16 bits do not hold its length, or one of its numbers.
const (
	layoutVersion = 2
	flagWide      = 1

	keyHeader  = 8
	wideHeader = 12
	dirEntry   = 4
	wideEntry  = 8
	mostNarrow = 1<<16 - 1 // bytes of a record that is not wide, and the largest number in it
)

// directory is where a record says which slots it has. It is so small that the compiler keeps it in registers.
type directory struct {
	rec  []byte
	at   uint32 // where it begins
	n    uint16 // slots
	wide bool
}

func directoryOf(rec []byte) directory {
	from, size := textOf(rec)
	return directory{rec: rec, at: uint32(from + size), n: uint16(slotCount(rec)), wide: isWide(rec)}
}

func slotCount(rec []byte) int { return int(binary.LittleEndian.Uint16(rec[4:])) }

func isWide(rec []byte) bool { return rec[1]&flagWide != 0 }

// textOf says where a record has its key's text.
func textOf(rec []byte) (from, size int) {
	if isWide(rec) {
		return wideHeader, int(binary.LittleEndian.Uint32(rec[8:]))
	}
	return keyHeader, int(binary.LittleEndian.Uint16(rec[6:]))
}

// isRecord says whether stored bytes begin as a record of this layout does, and hold its key's text.
func isRecord(row []byte) bool {
	if len(row) < keyHeader || row[0] != layoutVersion || isWide(row) && len(row) < wideHeader {
		return false
	}
	from, size := textOf(row)
	return size <= len(row)-from
}

func scopeOf(rec []byte) uint16 { return binary.LittleEndian.Uint16(rec[2:]) }

func identityOf(rec []byte) (scope uint16, key []byte) {
	from, size := textOf(rec)
	return scopeOf(rec), rec[from : from+size]
}

// narrowOf is identityOf in fewer steps for a record that is not wide and whose key's text is so long. Of others it gives no scope's number.
func narrowOf(rec []byte, size int) (scope uint16, key []byte) {
	head := binary.LittleEndian.Uint64(rec)
	if head>>8&flagWide != 0 || int(head>>48) != size {
		return noScope, nil
	}
	return uint16(head >> 16), rec[keyHeader : keyHeader+size]
}

// narrowDirectory is the directory of a record that is not wide, and how many slots it has, in fewer steps than directoryOf.
func narrowDirectory(rec []byte) (slots int, dir []byte, narrow bool) {
	head := binary.LittleEndian.Uint64(rec)
	if head>>8&flagWide != 0 {
		return 0, nil, false
	}
	slots, at := int(head>>32&mostNarrow), keyHeader+int(head>>48)
	return slots, rec[at : at+slots*dirEntry], true
}

func (d directory) len() int { return int(d.n) }

// entry is the number of a slot by its place in the directory, and where its bytes begin.
func (d directory) entry(j int) (num uint32, from int) {
	if d.wide {
		e := d.rec[int(d.at)+j*wideEntry:]
		return binary.LittleEndian.Uint32(e), int(binary.LittleEndian.Uint32(e[4:]))
	}
	e := binary.LittleEndian.Uint32(d.rec[int(d.at)+j*dirEntry:])
	return e & mostNarrow, int(e >> 16)
}

func (d directory) num(j int) uint32 {
	num, _ := d.entry(j)
	return num
}

// slot is a slot by its place in the directory.
func (d directory) slot(j int) (num uint32, bytes []byte) {
	num, from := d.entry(j)
	if j++; j < d.len() {
		_, to := d.entry(j)
		return num, d.rec[from:to]
	}
	return num, d.rec[from:]
}

// find is the bytes of the slot with a number, nil if there is none.
func (d directory) find(num uint32) []byte {
	lo, hi := 0, d.len()
	for lo < hi {
		mid := (lo + hi) / 2
		if v := d.num(mid); v == num {
			_, bytes := d.slot(mid)
			return bytes
		} else if v < num {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return nil
}

// slotCopy is a slot of a record that is written.
type slotCopy struct {
	num  uint32
	size int
	old  []byte // what it holds, then zeros
}

// appendSlot appends field by field, see takeRecord.
func appendSlot(slots []slotCopy, num uint32, size int, old []byte) []slotCopy {
	slots = append(slots, slotCopy{})
	c := &slots[len(slots)-1]
	c.num, c.size, c.old = num, size, old
	return slots
}

// insertSlot is appendSlot at the place that keeps the numbers ascending.
func insertSlot(slots []slotCopy, num uint32, size int, old []byte) []slotCopy {
	slots = appendSlot(slots, num, size, old)
	for j := len(slots) - 1; j > 0 && slots[j-1].num > slots[j].num; j-- {
		slots[j-1], slots[j] = slots[j], slots[j-1]
	}
	return slots
}

// shape is how a record is going to lie.
type shape struct {
	wide   bool
	text   int // where the key's text begins
	dir    int // where the directory begins
	slots  int // where the first slot begins
	length int
}

// shapeOf is the shape of a record with a text so long, and slots ascending by number.
func shapeOf(text int, slots []slotCopy) shape {
	bytes := 0
	for i := range slots {
		bytes += slots[i].size
	}
	s := shape{text: keyHeader, dir: keyHeader + text}
	s.slots = s.dir + len(slots)*dirEntry
	s.length = s.slots + bytes
	if s.length > mostNarrow || len(slots) > 0 && slots[len(slots)-1].num > mostNarrow {
		s = shape{wide: true, text: wideHeader, dir: wideHeader + text}
		s.slots = s.dir + len(slots)*wideEntry
		s.length = s.slots + bytes
	}
	return s
}

// write writes a record of the shape. The slots may be parts of another record.
func (s *shape) write(rec []byte, scope uint16, text []byte, slots []slotCopy) {
	rec[0], rec[1] = layoutVersion, 0
	binary.LittleEndian.PutUint16(rec[2:], scope)
	binary.LittleEndian.PutUint16(rec[4:], uint16(len(slots)))
	if s.wide {
		rec[1] = flagWide
		binary.LittleEndian.PutUint16(rec[6:], 0)
		binary.LittleEndian.PutUint32(rec[8:], uint32(len(text)))
	} else {
		binary.LittleEndian.PutUint16(rec[6:], uint16(len(text)))
	}
	copy(rec[s.text:s.dir], text)
	at := s.slots
	for j := range slots {
		c := &slots[j]
		if s.wide {
			e := rec[s.dir+j*wideEntry:]
			binary.LittleEndian.PutUint32(e, c.num)
			binary.LittleEndian.PutUint32(e[4:], uint32(at))
		} else {
			binary.LittleEndian.PutUint32(rec[s.dir+j*dirEntry:], c.num|uint32(at)<<16)
		}
		slot := rec[at : at+c.size]
		if len(c.old) > 0 { // of a new key's slots most have nothing, of an older one's all
			slot = slot[copy(slot, c.old):]
		}
		if len(slot) > 0 {
			clear(slot)
		}
		at += c.size
	}
}
