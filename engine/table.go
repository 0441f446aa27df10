package engine

import (
	"math"
	"unsafe"

	"nudge"
)

// never is the due time of a key without timers.
const never = nudge.Millis(math.MaxInt64)

// table holds the keys of one shard on one level: an index from hash to entry, and one flat record per key in slabs that the garbage
// collector does not look into.
type table struct {
	index   keyIndex
	entries []*entryChunk // so that growing moves nothing
	count   uint32        // entries
	slabs   slabs
	timers  timerHeap
	warmed  *table     // what was read back for cold operators and is still to be taken over; nil: nothing
	taken   uint32     // entries of warmed that were looked at
	unite   uniter     // where the log could not be read from its beginning
	live    []bool     // numbers of the slots that the running rules use; nil: all
	unsaved bool       // no checkpoint ever takes it, so nothing is noted for one
	round   entryMarks // number of the last checkpoint that began
	turned  entryMarks // bothChanged where markDirty is the second mark, else 0
	away    int        // keys whose records are in the store alone
	shelf   *shelf     // where their rows are; nil: all records stay in memory
	wanted  []wanted   // records that are to come back together
	unread  []*unread  // by scope's number, keys that are in the store alone; nil: none
	hints   *hintMaker // of the checkpoint that is being written, nil: none is
	writing bool       // that checkpoint is not committed yet
	dirty   []uint32   // entries changed since the last checkpoint began

	dirtyBytes int // of their records when they were first changed

	focus focus
	read  byte // keeps what readAhead reads from being left out

	gone    []uint32 // entries of removed keys, to be given to new ones
	removed [][]byte // rows of keys that were removed since the last checkpoint began

	frozen     []uint32 // entries of the checkpoint being written
	done       int      // of frozen
	serialised [][]row  // in pages of rowsPage

	slots         []slotCopy // scratch of grow
	value, values []byte     // scratch of keepValue
}

// entry is what is looked at most of a key: 32 bytes without pointers, half a line of the processor's cache.
type entry struct {
	hash  nudge.KeyHash
	ref   slabRef      // where the record lies; of a key that is away, where its row stands (away.go)
	due   nudge.Millis // earliest timer, never if none
	used  uint32       // length of the record
	scope uint16       // number
	marks entryMarks
}

// entryChunk is some entries, and what is looked at of them where timers are set alone.
type entryChunk struct {
	entries [chunkEntries]entry
	armed   [chunkEntries]nudge.Millis // earliest due of the key that stands in the heap, never if none does
}

// entryMarks say how a key stands to checkpoints and to the memory budget. The bits from markRound on are the number of the checkpoint that took it last.
//
// Of the first two one says that the key has changed since the last checkpoint began, the other one that the checkpoint that is being written has still to
// serialise it. Which is which changes when one begins: so all that was changed is frozen at once, and no entry has to be looked at.
type entryMarks uint8

const (
	markChanged entryMarks = 1 << 0
	bothChanged entryMarks = 1<<0 | 1<<1
	markMet     entryMarks = 1 << 2 // looked for since the sweep came by
	markRound   entryMarks = 1 << 3

	rounds = 1<<8/int(markRound) - 1 // checkpoints are numbered 1 to rounds, again and again; 0: none took it
)

const (
	noEntry      = math.MaxUint32
	chunkEntries = 1024
)

// entry returns an entry by its number. It stays where it is.
func (t *table) entry(i uint32) *entry {
	return &t.entries[i/chunkEntries].entries[i%chunkEntries]
}

func (t *table) armed(i uint32) *nudge.Millis {
	return &t.entries[i/chunkEntries].armed[i%chunkEntries]
}

// find returns the number of a key's entry, noEntry if it has none. Its record is there then, until the batch's end.
func (t *table) find(hash nudge.KeyHash, scope uint16, key string) uint32 {
	if t.warmed != nil {
		t.takeOverKey(hash, scope, key)
	}
	return t.lookup(hash, scope, key)
}

func (t *table) lookup(hash nudge.KeyHash, scope uint16, key string) uint32 {
	if t.unread != nil {
		t.readBinOf(hash, scope)
	}
	part := t.index.part(hash)
	if len(part.slots) == 0 {
		return noEntry
	}
	for pos := part.home(hash); ; pos = part.after(pos) {
		slot := part.slots[pos]
		if slot == 0 {
			return noEntry
		}
		i := slot - 1
		if e := t.entry(i); e.hash == hash {
			if e.ref.away() {
				t.recall(i)
			}
			if s, k := t.identity(i); s == scope && string(k) == key {
				return i
			}
		}
	}
}

// add makes an entry with no slots.
func (t *table) add(hash nudge.KeyHash, scope uint16, key string) uint32 {
	return t.addWith(hash, scope, key, nil)
}

// addWith makes an entry with slots, ascending by number.
func (t *table) addWith(hash nudge.KeyHash, scope uint16, key string, slots []slotCopy) uint32 {
	s := shapeOf(len(key), slots)
	i := t.addEntry(hash, scope, s.length)
	t.entry(i).marks = markMet
	s.write(t.record(i), scope, unsafe.Slice(unsafe.StringData(key), len(key)), slots)
	return i
}

// load makes an entry of a stored record.
func (t *table) load(hash nudge.KeyHash, rec []byte) uint32 {
	i := t.addEntry(hash, scopeOf(rec), len(rec))
	copy(t.record(i), rec)
	return i
}

func (t *table) addEntry(hash nudge.KeyHash, scope uint16, size int) uint32 {
	i := t.count
	if n := len(t.gone); n > 0 {
		i, t.gone = t.gone[n-1], t.gone[:n-1]
	} else if t.count++; int(i/chunkEntries) == len(t.entries) {
		t.entries = append(t.entries, new(entryChunk))
	}
	e := t.entry(i) // all of it, as it may have been another's; field by field, see takeRecord
	e.hash, e.ref, e.used, e.scope, e.due, e.marks = hash, t.slabs.alloc(size), uint32(size), scope, never, 0
	*t.armed(i) = never
	t.index.add(t, hash, i)
	return i
}

// remove forgets a key, and lets the next checkpoint delete its row. What the heap holds of its timers is found to be nothing.
func (t *table) remove(i uint32) {
	t.touch(i) // first of all for a checkpoint that still has to serialise it
	t.focus.unfocus()
	e := t.entry(i)
	t.noteDue(e)
	if !t.unsaved {
		t.removed = append(t.removed, t.rowKey(i))
	}
	t.index.remove(t, e.hash, i)
	t.slabs.free(e.ref)
	*e, *t.armed(i) = entry{due: never}, never
	t.gone = append(t.gone, i)
}

// removedAt says whether an entry's key was removed: a record has a header at least.
func (t *table) removedAt(i uint32) bool { return t.entry(i).used == 0 }

// clear forgets all keys, and keeps the memory of the entries.
func (t *table) clear() {
	*t = table{entries: t.entries}
}

// record is the key's bytes, which must not be away. They move when a slot grows.
func (t *table) record(i uint32) []byte {
	e := t.entry(i)
	return t.slabs.bytes(e.ref, int(e.used))
}

func (t *table) identity(i uint32) (scope uint16, key []byte) { return identityOf(t.record(i)) }

// slot returns the bytes of an operator's slot, nil if the key has none.
func (t *table) slot(i uint32, num uint32) []byte {
	if t.focus.entry == i+1 {
		return t.focus.slot(num)
	}
	return t.slotOf(i, num)
}

// slotOf is slot of a key that is not in focus.
func (t *table) slotOf(i, num uint32) []byte {
	if i == noEntry {
		return nil
	}
	d := directoryOf(t.record(i))
	return d.find(num)
}

// grow gives the key's slot size bytes: what it held stays, what is new is zero. The record is rewritten, so earlier views of it
// are void; slots that no rule uses any more are left out.
func (t *table) grow(i uint32, num uint32, size int) []byte {
	if !t.widen(i, num, size) {
		t.growAnew(i, num, size)
	}
	return t.slot(i, num)
}

// growAnew is grow for all cases.
func (t *table) growAnew(i, num uint32, size int) {
	d := directoryOf(t.record(i))
	t.slots = append(t.slots[:0], slotCopy{num: num, size: size})
	for j := range d.len() {
		m, slot := d.slot(j)
		if m == num {
			t.slots[0].old = slot
		} else if t.isLive(m) {
			t.slots = appendSlot(t.slots, m, len(slot), slot)
		}
	}
	for j := 0; j+1 < len(t.slots) && t.slots[j].num > t.slots[j+1].num; j++ {
		t.slots[j], t.slots[j+1] = t.slots[j+1], t.slots[j]
	}
	t.rewrite(i)
}

// addSlots gives the key slots, and more bytes to those that it has, ascending by number: what they held stays, what is new in them is zero, and of a new
// one old, then zeros. It spares rewriting the record for each. Slots that no rule uses any more are left out.
func (t *table) addSlots(i uint32, added []slotCopy) {
	d := directoryOf(t.record(i))
	t.slots = t.slots[:0]
	for j := range d.len() {
		num, slot := d.slot(j)
		for len(added) > 0 && added[0].num < num {
			t.slots, added = append(t.slots, added[0]), added[1:]
		}
		size := len(slot)
		if len(added) > 0 && added[0].num == num {
			size, added = added[0].size, added[1:]
		}
		if t.isLive(num) {
			t.slots = appendSlot(t.slots, num, size, slot)
		}
	}
	t.slots = append(t.slots, added...)
	t.rewrite(i)
}

// isLive says whether the running rules use slots with a number.
func (t *table) isLive(num uint32) bool {
	return t.live == nil || int(num) < len(t.live) && t.live[num]
}

// strip takes slots out of a key.
func (t *table) strip(i uint32, goes func(num uint32) bool) {
	d := directoryOf(t.record(i))
	t.slots = t.slots[:0]
	for j := range d.len() {
		if num, slot := d.slot(j); !goes(num) {
			t.slots = appendSlot(t.slots, num, len(slot), slot)
		}
	}
	t.rewrite(i)
}

// rewrite gives the key the slots that t.slots lists, ascending by number.
func (t *table) rewrite(i uint32) {
	scope, text := t.identity(i)
	s := shapeOf(len(text), t.slots)
	ref := t.slabs.alloc(s.length)
	s.write(t.slabs.bytes(ref, s.length), scope, text, t.slots)
	t.replace(i, ref, s.length)
}

// replace makes a range the key's record, in place of the one that it has.
func (t *table) replace(i uint32, ref slabRef, size int) {
	e := t.entry(i)
	if ref != e.ref {
		t.slabs.free(e.ref)
	}
	e.ref, e.used = ref, uint32(size)
	if t.focus.entry == i+1 {
		t.focus.unfocus()
		t.notePlaces(i)
	}
}

// markDirty is the mark of the keys that changed since the last checkpoint began, markFrozen that of those that are still to be serialised.
func (t *table) markDirty() entryMarks  { return markChanged ^ t.turned }
func (t *table) markFrozen() entryMarks { return bothChanged ^ markChanged ^ t.turned }

// touch notes that the key is about to change. If a checkpoint still has to serialise it, that is done first (I3).
func (t *table) touch(i uint32) {
	e := t.entry(i)
	if e.marks&t.markFrozen() != 0 && !planted(bugLateKey) {
		t.serialiseKey(i)
	}
	if e.marks&t.markDirty() != 0 {
		return
	}
	e.marks |= t.markDirty()
	if !t.unsaved {
		t.dirty = append(t.dirty, i)
		t.dirtyBytes += int(e.used)
	}
}

// arm sets the key's earliest timer. At most one live entry per key stands in the heap: a later due is found when the earlier one
// comes up.
func (t *table) arm(i uint32, due nudge.Millis) {
	e := t.entry(i)
	t.noteDue(e)
	e.due = due
	if armed := t.armed(i); due < *armed {
		*armed = due
		t.timers.push(due, i)
	}
}

// nextDue is the earliest due time on the table, never if there is none. Entries that were re-armed later are moved on the way.
func (t *table) nextDue() nudge.Millis {
	behind := never
	if t.warmed != nil {
		behind = t.warmed.nextDue()
	}
	for len(t.timers) > 0 {
		top := t.timers[0]
		e, armed := t.entry(top.entry), t.armed(top.entry)
		if *armed == top.due && e.due == top.due {
			return min(top.due, behind)
		}
		t.timers.pop()
		if *armed == top.due {
			*armed = never
			t.arm(top.entry, e.due)
		}
	}
	return behind
}

// popDue takes the earliest timer that is due at or before until.
func (t *table) popDue(until nudge.Millis) (i uint32, due nudge.Millis, ok bool) {
	if t.warmed != nil {
		t.takeOverDue(until)
	}
	if len(t.timers) == 0 || t.timers[0].due > until { // an entry of the heap is never later than its key's timer
		return 0, 0, false
	}
	due = t.nextDue()
	if due == never || due > until {
		return 0, 0, false
	}
	i = t.timers.pop().entry
	e := t.entry(i)
	t.noteDue(e)
	e.due, *t.armed(i) = never, never
	if t.warmed != nil {
		if e.ref.away() {
			t.recall(i)
		}
		scope, key := t.identity(i)
		t.takeOverKey(e.hash, scope, string(key))
	}
	return i, due, true
}
