package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"nudge"
	"nudge/rules"
)

// After a restart no key and no identity is in memory: the node is ready as soon, whatever the store holds. Its rows are read by bins, those of one
// kind whose hashes begin with the same bits. A bin stands either in the store, as the checkpoint that was restored left it, or in memory, all of it:
// so nobody need remember single rows that have been read, changed or removed meanwhile, and a key that is not there costs as much as one that is.
//
// Whoever looks for a key or an identity reads its bin first: those of a batch in one go, ahead. A bin with timers is read before the first of
// them can be due (hints.go). The others follow in steps between batches, in the order of the rows.
//
// During the levels no identity is read into memory, because other shards look at them: who is in a bin that nobody has read is then asked of the
// store (knownThen).

const (
	binBits   = 18 // of a hash: with ten million keys, a bin holds 40, and reading it costs hardly more than reading one
	groupBins = 1 << binBits / nudge.Groups

	hashBytes = 4 // of a hash, in a row's key: its bin and more
)

// binOf is the bin of a hash among those of its group; the group takes the bits before.
func binOf(hash nudge.KeyHash) int { return int(hash>>(64-binBits)) % groupBins }

// unread are the rows of one kind of a shard, as far as they are in the store alone: the keys of one scope, or the visitors' or the users' identities.
type unread struct {
	shard  *shard
	prefix []byte // of the rows' keys, before the hash
	per    string // under which the rows' texts are hashed

	bins   [nudge.Groups]uint64 // of each group, a bit for each bin that is unread
	left   int                  // bins that are unread
	next   uint32               // the bin, of all groups', where the steps go on
	last   uint32               // the shard's last one
	wanted []uint32             // are to be read together

	take func(hash nudge.KeyHash, key, row []byte, step bool) error // gives a row its place in memory
}

// newUnread is about all rows of a kind that are the shard's.
func (s *shard) newUnread(prefix []byte, per string) *unread {
	u := &unread{shard: s, prefix: prefix, per: per}
	for group := range u.bins {
		if s.owns(nudge.KeyHash(group) << 52) {
			if u.left == 0 {
				u.next = uint32(group * groupBins)
			}
			u.bins[group] = 1<<groupBins - 1
			u.left += groupBins
			u.last = uint32((group+1)*groupBins) - 1
		}
	}
	return u
}

// leaveUnread notes that all keys and identities of the checkpoint are in the store alone.
//
//nudge:unordered each kind by itself
func (e *Engine) leaveUnread(st Store) {
	e.unread, e.restoredAt = st, e.clock
	for _, s := range e.shards {
		s.visitorsUnread = s.newUnread([]byte{tableVisitors}, scopeVisitor)
		s.visitorsUnread.take = s.takeVisitor
		s.usersUnread = s.newUnread([]byte{tableUsers}, scopeUser)
		s.usersUnread.take = s.takeUser
		for per, num := range e.dict.scopes {
			u := s.newUnread(binary.BigEndian.AppendUint16([]byte{tableKeys}, num), per)
			t := &s.tables[levelOfNumber(num)]
			u.take = func(hash nudge.KeyHash, key, row []byte, step bool) error { return s.takeKey(t, hash, key, row, step) }
			for len(t.unread) <= int(num) {
				t.unread = append(t.unread, nil)
			}
			t.unread[num] = u
		}
	}
}

// eachUnread calls f for what the shard has not read all of: first of all for what most depends on.
func (s *shard) eachUnread(f func(u *unread)) {
	for l := range s.tables {
		for _, u := range s.tables[l].unread {
			if u != nil && u.left > 0 {
				f(u)
			}
		}
	}
	for _, u := range []*unread{s.visitorsUnread, s.usersUnread} {
		if u != nil && u.left > 0 {
			f(u)
		}
	}
}

// takeKey gives a key's row its place. In a step it may be away at once.
func (s *shard) takeKey(t *table, hash nudge.KeyHash, key, row []byte, step bool) error {
	i := t.load(hash, row)
	due := s.nextDue(t, i, s.engine.restoredAt)
	if due <= s.engine.clock && s.engine.clock > s.engine.restoredAt {
		panic(fmt.Sprintf("BUG: a timer of %d is found in the store at %d", due, s.engine.clock))
	}
	if !planted(bugTimersLost) {
		t.arm(i, due)
	}
	if step {
		s.readInStep(t, i, key)
	}
	return nil
}

func (s *shard) takeVisitor(hash nudge.KeyHash, _, row []byte, _ bool) error {
	text, v := readVisitor(row)
	s.addVisitor(hash, text, v)
	return nil
}

func (s *shard) takeUser(hash nudge.KeyHash, _, row []byte, _ bool) error {
	text, u := readUser(row)
	s.users.put(hash, text, u)
	return nil
}

// has says whether the bin of a hash is still in the store.
func (u *unread) has(hash nudge.KeyHash) bool {
	return u != nil && u.bins[hash.Group()]>>binOf(hash)&1 != 0
}

// need reads the bin of a hash, if that is still in the store.
func (u *unread) need(hash nudge.KeyHash) {
	if u.has(hash) {
		u.wanted = append(u.wanted, uint32(hash>>(64-binBits)))
		u.readWanted()
	}
}

// want notes that the bin of a hash is to be read with the next readWanted.
func (u *unread) want(hash nudge.KeyHash) {
	if u.has(hash) {
		u.wanted = append(u.wanted, uint32(hash>>(64-binBits)))
	}
}

// Bins are read by several goroutines where there are so many that it pays, and as many at once as take some megabytes.
const binsAtOnce = 256

// readWanted reads what is wanted.
func (u *unread) readWanted() {
	if u == nil || len(u.wanted) == 0 {
		return
	}
	slices.Sort(u.wanted)
	for list := range slices.Chunk(slices.Compact(u.wanted), binsAtOnce) {
		rows := make([]binRows, len(list))
		n := max(1, min(readers, len(list)/fewReads))
		errs := make([]error, n)
		var wg sync.WaitGroup
		for r := range n {
			read := func() {
				for j := r * len(list) / n; j < (r+1)*len(list)/n && errs[r] == nil; j++ {
					errs[r] = u.readBin(list[j], &rows[j])
				}
			}
			if r == n-1 {
				read()
			} else {
				wg.Go(read)
			}
		}
		wg.Wait()
		for _, err := range errs {
			failOn(err)
		}
		for j := range rows {
			rows[j].each(func(key, row []byte) { failOn(u.place(key, row, false)) })
			u.done(list[j], list[j]+1)
		}
	}
	u.wanted = u.wanted[:0]
}

// binRows are the rows of a bin, as the store had them.
type binRows struct {
	buf  []byte
	ends []int // of each key and each row, in turn
}

func (b *binRows) each(f func(key, row []byte)) {
	from := 0
	for i := 0; i < len(b.ends); i += 2 {
		key, end := b.ends[i], b.ends[i+1]
		f(b.buf[from:key], b.buf[key:end])
		from = end
	}
}

func (u *unread) readBin(bin uint32, rows *binRows) error {
	return u.scan(bin, bin, func(key, row []byte) error {
		rows.buf = append(rows.buf, key...)
		rows.ends = append(rows.ends, len(rows.buf))
		rows.buf = append(rows.buf, row...)
		rows.ends = append(rows.ends, len(rows.buf))
		return nil
	})
}

// scan calls f for the rows of some bins that lie beside each other.
func (u *unread) scan(first, last uint32, f func(key, row []byte) error) error {
	const shift = 8*hashBytes - binBits
	from := binary.BigEndian.AppendUint32(slices.Clone(u.prefix), first<<shift)
	to := prefixEnd(binary.BigEndian.AppendUint32(slices.Clone(u.prefix), last<<shift|(1<<shift-1)))
	if err := u.shard.engine.unread.Scan(from, to, f); err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("read the rows per %s (table %c, from group %d on): %w", u.per, u.prefix[0], first/groupBins, err)
	}
	return nil
}

// place gives a row its place in memory.
func (u *unread) place(key, row []byte, step bool) error {
	text, err := u.textOf(row)
	if err != nil {
		return err
	}
	return u.take(nudge.HashKey(u.per, text), key, row, step)
}

// textOf is the text that a row is about. It lies in the row.
func (u *unread) textOf(row []byte) (string, error) {
	if u.prefix[0] != tableKeys {
		size := int(binary.LittleEndian.Uint16(row))
		return unsafe.String(unsafe.SliceData(row[2:]), size), nil
	}
	if !isRecord(row) {
		return "", fmt.Errorf("checkpoint: a key's record has layout %v, this build reads %d", row[:min(1, len(row))], layoutVersion)
	}
	_, text := identityOf(row)
	return unsafe.String(unsafe.SliceData(text), len(text)), nil
}

// done notes that bins from one to before another have been read.
func (u *unread) done(from, to uint32) {
	for ; from < to; from++ {
		bit := uint64(1) << (from % groupBins)
		if group := from / groupBins; u.bins[group]&bit != 0 {
			u.bins[group] &^= bit
			u.left--
		}
	}
}

// step reads on, about so many rows more, and returns how many of them are left.
func (u *unread) step(rows int) int {
	at := u.next
	enough := false
	failOn(u.scan(at, u.last, func(key, row []byte) error {
		bin := binary.BigEndian.Uint32(key[len(u.prefix):]) >> (8*hashBytes - binBits)
		if bin != at {
			u.done(at, bin)
			at = bin
			if enough = rows <= 0; enough {
				return errEnough
			}
		}
		rows--
		if u.bins[bin/groupBins]>>(bin%groupBins)&1 == 0 && !planted(bugBinTwice) {
			return nil
		}
		return u.place(key, row, true)
	}))
	if u.next = at; !enough {
		u.done(at, u.last+1)
	}
	return rows
}

// DefaultReadFirst is how many rows of each shard are read before a node is ready, which takes it some tenths of a second: a store that has no
// more is in memory then, and known to be whole.
const DefaultReadFirst = 1 << 17

// DefaultReadStep is how many rows of each shard are read between two batches.
const DefaultReadStep = 512

// readOn reads on, about so many rows more of every shard, and says whether there are others.
func (e *Engine) readOn(rows int) (more bool) {
	if e.unread == nil {
		return false
	}
	e.onEveryShard(smallBatch, func(s *shard) {
		if s.readDue(e.clock+dueSoon, max(rows/groupBins, 1)) {
			return
		}
		left := rows
		s.eachUnread(func(u *unread) {
			if left > 0 {
				left = u.step(left)
			}
		})
	})
	return !e.allRead()
}

// readAll reads whatever is still in the store alone.
func (e *Engine) readAll() {
	for e.readOn(allRows) {
	}
}

// allRows is more than there are.
const allRows = 1 << 40

// allRead says whether everything is in memory, and then lets go of what was to be noted meanwhile.
func (e *Engine) allRead() bool {
	if e.unread == nil {
		return true
	}
	if left, _ := e.binsLeft(); left > 0 {
		return false
	}
	for _, s := range e.shards {
		s.visitorsUnread, s.usersUnread, s.dues = nil, nil, nil
		for l := range s.tables {
			s.tables[l].unread = nil
		}
	}
	e.unread = nil
	return true
}

// binsLeft is how many bins are in the store alone, and of how many.
func (e *Engine) binsLeft() (left, of int) {
	if e.unread == nil {
		return 0, 0
	}
	for _, s := range e.shards {
		s.eachUnread(func(u *unread) { left += u.left })
	}
	return left, (len(e.dict.scopes) + 2) << binBits
}

// readBinOf reads the bin that a key stands in, if it is still in the store.
func (t *table) readBinOf(hash nudge.KeyHash, scope uint16) {
	if int(scope) < len(t.unread) {
		t.unread[scope].need(hash)
	}
}

func (t *table) wantBinOf(hash nudge.KeyHash, scope uint16) {
	if int(scope) < len(t.unread) {
		t.unread[scope].want(hash)
	}
}

func (t *table) readWantedBins() {
	for _, u := range t.unread {
		u.readWanted()
	}
}

// readWhoIsWho reads the identities of the visitors of a batch's records.
func (s *shard) readWhoIsWho(b *Batch, list []int32) {
	if s.visitorsUnread == nil {
		return
	}
	for _, i := range list {
		s.visitorsUnread.want(b.records[i].rec.Hash())
	}
	s.visitorsUnread.readWanted()
}

// readUsers reads the identities of the users of some of a batch's records.
func (s *shard) readUsers(b *Batch, list []int32) {
	if s.usersUnread == nil {
		return
	}
	for _, i := range list {
		s.usersUnread.want(b.abouts[i].userHash)
	}
	s.usersUnread.readWanted()
}

// visitorOf and userOf are identities that nobody changes now, nil where nothing is remembered. Of a bin that is in the store alone they are read
// for the caller only.
func (s *shard) visitorOf(text string) *visitorIdentity {
	hash := nudge.HashKey(scopeVisitor, text)
	if s.visitorsUnread.has(hash) && !planted(bugKnownLate) {
		if row := s.identityRow(identityKey(tableVisitors, scopeVisitor, text)); row != nil {
			_, v := readVisitor(row)
			return v
		}
		return nil
	}
	return s.visitors.get(hash, text)
}

func (s *shard) userOf(text string) *userIdentity {
	hash := nudge.HashKey(scopeUser, text)
	if s.usersUnread.has(hash) && !planted(bugKnownLate) {
		if row := s.identityRow(identityKey(tableUsers, scopeUser, text)); row != nil {
			_, u := readUser(row)
			return u
		}
		return nil
	}
	return s.users.get(hash, text)
}

func (s *shard) identityRow(key []byte) []byte {
	row, _, err := s.engine.unread.Get(key)
	if err != nil {
		failOn(fmt.Errorf("read who somebody is (table %c): %w", key[0], err))
	}
	return row
}

// levelOfNumber is the level of the keys of a scope's number.
func levelOfNumber(num uint16) int {
	if num < rules.ScopeCompany {
		return int(num)
	}
	return levels - 1
}
