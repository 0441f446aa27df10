package engine

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSizeClasses wants every size to fit its class, the smaller class to be too small, and little to be unused.
func TestSizeClasses(t *testing.T) {
	for size := 1; size < 1<<20; size++ {
		class, bytes := sizeClass(size)
		if unused := bytes - size; unused < 0 || unused > max(7, bytes/9) {
			t.Fatalf("%d bytes are given %d", size, bytes)
		}
		below, less := sizeClass(max(size-1, 1))
		if class < below || class > below+1 || (class == below) != (bytes == less) {
			t.Fatalf("%d bytes are of class %d, %d of class %d", size, class, size-1, below)
		}
	}
	if class, bytes := sizeClass(1 << 32); class != slabClasses-1 || bytes != 1<<32 {
		t.Fatalf("the largest size is of class %d of %d", class, slabClasses)
	}
}

// TestSlabs hands out, moves and takes back ranges of many sizes, and wants what they hold to stay, and what is held to follow what is live.
func TestSlabs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s slabs
	type held struct {
		ref  slabRef
		data []byte
	}
	var all []held
	take := func() {
		size := 1 + r.IntN(600)
		if r.IntN(200) == 0 {
			size = 1 + r.IntN(2*chunkBytes)
		}
		h := held{ref: s.alloc(size), data: make([]byte, size)}
		for j := range h.data {
			h.data[j] = byte(r.Uint32())
		}
		copy(s.bytes(h.ref, size), h.data)
		all = append(all, h)
	}
	free := func(i int) {
		s.free(all[i].ref)
		all = slices.Delete(all, i, i+1)
	}
	for range 3 {
		for range 20_000 {
			take()
		}
		most := s.held
		for len(all) > 3000 {
			free(r.IntN(len(all)))
		}
		for range 40 { // so many rounds of the hand
			s.tidy()
			for i := range all {
				if h := &all[i]; s.drains(h.ref) {
					old := h.ref
					h.ref = s.alloc(len(h.data))
					copy(s.bytes(h.ref, len(h.data)), h.data)
					s.free(old)
				}
			}
		}
		live, held := 0, 0
		for i := range all {
			if h := &all[i]; !bytes.Equal(s.bytes(h.ref, len(h.data)), h.data) {
				t.Fatalf("a range of %d bytes does not hold what was put there", len(h.data))
			}
			_, size := sizeClass(len(all[i].data))
			live += size
		}
		for _, c := range s.chunks {
			held += len(c)
		}
		if s.live != live || s.held != held {
			t.Fatalf("live %d, held %d, counted %d and %d", s.live, s.held, live, held)
		}
		used := 0
		for i := range s.classes {
			if s.classes[i].held > 0 {
				used++
			}
		}
		if spare := 2 * firstChunkBytes * used; held > live*4/sparse+spare+chunkBytes || held > most/2 {
			t.Fatalf("%d bytes are live, %d are held, %d were", live, held, most)
		}
	}
	for len(all) > 0 {
		free(0)
	}
	s.tidy()
	if s.held != 0 || s.live != 0 {
		t.Fatalf("nothing is handed out, and %d bytes are held, %d live", s.held, s.live)
	}
}
