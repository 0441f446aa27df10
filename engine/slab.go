package engine

import "math/bits"

// slabs hands out byte ranges in size classes from chunks without pointers, so that millions of keys cost the garbage
// collector nothing. Two classes per power of two: at most a third of a range is unused.
type slabs struct {
	chunks [][]byte
	open   int // index of the chunk that small ranges are cut from
	size   int // its size
	pos    int // where its unused part begins
	freed  [64][]slabRef
}

// slabRef is chunk << 32 | position.
type slabRef uint64

// Chunks double from the first size to the last, so that a small table is small.
const (
	firstChunkBytes = 4 << 10
	chunkBytes      = 1 << 20
)

// sizeClass returns the class of a size and how many bytes a range of the class has: 32, 48, 64, 96, 128, …
func sizeClass(size int) (class, bytes int) {
	if size <= 32 {
		return 0, 32
	}
	top := bits.Len(uint(size - 1)) // 2^(top-1) < size ≤ 2^top
	if half := 3 << (top - 2); size <= half {
		return (top-6)*2 + 1, half
	}
	return (top - 5) * 2, 1 << top
}

// alloc returns a range of at least size bytes. Its content is arbitrary.
func (s *slabs) alloc(size int) slabRef {
	class, bytes := sizeClass(size)
	if free := s.freed[class]; len(free) > 0 {
		ref := free[len(free)-1]
		s.freed[class] = free[:len(free)-1]
		return ref
	}
	if s.pos+bytes > s.size {
		if bytes > chunkBytes/4 || bytes > max(s.size, firstChunkBytes)/2 { // a chunk of its own
			s.chunks = append(s.chunks, make([]byte, bytes))
			return slabRef(len(s.chunks)-1) << 32
		}
		s.size = min(max(2*s.size, firstChunkBytes), chunkBytes)
		s.chunks = append(s.chunks, make([]byte, s.size))
		s.open, s.pos = len(s.chunks)-1, 0
	}
	ref := slabRef(s.open)<<32 | slabRef(s.pos)
	s.pos += bytes
	return ref
}

// free takes back a range that was allocated with the same size.
func (s *slabs) free(ref slabRef, size int) {
	class, _ := sizeClass(size)
	s.freed[class] = append(s.freed[class], ref)
}

func (s *slabs) bytes(ref slabRef, size int) []byte {
	pos := int(uint32(ref))
	return s.chunks[ref>>32][pos : pos+size : pos+size]
}

// held is how many bytes the chunks take.
func (s *slabs) held() int {
	n := 0
	for _, c := range s.chunks {
		n += len(c)
	}
	return n
}
