package engine

import "unsafe"

// texts keeps copies of short texts that outlive a batch: those of firings. They lie together in blocks, so that a firing does not cost
// an allocation for each of its texts; a block lives as long as any of them.
type texts struct {
	block []byte
}

// textBlock is the size of a block: what one firing that is kept for long can hold back with it.
const textBlock = 4 << 10

func (t *texts) keep(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > cap(t.block)-len(t.block) {
		t.block = make([]byte, 0, max(textBlock, len(s)))
	}
	from := len(t.block)
	t.block = append(t.block, s...)
	return unsafe.String(&t.block[from], len(s)) // never written again
}
