package engine

import "nudge"

// lookAhead is how many keys are looked up before the first of them takes anything.
const lookAhead = 32

// query asks for the entry of a key.
type query struct {
	hash  nudge.KeyHash
	scope uint16
	key   string
	entry uint32 // the answer, noEntry if there is none
	pos   int    // scratch: its place in the index
	rec   []byte // scratch
}

// findAll is find for up to lookAhead keys in one go. Each step, from index to entry to record, is made for all of them before the next
// one, so that the processor waits for the cache lines of a step together and not one after the other. The records' first lines are
// read in passing: they are wanted next.
func (t *table) findAll(queries []query) {
	if t.warmed != nil || t.unread != nil {
		for i := range queries {
			q := &queries[i]
			q.entry = t.find(q.hash, q.scope, q.key)
		}
		return
	}
	t.findEntries(queries)
	for i := range queries {
		q := &queries[i]
		if q.rec == nil {
			continue
		}
		for at := cacheLine; at < min(len(q.rec), aheadBytes); at += cacheLine {
			t.read += q.rec[at]
		}
		if scope, key := identityOf(q.rec); scope != q.scope || string(key) != q.key {
			q.entry = t.lookup(q.hash, q.scope, q.key)
		}
		q.rec = nil
	}
}

// findEntries finds for each query the first entry with its hash, and that one's record if it is there. Where another hash has the place, the next
// one is looked at for all such queries together.
func (t *table) findEntries(queries []query) {
	var left [lookAhead]uint8 // queries that are not answered
	n := 0
	for i := range queries {
		q := &queries[i]
		q.entry = noEntry
		if part := t.index.part(q.hash); len(part.slots) > 0 {
			q.pos = part.home(q.hash)
			left[n] = uint8(i)
			n++
		}
	}
	for n > 0 {
		for _, i := range left[:n] {
			q := &queries[i]
			q.entry = t.index.part(q.hash).slots[q.pos] - 1 // of a free slot 0 − 1, which is noEntry
		}
		asked := left[:n]
		n = 0
		for _, i := range asked {
			q := &queries[i]
			if q.entry == noEntry {
				continue
			}
			switch e := t.entry(q.entry); {
			case e.hash != q.hash:
				q.pos = t.index.part(q.hash).after(q.pos)
				left[n] = i
				n++
			case e.ref.away():
				q.entry = t.lookup(q.hash, q.scope, q.key)
			default:
				q.rec = t.slabs.bytes(e.ref, int(e.used))
			}
		}
	}
}

const (
	cacheLine  = 64
	aheadBytes = 512 // of a record are read ahead
)
