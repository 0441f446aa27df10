package state

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"

	"nudge"
)

// blockBytes is how many bytes of flat records a block takes before it is closed. A reader unpacks a block as a whole.
const blockBytes = 4 << 20

// blockEncoder turns the entries of a segment that is rewritten into blocks. It belongs to one rewriter.
type blockEncoder struct {
	pack  packer
	zstd  *zstd.Encoder
	first nudge.Offset // of the block
	count int          // records in it
	heads []blockHead
	plain []byte
	out   []byte
}

// blockHead is one entry of a block.
type blockHead struct {
	count int
	at    nudge.Millis
}

func (c *blockEncoder) init(names *nudge.Names) (err error) {
	c.pack.init(names)
	c.begin()
	c.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithWindowSize(blockBytes), zstd.WithEncoderCRC(false))
	return err
}

func (c *blockEncoder) begin() {
	c.pack.reset(nil, nil)
	c.heads, c.count = c.heads[:0], 0
}

func (c *blockEncoder) empty() bool { return len(c.heads) == 0 }

func (c *blockEncoder) full() bool { return c.pack.size >= blockBytes }

// add takes an entry into the block. ok is false if its shapes have no room: then the block may only be closed.
func (c *blockEncoder) add(e nudge.Entry) (ok bool, err error) {
	p := &c.pack
	control, texts, ids, size := len(p.control), len(p.texts), len(p.ids), p.size
	for rest := e.Records; len(rest) > 0; {
		var rec nudge.Record
		if rec, rest = nudge.SplitRecord(rest); !p.add(rec, e.At) {
			p.control, p.texts, p.ids, p.size = p.control[:control], p.texts[:texts], p.ids[:ids], size
			return false, nil
		}
	}
	if c.empty() {
		c.first = e.First
	}
	c.heads = append(c.heads, blockHead{e.Count, e.At})
	c.count += e.Count
	return true, p.names.err
}

// close returns the block's bytes and its header, valid until the next call, and begins another block.
func (c *blockEncoder) close(prev, salt uint32) ([]byte, entryHeader) {
	p := &c.pack
	last := c.heads[len(c.heads)-1].at
	h := entryHeader{
		flags: flagBlock, codec: codecPackedZstd, first: c.first, at: last, count: uint32(c.count), plain: uint32(p.size), prev: prev,
	}
	if p.fresh() {
		h.flags |= flagDefines
	}
	p.head = binary.AppendUvarint(p.head[:0], uint64(len(c.heads)))
	for _, e := range c.heads {
		p.head = binary.AppendUvarint(p.head, uint64(e.count))
		p.head = binary.AppendUvarint(p.head, uint64(last-e.at))
	}
	part := p.appendPlain(c.out[:0])
	c.plain = binary.AppendUvarint(c.plain[:0], uint64(len(part)))
	c.plain = append(append(c.plain, part...), p.ids...)
	out := binary.AppendUvarint(room(&c.out, entryHeaderBytes)[:entryHeaderBytes], uint64(len(c.plain)))
	out = append(c.zstd.EncodeAll(c.plain, out), endMark)
	c.out = out
	c.begin()
	return finishEntry(&h, out, len(out)-1, salt), h
}
