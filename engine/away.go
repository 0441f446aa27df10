package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nudge"
	"nudge/rules"
)

// With a memory budget a key's record may be away: in the store alone, as the last checkpoint that took the key has put it there (budget.go says which
// may leave). Its entry stays. In place of where the record lies it then holds the beginning of the digest of the key's text, whose first bit is
// set: with the hash's group and the scope that is where the row stands.
//
// Whoever looks for a key, or finds its timer due, brings it back: so no answer depends on what is away. It stays until the batch's end at
// least. What a batch is going to look for comes back before, many rows in one go.

// shelf is where the records lie that are away.
type shelf struct {
	engine *Engine
	store  Store
	budget int              // bytes that each shard may take
	wall   func() time.Time // nil: nobody wants to know how long reads take

	commits uint64 // of checkpoints

	evicted, reads, waited atomic.Uint64 // keys that left, rows that were read, nanoseconds that shards waited for them
	early                  atomic.Uint64 // rows that were read early and then needed
}

// away says whether a reference is to the store, and not into slabs.
func (r slabRef) away() bool { return r>>63 != 0 }

func awayRef(d []byte) slabRef { return slabRef(binary.BigEndian.Uint64(d)) }

// wanted is a row to read: of its key all is known, or the beginning.
type wanted struct {
	entry uint32
	ref   slabRef // the entry's
	hash  nudge.KeyHash
	key   []byte
	row   []byte
}

const (
	rowPrefix  = 3 + hashBytes  // table, scope, hash
	rowKeySize = rowPrefix + 16 // and the digest
)

// prefixOf is the beginning of the key of an entry's row, as far as the entry knows it.
func (e *entry) prefixOf() []byte {
	key := make([]byte, 0, rowPrefix+8)
	key = binary.BigEndian.AppendUint16(append(key, tableKeys), e.scope)
	key = appendHash(key, e.hash)
	return binary.BigEndian.AppendUint64(key, uint64(e.ref))
}

// want notes that up to lookAhead keys are going to be looked at, and brings those that are away back with the next bring. As in findAll each step is made for
// all of them before the next one.
func (t *table) want(queries []query) {
	for i := range queries {
		q := &queries[i]
		q.entry = noEntry
		if part := t.index.part(q.hash); len(part.slots) > 0 {
			q.entry = part.slots[part.home(q.hash)] - 1
		}
	}
	for i := range queries {
		q := &queries[i]
		if q.entry == noEntry {
			continue
		}
		if e := t.entry(q.entry); e.hash == q.hash && e.scope == q.scope {
			t.wantKey(q.entry, e, q.key)
		} else {
			t.wantBehind(q)
		}
	}
}

// wantBehind is want for a key whose place in the index another one has.
func (t *table) wantBehind(q *query) {
	part := t.index.part(q.hash)
	for pos := part.after(part.home(q.hash)); part.slots[pos] != 0; pos = part.after(pos) {
		i := part.slots[pos] - 1
		if e := t.entry(i); e.hash == q.hash && e.scope == q.scope {
			t.wantKey(i, e, q.key)
		}
	}
}

func (t *table) wantKey(i uint32, e *entry, text string) {
	e.marks |= markMet
	if !e.ref.away() {
		return
	}
	if d := digestOf(text); awayRef(d[:]) == e.ref {
		t.wanted = append(t.wanted, wanted{entry: i, ref: e.ref, hash: e.hash, key: rowKeyOf(e.hash, e.scope, d)})
	}
}

// takeWanted are the rows that are wanted, in the order of the store.
func (t *table) takeWanted() []wanted {
	slices.SortFunc(t.wanted, func(a, b wanted) int { return bytes.Compare(a.key, b.key) })
	return slices.CompactFunc(t.wanted, func(a, b wanted) bool { return a.entry == b.entry })
}

// bring brings back what is wanted.
func (t *table) bring() {
	if len(t.wanted) == 0 {
		return
	}
	list := t.takeWanted()
	t.shelf.fetch(list)
	t.fillAll(list)
	clear(t.wanted)
	t.wanted = t.wanted[:0]
}

// recall brings one record back.
func (t *table) recall(i uint32) {
	e := t.entry(i)
	e.marks |= markMet
	one := []wanted{{entry: i, ref: e.ref, hash: e.hash, key: e.prefixOf()}}
	t.shelf.fetch(one)
	t.fillAll(one)
}

// fillAll gives entries their records back, as far as they are still away, and returns how many are.
func (t *table) fillAll(list []wanted) (filled int) {
	for j := range list {
		w := &list[j]
		if e := t.entry(w.entry); e.hash == w.hash && (e.ref == w.ref || planted(bugStaleEarly)) {
			failOn(t.shelf.check(e, w.row))
			t.fill(w.entry, w.row)
			filled++
		}
	}
	return filled
}

// fill gives an entry its record back.
func (t *table) fill(i uint32, rec []byte) {
	e := t.entry(i)
	e.ref = t.slabs.alloc(len(rec))
	copy(t.slabs.bytes(e.ref, len(rec)), rec)
	t.away--
}

// Rows are read by several goroutines where there are so many that it pays.
const (
	readers     = 4
	fewReads    = 4 // for each of them
	dueTogether = 1024
)

// fetch reads rows, and waits for them. Where one cannot be read it panics with a storeFault.
func (x *shelf) fetch(list []wanted) {
	began := x.now()
	if len(list) < 2*fewReads {
		x.reads.Add(uint64(len(list)))
		failOn(x.readAll(list))
	} else {
		var reading sync.WaitGroup
		var failed [readers]error
		x.load(list, &reading, &failed)
		reading.Wait()
		for _, err := range failed {
			failOn(err)
		}
	}
	x.waitedSince(began)
}

// load begins to read rows.
func (x *shelf) load(list []wanted, reading *sync.WaitGroup, failed *[readers]error) {
	x.reads.Add(uint64(len(list)))
	n := max(min(readers, len(list)/fewReads), 1)
	for r := range n {
		part := list[r*len(list)/n : (r+1)*len(list)/n]
		reading.Go(func() { failed[r] = x.readAll(part) })
	}
}

func (x *shelf) now() (t time.Time) {
	if x.wall != nil {
		t = x.wall()
	}
	return t
}

func (x *shelf) waitedSince(began time.Time) {
	x.waited.Add(uint64(max(x.now().Sub(began), 0)))
}

func (x *shelf) readAll(list []wanted) error {
	for j := range list {
		if err := x.read(&list[j]); err != nil {
			return err
		}
	}
	return nil
}

// read reads one row. It looks at no key, as it may run beside what changes them.
func (x *shelf) read(w *wanted) (err error) {
	if len(w.key) == rowKeySize {
		w.row, _, err = x.store.Get(w.key)
	} else {
		err = x.store.Scan(w.key, prefixEnd(w.key), func(_, row []byte) error {
			if x.engine.rowHash(row) == w.hash {
				w.row = slices.Clone(row)
			}
			return nil
		})
	}
	if err != nil {
		scope := binary.BigEndian.Uint16(w.key[1:])
		return fmt.Errorf("read back the record of a key per %s (table %c, group %d): %w", x.engine.perOf(scope), tableKeys, w.hash.Group(), err)
	}
	return nil
}

// check says whether a row is the record that left. What has its length and its hash is the one: a key's row changes only while the key is not away.
func (x *shelf) check(e *entry, row []byte) error {
	if len(row) == int(e.used) && isRecord(row) {
		return nil
	}
	return fmt.Errorf("the record of a key per %s (table %c, group %d), of %d bytes, left memory for the store, and a row of %d bytes is there: the store is damaged. "+
		"Go on from a backup; or, where the log still begins at offset 1, move the store's folder away and start again: the state is made anew from the log",
		x.engine.perOf(e.scope), tableKeys, e.hash.Group(), e.used, len(row))
}

// rowHash is the hash of the key that a row is of; of a row that is none, 0.
func (e *Engine) rowHash(row []byte) nudge.KeyHash {
	if !isRecord(row) {
		return 0
	}
	scope, text := identityOf(row)
	return nudge.HashKey(e.perOf(scope), string(text))
}

// perOf is the kind of key of a scope's number.
//
//nudge:unordered the loop looks for the one
func (e *Engine) perOf(num uint16) string {
	for per, n := range e.dict.scopes {
		if n == num {
			return per
		}
	}
	return ""
}

// prefixEnd is the first key behind those that begin with a prefix.
func prefixEnd(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for j := len(end) - 1; ; j-- {
		if end[j]++; end[j] != 0 { // the first byte is a table's
			return end
		}
	}
}

// storeFault is what the engine panics with where it cannot read what it needs from the store: whatever it was in the middle of, nothing may
// be done with it any more. It is no bug of a record's.
type storeFault struct{ err error }

func (f *storeFault) Error() string { return f.err.Error() }

func failOn(err error) {
	if err != nil {
		panic(&storeFault{err})
	}
}

// withStore runs f, and returns the failure of the store that ended it.
func withStore(f func() error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *storeFault:
			err = v.err
		default:
			panic(v)
		}
	}()
	return f()
}

// bringVisitors brings back the visitors that a batch's records of this shard are about.
func (s *shard) bringVisitors(b *Batch, list []int32) {
	t := &s.tables[0]
	if t.unread != nil {
		for _, i := range list {
			if !b.records[i].duplicate {
				t.wantBinOf(b.abouts[i].primary, rules.ScopeVisitor)
			}
		}
		t.readWantedBins()
	}
	if t.shelf == nil {
		return
	}
	if s.tookEarly(b) {
		return
	}
	for len(list) > 0 {
		block := list[:min(len(list), lookAhead)]
		list = list[len(block):]
		t.want(s.askVisitors(b, block))
	}
	t.bring()
}

// bringKeys brings back the keys that take what came up to a level.
func (s *shard) bringKeys(t *table) {
	if t.unread != nil {
		for i := range s.in {
			t.wantBinOf(s.in[i].hash, s.program.scopeNums[s.in[i].scope])
		}
		t.readWantedBins()
	}
	if t.shelf == nil {
		return
	}
	for left := s.in; len(left) > 0; {
		block := left[:min(len(left), lookAhead)]
		left = left[len(block):]
		t.want(s.askKeys(block))
	}
	t.bring()
}

// bringDue brings back an entry whose timer runs, and others whose timers are to run by then. The first timers of the heap are those that run next, or nearly.
func (t *table) bringDue(i uint32, until nudge.Millis) {
	t.wantEntry(i)
	for _, next := range t.timers[:min(len(t.timers), dueTogether)] {
		if e := t.entry(next.entry); next.due <= until && e.due == next.due {
			t.wantEntry(next.entry)
		}
	}
	t.bring()
}

func (t *table) wantEntry(i uint32) {
	if e := t.entry(i); e.ref.away() {
		e.marks |= markMet
		t.wanted = append(t.wanted, wanted{entry: i, ref: e.ref, hash: e.hash, key: e.prefixOf()})
	}
}

// eachKey calls f for the entries of a level that have keys. Those that are away come back for the call, in the order of their rows, and leave again if
// it has not changed them.
func (s *shard) eachKey(level int, f func(i uint32)) {
	t := &s.tables[level]
	away := map[uint16]*[nudge.Groups]bool{} // by scope
	for i := range t.count {
		if e := t.entry(i); e.ref.away() {
			if away[e.scope] == nil {
				away[e.scope] = new([nudge.Groups]bool)
			}
			away[e.scope][e.hash.Group()] = true
		} else if !t.removedAt(i) {
			f(i)
		}
	}
	for _, scope := range slices.Sorted(maps.Keys(away)) {
		for group, any := range away[scope] {
			if !any {
				continue
			}
			from := binary.BigEndian.AppendUint16([]byte{tableKeys}, scope)
			from = appendHash(from, nudge.KeyHash(group)<<52)
			to := prefixEnd(appendHash(from[:rowPrefix-hashBytes:rowPrefix-hashBytes], nudge.KeyHash(group+1)<<52-1))
			failOn(t.shelf.store.Scan(from, to, func(key, row []byte) error {
				s.visit(t, key, row, f)
				return nil
			}))
		}
	}
}

// visit calls f for the entry of a row, if its record is away.
func (s *shard) visit(t *table, key, row []byte, f func(i uint32)) {
	ref := awayRef(key[rowPrefix:])
	i := t.awayAt(s.engine.rowHash(row), ref)
	if i == noEntry {
		return
	}
	t.fill(i, row)
	f(i)
	if e := t.entry(i); e.used > 0 && t.mayLeave(e) {
		t.leave(i, ref)
	}
}

// awayAt is the entry of a key that is away, noEntry if there is none.
func (t *table) awayAt(hash nudge.KeyHash, ref slabRef) uint32 {
	part := t.index.part(hash)
	if len(part.slots) == 0 {
		return noEntry
	}
	for pos := part.home(hash); part.slots[pos] != 0; pos = part.after(pos) {
		if e := t.entry(part.slots[pos] - 1); e.hash == hash && e.ref == ref {
			return part.slots[pos] - 1
		}
	}
	return noEntry
}
