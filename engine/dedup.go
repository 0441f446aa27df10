package engine

import "nudge"

// dedupAge bounds how long an id is remembered: the applied event must have been stamped less than 24 hours ago.
const dedupAge = nudge.Millis(24 * 60 * 60 * 1000)

// dedup remembers the ids that one shard applied, as 64-bit fingerprints of primary key and id: among 8 Mi of them, one event in
// two trillion is taken for another's.
type dedup struct {
	window uint64 // events
	seenAt map[uint64]dedupMark
	queue  []dedupEntry // in stamp order, from head on
	head   int
	fresh  int // queue entries from here on are not in a checkpoint yet
}

type dedupMark struct {
	ordinal uint64 // of the applied event, among all event records
	at      nudge.Millis
}

type dedupEntry struct {
	fingerprint uint64
	group       uint16
	dedupMark
}

func newDedup() dedup { return dedup{seenAt: make(map[uint64]dedupMark)} }

// seen says whether the id was applied within the window; if not, it is noted as applied now.
func (d *dedup) seen(primary nudge.KeyHash, id string, ordinal uint64, at nudge.Millis) bool {
	d.expire(ordinal, at)
	f := nudge.HashID(primary, id)
	if _, ok := d.seenAt[f]; ok {
		return true
	}
	d.add(dedupEntry{f, uint16(primary.Group()), dedupMark{ordinal, at}})
	return false
}

func (d *dedup) add(e dedupEntry) {
	d.seenAt[e.fingerprint] = e.dedupMark
	d.queue = append(d.queue, e)
}

// expire forgets what has left the window.
func (d *dedup) expire(ordinal uint64, at nudge.Millis) {
	for d.head < len(d.queue) {
		e := &d.queue[d.head]
		newer := ordinal - e.ordinal
		if planted(bugDedupShard) {
			newer = uint64(len(d.queue) - d.head)
		}
		if newer < d.window && at-e.at < dedupAge {
			break
		}
		if d.seenAt[e.fingerprint] == e.dedupMark { // not when the id was applied again since
			delete(d.seenAt, e.fingerprint)
		}
		d.head++
	}
	if d.head > 4096 && d.head > len(d.queue)/2 {
		n := copy(d.queue, d.queue[d.head:])
		d.queue = d.queue[:n]
		d.fresh = max(d.fresh-d.head, 0)
		d.head = 0
	}
}
