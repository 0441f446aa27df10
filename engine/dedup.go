package engine

import (
	"encoding/binary"

	"nudge"
)

// dedupAge bounds how long an id is remembered: the applied event must have been stamped less than 24 hours ago.
const dedupAge = nudge.Millis(24 * 60 * 60 * 1000)

// DedupBytesMost is about what an id takes in memory at most, whatever its length: its fingerprint, its place in the order, and its slot in the index.
const DedupBytesMost = 30

// dedup remembers the ids that one shard applied, as 64-bit fingerprints of primary key and id: among 8 Mi of them, one event in
// two trillion is taken for another's.
type dedup struct {
	window uint64 // events
	queue  dedupQueue
	index  dedupIndex
	fresh  uint64 // entries from this number on are not in a checkpoint yet
	frozen uint64 // those of them before this number are of the one that is being written
	rows   []row  // of that one
}

// dedupEntry is an id that was applied.
type dedupEntry struct {
	fingerprint uint64
	group       uint16
	ordinal     uint64 // of the applied event, among all event records
	at          nudge.Millis
}

// seen says whether the id was applied within the window; if not, it is noted as applied now. fingerprint is nudge.HashID of primary and id.
func (d *dedup) seen(primary nudge.KeyHash, fingerprint, ordinal uint64, at nudge.Millis) bool {
	d.expire(ordinal, at)
	if d.index.has(fingerprint, &d.queue) {
		return true
	}
	d.add(dedupEntry{fingerprint, uint16(primary.Group()), ordinal, at})
	return false
}

// near meets the memory in which an id is looked for, and that of the n-th oldest one, which may have to go for it (ahead.go).
func (d *dedup) near(fingerprint uint64, n int) int {
	sum := d.index.near(fingerprint)
	if d.queue.len() > n {
		sum += d.index.near(d.queue.fingerprint(d.queue.nth(n)))
	}
	return sum
}

// setWindow makes the window as many events long. Where its numbers need more room in the index, that is made anew.
func (d *dedup) setWindow(events uint64) {
	d.window = events
	if d.index.low == 0 || lowFor(events) <= d.index.low {
		return
	}
	d.index = dedupIndex{low: lowFor(events)}
	d.index.reserve(d.queue.len())
	for n := d.queue.head; n < d.queue.tail; n = d.queue.after(n) {
		d.index.add(d.queue.fingerprint(n), n, events, &d.queue)
	}
}

// add notes an id that is not remembered, behind all others.
func (d *dedup) add(e dedupEntry) {
	d.index.add(e.fingerprint, d.queue.add(e), d.window, &d.queue)
}

// expire forgets what has left the window.
func (d *dedup) expire(ordinal uint64, at nudge.Millis) {
	for !d.queue.empty() {
		e := d.queue.at(d.queue.head)
		newer := ordinal - e.ordinal
		if planted(bugDedupShard) {
			newer = uint64(d.queue.len())
		}
		if newer < d.window && at-e.at < dedupAge {
			return
		}
		if d.queue.head == d.fresh && d.fresh < d.frozen {
			d.serialise(1)
		}
		d.index.remove(e.fingerprint, d.queue.head)
		d.queue.drop()
	}
}

// freeze makes the ids that no checkpoint holds yet the ones to be serialised.
func (d *dedup) freeze() {
	d.fresh, d.frozen = d.queue.from(max(d.fresh, d.queue.head)), d.queue.tail
}

// serialise goes on with up to n frozen ids, and says whether all are done.
func (d *dedup) serialise(n int) (done bool) {
	for ; n > 0 && d.fresh < d.frozen; n-- {
		last := len(d.rows) - 1
		if last < 0 || len(d.rows[last].value) == cap(d.rows[last].value) {
			d.rows = append(d.rows, row{value: make([]byte, 0, min(d.frozen-d.fresh, dedupRow)*dedupEntryBytes)})
			last++
		}
		d.rows[last].value = d.queue.at(d.fresh).append(d.rows[last].value)
		d.fresh = d.queue.after(d.fresh)
	}
	return d.fresh >= d.frozen
}

// take hands over the rows of the frozen ids. A row's key is of its newest id, and of the shard.
func (d *dedup) take(shard nudge.ShardID) []row {
	rows := d.rows
	d.rows = nil
	for i := range rows {
		newest := binary.LittleEndian.Uint64(rows[i].value[len(rows[i].value)-dedupEntryBytes+dedupOrdinal:])
		rows[i].key = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64([]byte{tableDedup}, newest), uint16(shard))
	}
	return rows
}

const (
	dedupRow        = 1 << 14 // ids in one row at most
	dedupEntryBytes = 26
	dedupOrdinal    = 10 // where the ordinal stands in them
	dedupStep       = 16 // ids that a step serialises for each key that it may: copying one takes as long as a dozen of them
)

func (e dedupEntry) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, e.fingerprint)
	dst = binary.LittleEndian.AppendUint16(dst, e.group)
	dst = binary.LittleEndian.AppendUint64(dst, e.ordinal)
	return binary.LittleEndian.AppendUint64(dst, uint64(e.at))
}

// dedupReach is how many ids are remembered, and the age of the oldest: an event that is sent again within that time is recognised.
func (e *Engine) dedupReach() (ids int, age nudge.Millis) {
	for _, s := range e.shards {
		d := &s.dedup
		d.expire(e.ordinal, e.clock)
		if ids += d.queue.len(); !d.queue.empty() {
			age = max(age, e.clock-d.queue.at(d.queue.head).at)
		}
	}
	return ids, age
}
