package engine

import "nudge"

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
		d.index.remove(e.fingerprint, d.queue.head)
		d.queue.drop()
	}
}

// unsaved calls fn with the ids that no checkpoint holds yet, and counts them as saved.
func (d *dedup) unsaved(fn func(dedupEntry)) {
	for n := max(d.fresh, d.queue.head); n < d.queue.tail; n = d.queue.after(n) {
		fn(d.queue.at(n))
	}
	d.fresh = d.queue.tail
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
