package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// inLine is a row of a checkpoint. A row without a value is removed.
type inLine struct {
	prefix uint64 // of the key, big endian: nearly always enough to order two rows
	row    *row
}

// inOrder are all rows but the firings', ordered by key, each key once: what was erased or removed may have come back. A store sorts what it is given;
// rows that are in order already cost it one scan, where it would look up both keys of each comparison in the commit.
func (c *checkpoint) inOrder(keys [][]row) []inLine {
	gone := make([]row, len(c.gone))
	identities := c.identityRows()
	n := len(gone) + len(c.rows) + len(identities)
	for i, key := range c.gone {
		gone[i].key = key
	}
	for _, rows := range keys {
		n += len(rows)
	}
	all := make([]inLine, 0, n)
	for _, rows := range append([][]row{gone, c.rows, identities}, keys...) {
		for i := range rows {
			all = append(all, inLine{prefixOf(rows[i].key), &rows[i]})
		}
	}
	slices.SortFunc(all, func(a, b inLine) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		if byKey := bytes.Compare(a.row.key, b.row.key); byKey != 0 {
			return byKey
		}
		switch { // the one that is there comes first
		case a.row.value == nil && b.row.value != nil:
			return 1
		case a.row.value != nil && b.row.value == nil:
			return -1
		}
		return 0
	})
	return slices.CompactFunc(all, func(a, b inLine) bool { return a.prefix == b.prefix && bytes.Equal(a.row.key, b.row.key) })
}

func prefixOf(key []byte) uint64 {
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

func putAll(w Writer, all []inLine) {
	for _, p := range all {
		if p.row.value == nil {
			w.Delete(p.row.key)
		} else {
			w.Put(p.row.key, p.row.value)
		}
	}
}

// rowOverhead is what a row takes in a commit beside its key and value, in bytes, at most.
const rowOverhead = 11

func bytesOf(all []inLine) (n int) {
	for _, p := range all {
		n += len(p.row.key) + len(p.row.value) + rowOverhead
	}
	return n
}
