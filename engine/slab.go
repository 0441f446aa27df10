package engine

import (
	"encoding/binary"
	"math/bits"
)

// slabs hands out byte ranges in size classes from chunks without pointers, so that millions of keys cost the garbage
// collector nothing. Eight classes per power of two: at most a ninth of a range is unused, or seven bytes. A chunk is of one class, so that one
// whose ranges have all come back can be given back, or serve another class.
type slabs struct {
	chunks  [][]byte
	about   []chunk  // of each of chunks
	vacant  []uint32 // numbers of chunks that were given back
	classes [slabClasses]slabClass
	held    int // bytes of the chunks
	live    int // bytes of the ranges that are handed out
}

type chunk struct {
	bytes    uint32 // of a range
	live     uint32 // ranges that are handed out
	cut      uint32 // where the part begins that was never handed out
	free     uint32 // position + 1 of a range that came back, which begins with that of the next one; 0: none
	class    uint8
	listed   bool // among its class's chunks with room
	draining bool // nothing is handed out any more: it is to become empty
}

type slabClass struct {
	room []uint32 // chunks that may have room; the last is asked first
	held int      // bytes of its chunks
}

// slabRef is chunk << 32 | position. The first bit is not set.
type slabRef uint64

// A chunk is as large as an eighth of those that its class has, between the first size and the last, so that little of it waits for ranges that
// may never come. A range that is larger is a chunk of its own.
const (
	firstChunkBytes = 4 << 10
	chunkBytes      = 256 << 10
	slabClasses     = 216 // up to 4 GiB
)

// sizeClass returns the class of a size and how many bytes a range of the class has: 8, 16, … 128, then 144, 160, … 256, then 288, 320, …
func sizeClass(size int) (class, bytes int) {
	step := max(bits.Len(uint(size-1))-4, 3) // the classes from 2^(step+3) to 2^(step+4) are 2^step bytes apart
	n := (size-1)>>step + 1
	return (step-3)*8 + n - 1, n << step
}

// alloc returns a range of at least size bytes. Its content is arbitrary.
func (s *slabs) alloc(size int) slabRef {
	class, bytes := sizeClass(size)
	c := &s.classes[class]
	s.live += bytes
	for n := len(c.room); n > 0; n-- {
		at := c.room[n-1]
		k := &s.about[at]
		if pos, ok := k.take(s.chunks[at]); ok {
			return slabRef(at)<<32 | slabRef(pos)
		}
		k.listed = false
		c.room = c.room[:n-1]
	}
	at := s.add(class, bytes)
	pos, _ := s.about[at].take(s.chunks[at])
	return slabRef(at)<<32 | slabRef(pos)
}

// take hands out a range of the chunk, if there is one.
func (k *chunk) take(mem []byte) (pos uint32, ok bool) {
	switch {
	case k.free != 0:
		pos = k.free - 1
		k.free = binary.LittleEndian.Uint32(mem[pos:])
	case int(k.cut+k.bytes) <= len(mem):
		pos = k.cut
		k.cut += k.bytes
	default:
		return 0, false
	}
	k.live++
	return pos, true
}

// add makes a chunk for a class and returns its number.
func (s *slabs) add(class, bytes int) uint32 {
	c := &s.classes[class]
	size := min(max(c.held/8, firstChunkBytes), chunkBytes)
	mem := make([]byte, max(size/bytes, 1)*bytes)
	at := uint32(len(s.chunks))
	if n := len(s.vacant); n > 0 {
		at, s.vacant = s.vacant[n-1], s.vacant[:n-1]
	} else {
		s.chunks, s.about = append(s.chunks, nil), append(s.about, chunk{})
	}
	s.chunks[at] = mem
	s.about[at] = chunk{bytes: uint32(bytes), class: uint8(class)}
	s.list(at)
	c.held += len(mem)
	s.held += len(mem)
	return at
}

// list notes that a chunk has room.
func (s *slabs) list(at uint32) {
	k := &s.about[at]
	k.listed = true
	c := &s.classes[k.class]
	c.room = append(c.room, at)
}

// free takes back a range.
func (s *slabs) free(ref slabRef) {
	at, pos := uint32(ref>>32), uint32(ref)
	k := &s.about[at]
	binary.LittleEndian.PutUint32(s.chunks[at][pos:], k.free)
	k.free = pos + 1
	k.live--
	s.live -= int(k.bytes)
	switch {
	case k.draining:
		if k.live == 0 {
			s.giveBack(at)
		}
	case !k.listed:
		s.list(at)
	}
}

// giveBack lets go of a chunk that is empty and not listed.
func (s *slabs) giveBack(at uint32) {
	size := len(s.chunks[at])
	s.classes[s.about[at].class].held -= size
	s.held -= size
	s.chunks[at], s.about[at] = nil, chunk{}
	s.vacant = append(s.vacant, at)
}

// room is how many bytes a range has.
func (s *slabs) room(ref slabRef) int { return int(s.about[ref>>32].bytes) }

func (s *slabs) bytes(ref slabRef, size int) []byte {
	pos := int(uint32(ref))
	return s.chunks[ref>>32][pos : pos+size : pos+size]
}

// sparse is below what part of its ranges a chunk is worth emptying, in quarters: then what is held is a third more at most than what is live.
const sparse = 3

// tidy gives empty chunks back, and has sparse ones drained that the gaps of others of their class can take: their ranges are to be moved by
// whoever knows where they are used.
func (s *slabs) tidy() {
	var gaps [slabClasses]int // bytes of ranges that are not handed out, in chunks that are not drained
	for i := range s.classes {
		s.classes[i].room = s.classes[i].room[:0]
	}
	for at := range uint32(len(s.chunks)) {
		k := &s.about[at]
		k.listed = false
		if k.live == 0 && s.chunks[at] != nil {
			s.giveBack(at)
		} else if !k.draining {
			gaps[k.class] += len(s.chunks[at]) - int(k.live*k.bytes)
		}
	}
	for at := range uint32(len(s.chunks)) {
		k, size := &s.about[at], len(s.chunks[at])
		used := int(k.live * k.bytes)
		switch {
		case k.draining:
		case 4*used < sparse*size && gaps[k.class] >= size:
			k.draining = true
			gaps[k.class] -= size
		case used < size:
			s.list(at)
		}
	}
}

// drains says whether a range lies in a chunk that is to become empty.
func (s *slabs) drains(ref slabRef) bool { return s.about[ref>>32].draining }
