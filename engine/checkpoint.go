package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"nudge"
	"nudge/rules"
)

// Store is what checkpoints are kept in. A commit is atomic, and durable when it returns. Where the disk is full it waits for room, and returns
// nudge.ErrFull only once the process is to end.
type Store interface {
	Commit(write func(w Writer) error) error
	Get(key []byte) (value []byte, ok bool, err error)
	Scan(from, to []byte, f func(key, value []byte) error) error
	ScanReverse(from, to []byte, f func(key, value []byte) error) error

	// Purge removes from all files what rows were before they were deleted or replaced.
	Purge(ctx context.Context) error
}

// Writer takes the rows of one commit.
type Writer = interface {
	Put(key, value []byte)
	Delete(key []byte)
	DeleteRange(from, to []byte)
	Grow(bytes int) // makes room for so much at once; before anything else
}

// The tables of the store: the first byte of a row's key. docs/format/checkpoint.md has the layouts.
const (
	tableMeta     = 'm' // one row: what the checkpoint covers
	tableDeploy   = 'o' // one row: the rules that run, and the numbers of operators and scopes
	tableKeys     = 'K' // scope number, beginning of the hash, digest of the text → the key's record
	tableVisitors = 'V' // beginning of the hash, digest of the visitor → it and its identity
	tableUsers    = 'U' // beginning of the hash, digest of the user → it and its identity
	tableHints    = 't' // scope number, group → of each bin, an instant before which none of its keys has a timer due
	tableDedup    = 'd' // newest ordinal, shard → ids applied since the checkpoint before
	tableFirings  = 'f' // cursor → the firing
	tableReceipts = 'r' // offset → id of a popup that was seen
	tableErasures = 'e' // offset → an erasure and its receipt

	tablePositions = 'p' // name → how far its owner has got
)

// checkpointFormat is the version of all rows; a store of another one is refused, but for that of oldestFormat, in which the newest value of every set
// stands first, as it may now.
const (
	checkpointFormat = 6
	oldestFormat     = 5
)

// stepKeys is how many keys of each shard are serialised between two batches.
const stepKeys = 512

// meta is the row that says what the checkpoint covers: everything before Next (I3).
type meta struct {
	Format  int          `json:"format"`
	Next    nudge.Offset `json:"next"`
	Clock   nudge.Millis `json:"clock"`
	Ordinal uint64       `json:"ordinal"`

	Forgotten uint64 `json:"forgotten,omitempty"` // ids of ordinals before this one are forgotten, whatever the window is now
}

// deployRow holds the rules that run and the dictionary.
type deployRow struct {
	Rules    string            `json:"rules"`
	Ops      map[string]uint32 `json:"ops"` // of the running plan; other numbers are never looked up again
	Scopes   map[string]uint16 `json:"scopes"`
	NextOp   uint32            `json:"next_op"`
	Settings Settings          `json:"settings"`
	Sizes    map[string]size   `json:"sizes"`

	Floors     map[string]nudge.Millis `json:"floors,omitempty"`      // of texts: what is not newer counts for nothing
	LateBefore nudge.Millis            `json:"late_before,omitempty"` // events before it are history, however late they may be

	Deployed nudge.Offset        `json:"deployed"`       // the record that brought these rules
	Cold     map[string]coldness `json:"cold,omitempty"` // texts of operators that still lack their past
	Held     map[string]bool     `json:"held,omitempty"` // ids of the rules that wait for it
}

// checkpoint is one being written: all shards at one batch boundary. The keys that were dirty then are serialised in steps
// between batches, and one that is about to change is serialised first.
type checkpoint struct {
	meta meta
	rows []row    // everything but keys, identities and firings
	gone [][]byte // rows of removed keys and erased identities

	visitors, users [][]byte // values of the rows of identities

	dedups uint64 // ids of ordinals before this one are out of the window

	firings  firingList
	logFirst nudge.Offset // firings are kept as long as the records that caused them

	erasuresFrom nudge.Offset // erasures before this one are complete, and the log does not hold them any more
}

type row struct {
	key, value []byte
}

// freeze begins a checkpoint at the current batch boundary.
func (e *Engine) freeze() *checkpoint {
	e.finishTakeOver()
	c := &checkpoint{meta: meta{checkpointFormat, e.next, e.clock, e.ordinal, e.forgotten}}
	c.put([]byte{tableMeta}, mustJSON(c.meta))
	d := deployRow{
		Rules: rules.EncodeSources(e.program.plan.Sources), Ops: e.dict.ops, Scopes: e.dict.scopes,
		NextOp: e.dict.nextOp, Settings: e.settings, Sizes: e.dict.sizes, Deployed: e.deployed, Cold: e.dict.cold, Held: e.dict.held,
		Floors: e.dict.floors, LateBefore: e.lateBefore,
	}
	c.put([]byte{tableDeploy}, mustJSON(d))
	e.freezePositions(c)
	if w := d.window(); e.ordinal > w {
		c.dedups = e.ordinal - w
	}
	parts := make([]checkpoint, len(e.shards))
	e.onEveryShard(smallBatch, func(s *shard) {
		if planted(bugShardBehind) && s.id == 1 {
			return
		}
		s.freezeIdentities(&parts[s.id])
		s.dedup.freeze()
		s.beginHints()
		for l := range s.tables {
			parts[s.id].gone = append(parts[s.id].gone, s.tables[l].freeze()...)
		}
	})
	for i := range parts {
		c.gone = append(c.gone, parts[i].gone...)
		c.visitors = append(c.visitors, parts[i].visitors...)
		c.users = append(c.users, parts[i].users...)
	}
	return c
}

func (d *deployRow) window() uint64 { return uint64(d.Settings.DedupEvents) }

func (c *checkpoint) put(key, value []byte) { c.rows = append(c.rows, row{key, value}) }

// dirtyBytes is about how many bytes of keys the next checkpoint would hold.
func (e *Engine) dirtyBytes() int {
	n := 0
	for _, s := range e.shards {
		for l := range s.tables {
			n += s.tables[l].dirtyBytes
		}
	}
	return n
}

// step serialises up to so many more keys of every shard, and says whether all are done.
func (e *Engine) step(keys int) bool {
	var left atomic.Bool
	e.onEveryShard(smallBatch, func(s *shard) {
		n := keys
		for l := range s.tables {
			n = s.tables[l].serialise(n)
			if s.tables[l].done < len(s.tables[l].frozen) {
				left.Store(true)
			}
		}
		swept, saved := s.sweepHints(hintStep*n), s.dedup.serialise(dedupStep*n)
		if !swept || !saved {
			left.Store(true)
		}
	})
	return !left.Load()
}

// write puts the whole checkpoint into one commit, ordered by key. It may run beside Apply.
func (c *checkpoint) write(w Writer, keys [][]row) error {
	all := c.inOrder(keys)
	room := bytesOf(all)
	for x := range c.firings.all() {
		room += firingRoom(x)
	}
	w.Grow(room)
	firings, _ := slices.BinarySearchFunc(all, tableFirings, func(p inLine, table byte) int { return cmp.Compare(p.row.key[0], table) })
	putAll(w, all[:firings])
	var value []byte
	for x := range c.firings.all() {
		value = appendFiring(value[:0], x)
		w.Put(firingKey(x.Cursor), value)
	}
	putAll(w, all[firings:])
	w.DeleteRange([]byte{tableDedup}, binary.BigEndian.AppendUint64([]byte{tableDedup}, c.dedups))
	w.DeleteRange([]byte{tableFirings}, firingKey(nudge.Cursor{Offset: c.logFirst}))
	w.DeleteRange([]byte{tableErasures}, erasureKey(c.erasuresFrom))
	w.DeleteRange([]byte{tableReceipts}, receiptKey(c.logFirst))
	return nil
}

// takeRows hands over the serialised keys and ids, and the hints.
func (e *Engine) takeRows() [][]row {
	var all [][]row
	for _, s := range e.shards {
		all = append(all, s.takeHints(), s.dedup.take(s.id))
		for l := range s.tables {
			t := &s.tables[l]
			all = append(all, t.serialised...)
			t.serialised, t.frozen = nil, nil
		}
	}
	return all
}

// freeze makes the dirty keys the ones to be serialised, and returns the rows of those that were removed. Of these the entries are among the frozen ones
// without the mark, unless they are another key's by now.
func (t *table) freeze() (removed [][]byte) {
	t.frozen, t.turned = t.dirty, bothChanged^t.turned
	removed, t.removed = t.removed, nil
	t.dirty, t.dirtyBytes = nil, 0
	t.round, t.writing = t.round%entryMarks(rounds)+1, true
	t.done = 0
	return removed
}

// serialise goes on with up to n frozen keys, and returns how many of n are left.
func (t *table) serialise(n int) int {
	for ; n > 0 && t.done < len(t.frozen); t.done++ {
		if i := t.frozen[t.done]; t.entry(i).marks&t.markFrozen() != 0 {
			t.serialiseKey(i)
			n--
		}
	}
	return n
}

func (t *table) serialiseKey(i uint32) {
	e := t.entry(i)
	e.marks = e.marks&(markMet|t.markDirty()) | t.round*markRound
	last := len(t.serialised) - 1
	if last < 0 || len(t.serialised[last]) == rowsPage {
		t.serialised = append(t.serialised, make([]row, 0, rowsPage))
		last++
	}
	t.serialised[last] = append(t.serialised[last], row{t.rowKey(i), slices.Clone(t.record(i))})
}

// rowsPage is for how many rows room is made at once: to make it for all of them would take ms in which no event is applied.
const rowsPage = 1024

// rowKey is the key's place in the store.
func (t *table) rowKey(i uint32) []byte {
	scope, text := t.identity(i)
	return rowKey(t.entry(i).hash, scope, string(text))
}

// rowKey is where a key stands in the store. No text of a person is in the key of a row: a store keeps keys longer than rows, in its own
// notes on its files, and they must not name who was erased.
func rowKey(hash nudge.KeyHash, scope uint16, text string) []byte {
	return rowKeyOf(hash, scope, digestOf(text))
}

func rowKeyOf(hash nudge.KeyHash, scope uint16, d digest) []byte {
	key := make([]byte, 0, rowKeySize)
	key = append(key, tableKeys)
	key = binary.BigEndian.AppendUint16(key, scope)
	key = appendHash(key, hash)
	return append(key, d[:]...)
}

// freezeIdentities copies what is known of the visitors and users that changed. The rows are made of that later, beside the applier: hashing a text takes
// longer than copying it.
func (s *shard) freezeIdentities(c *checkpoint) {
	if planted(bugErasedBack) {
		s.erased = nil
	}
	c.gone, s.erased = append(c.gone, s.erased...), nil
	c.visitors = make([][]byte, 0, len(s.dirtyVisitors))
	c.users = make([][]byte, 0, len(s.dirtyUsers))
	var p valuePage
	for _, key := range s.dirtyVisitors {
		v := s.visitors.get(key.hash, key.text)
		if v == nil {
			continue // erased
		}
		v.dirty = false
		c.visitors = append(c.visitors, p.end(v.company.append(v.user.append(p.begin(key.text)))))
	}
	for _, key := range s.dirtyUsers {
		u := s.users.get(key.hash, key.text)
		if u == nil {
			continue
		}
		u.dirty = false
		c.users = append(c.users, p.end(u.append(p.begin(key.text))))
	}
	s.dirtyVisitors, s.dirtyUsers = s.dirtyVisitors[:0], s.dirtyUsers[:0]
}

const (
	identityRoom = 64      // bytes that an identity's value takes beside the text, most of the time
	identityPage = 1 << 16 // bytes of values that are made room for at once
)

// valuePage is where the values of identities are laid out, one behind the other: what is left of the room that was made last.
type valuePage []byte

// begin begins a value with its text. It is appended to, and handed to end before the next one is begun.
func (p *valuePage) begin(text string) []byte {
	if room := len(text) + identityRoom; cap(*p) < room {
		*p = make([]byte, 0, max(identityPage, room))
	}
	return appendText(*p, text)
}

// end takes the value's room out of the page. Nothing is appended to it any more.
func (p *valuePage) end(value []byte) []byte {
	taken := min(len(value), cap(*p)) // one that has found no room lies elsewhere
	*p = (*p)[taken:taken]
	return slices.Clip(value)
}

// identityRows are the rows of the identities. A value begins with the text that the key is of.
func (c *checkpoint) identityRows() []row {
	rows := make([]row, 0, len(c.visitors)+len(c.users))
	for _, value := range c.visitors {
		text, _ := readText(value)
		rows = append(rows, row{identityKey(tableVisitors, scopeVisitor, text), value})
	}
	for _, value := range c.users {
		text, _ := readText(value)
		rows = append(rows, row{identityKey(tableUsers, scopeUser, text), value})
	}
	return rows
}

func identityKey(table byte, scope, text string) []byte {
	key := appendHash([]byte{table}, nudge.HashKey(scope, text))
	d := digestOf(text)
	return append(key, d[:]...)
}

// appendHash appends the beginning of a hash, by which rows are ordered.
func appendHash(key []byte, hash nudge.KeyHash) []byte {
	return binary.BigEndian.AppendUint32(key, uint32(hash>>(64-8*hashBytes)))
}

// appendText appends u16 length, text; readText reads it.
func appendText(dst []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(text))), text...)
}

func readText(src []byte) (text string, rest []byte) {
	size := int(binary.LittleEndian.Uint16(src))
	return string(src[2 : 2+size]), src[2+size:]
}

// append writes the user's company, newest visitor, and u8 mail addresses, each as u16 length and text.
func (u *userIdentity) append(dst []byte) []byte {
	dst = u.visitor.append(u.company.append(dst))
	dst = append(dst, byte(len(u.mails)))
	for _, mail := range u.mails {
		dst = appendText(dst, mail)
	}
	return dst
}

func (u *userIdentity) read(src []byte) {
	src = u.visitor.read(u.company.read(src))
	n := int(src[0])
	src = src[1:]
	for range n {
		var mail string
		mail, src = readText(src)
		u.mails = append(u.mails, mail)
	}
}

// flagMore is in a stored history's number of values: there were others.
const flagMore = 0x80

// append writes u8 values, with flagMore, then for each u64 offset, u16 length, text.
func (h *history) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	for b := range h.kept {
		dst = appendText(binary.LittleEndian.AppendUint64(dst, uint64(b.from)), b.text)
		dst[at]++
	}
	if !h.isWhole() {
		dst[at] |= flagMore
	}
	return dst
}

func (h *history) read(src []byte) []byte {
	n := int(src[0] &^ flagMore)
	if src[0]&flagMore != 0 {
		h.older = &older{more: true}
	}
	src = src[1:]
	for range n {
		b := binding{from: nudge.Offset(binary.LittleEndian.Uint64(src))}
		b.text, src = readText(src[8:])
		h.add(b)
	}
	return src
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("BUG: %T does not marshal: %v", v, err))
	}
	return b
}
