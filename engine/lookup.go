package engine

import (
	"math/bits"

	"nudge"
)

// lookAhead is how many keys are looked up before the first of them takes anything: as many as a word has bits.
const lookAhead = 32

// query asks for the entry of a key.
type query struct {
	hash  nudge.KeyHash
	scope uint16
	key   string
	entry uint32 // the answer, noEntry if there is none
	rec   []byte // of that, while it is looked for
}

// findAll is find for up to lookAhead keys in one go. Each step, from index to entry to record, is made for all of them before the next
// one, so that the processor waits for the cache lines of a step together and not one after the other.
func (t *table) findAll(queries []query) {
	if t.warmed != nil || t.unread != nil {
		for i := range queries {
			q := &queries[i]
			q.entry = t.find(q.hash, q.scope, q.key)
		}
		return
	}
	t.findEntries(queries)
	t.readAhead(queries)
	for i := range queries {
		q := &queries[i]
		if q.entry == noEntry {
			continue
		}
		if scope, key := narrowOf(q.rec, len(q.key)); scope != q.scope || string(key) != q.key {
			q.entry = t.lookup(q.hash, q.scope, q.key)
		}
	}
}

// readAhead reads of each record, which are wanted next, five bytes at equal distances: all cache lines of one of up to 256 bytes. It does nothing
// else, as the fewer instructions lie between records, the more of them the processor waits for together. As much is read of a short one: nothing is to be guessed.
func (t *table) readAhead(queries []query) {
	read := byte(0)
	for i := range queries {
		q := &queries[i]
		if q.entry == noEntry {
			continue
		}
		rec := t.record(q.entry)
		q.rec = rec
		last := uint(len(rec) - 1)
		read += rec[0] + rec[last/4] + rec[last/2] + rec[last*3/4] + rec[last]
	}
	t.read += read
}

// findEntries finds for each query the first entry with its hash. The record of that is there. Nothing branches by what was just read: a wrong guess
// would make the memory of the queries behind it wait.
func (t *table) findEntries(queries []query) {
	for i := range queries {
		q := &queries[i]
		q.entry = t.index.at(q.hash, 0)
	}
	if t.count == 0 {
		return
	}
	var left uint32 // queries that are not answered, a bit for each
	for i := range queries {
		q := &queries[i]
		none := uint32((uint64(q.entry) + 1) >> 32) // 1 for noEntry, of which the sum is 0: another key's entry
		e := t.entry(q.entry + none)
		other, away := uint32(0), uint32(0)
		if e.hash != q.hash {
			other = 1
		}
		if e.ref.away() {
			away = 1
		}
		left |= (other | away) << (i % lookAhead)
	}
	if left != 0 {
		t.findBehind(queries, left)
	}
}

// findBehind is findEntries for queries at whose place another hash stands, or whose record is away. The next places are looked at for all of them together.
func (t *table) findBehind(queries []query, left uint32) {
	for past := 1; left != 0; past++ {
		for rest := left; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros32(rest)
			q := &queries[i]
			if q.entry == noEntry {
				left &^= 1 << i
			} else if e := t.entry(q.entry); e.hash == q.hash {
				if e.ref.away() {
					q.entry = t.lookup(q.hash, q.scope, q.key)
				}
				left &^= 1 << i
			} else if q.entry = t.index.at(q.hash, past); q.entry == noEntry {
				left &^= 1 << i
			}
		}
	}
}
