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
	for i := range queries {
		q := &queries[i]
		q.entry = noEntry
		if part := t.index.part(q.hash); len(part.slots) > 0 {
			q.entry = part.slots[part.home(q.hash)] - 1 // of a free slot 0 − 1, which is noEntry
		}
	}
	for i := range queries {
		if q := &queries[i]; q.entry != noEntry {
			if e := t.entry(q.entry); e.hash == q.hash && !e.ref.away() {
				q.rec = t.slabs.bytes(e.ref, int(e.used))
			} else { // another key's place: it stands further on, or nowhere; or its record is away
				q.entry = t.lookup(q.hash, q.scope, q.key)
			}
		}
	}
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

const (
	cacheLine  = 64
	aheadBytes = 512 // of a record are read ahead
)
