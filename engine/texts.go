package engine

import (
	"strconv"
	"unsafe"
)

// texts keeps copies of short texts that outlive a batch: those of firings. They lie together in blocks, so that a firing does not cost
// an allocation for each of its texts; a block lives as long as any of them.
type texts struct {
	block []byte
}

// textBlock is the size of a block: what one firing that is kept for long can hold back with it.
const textBlock = 4 << 10

func (t *texts) keep(s string) string {
	t.room(len(s))
	t.block = append(t.block, s...)
	return t.last(len(s))
}

func (t *texts) keepBytes(b []byte) string {
	t.room(len(b))
	t.block = append(t.block, b...)
	return t.last(len(b))
}

// keepRaw is keepBytes for who wants bytes, which nobody may write.
func (t *texts) keepRaw(b []byte) []byte {
	t.room(len(b))
	from := len(t.block)
	t.block = append(t.block, b...)
	return t.block[from:len(t.block):len(t.block)]
}

// number keeps a prefix with a number behind it.
func (t *texts) number(prefix string, n uint64) string {
	t.room(len(prefix) + mostDigits)
	from := len(t.block)
	t.block = strconv.AppendUint(append(t.block, prefix...), n, 10)
	return t.last(len(t.block) - from)
}

// mostDigits is of a number of 64 bits.
const mostDigits = 20

// room begins a new block if n bytes do not fit into this one.
func (t *texts) room(n int) {
	if n > cap(t.block)-len(t.block) {
		t.block = make([]byte, 0, max(textBlock, n))
	}
}

// last is the last n bytes of the block, which are never written again.
func (t *texts) last(n int) string {
	if n == 0 {
		return ""
	}
	return unsafe.String(&t.block[len(t.block)-n], n)
}
