package engine

import (
	"slices"
	"sort"

	"nudge"
	"nudge/rules"
)

// Batch is what Apply takes at once: stamped records in order. Where it ends changes no answer (I2). It is reused: Reset keeps
// its memory.
type Batch struct {
	records []stamped
	rows    []rules.Row
	abouts  []about
	met     []*met       // per record: what it means to each scope
	until   nudge.Millis // the clock at the batch's end
	lists   [][]int32    // per shard: its records of level 0
}

type stamped struct {
	rec     nudge.Record
	off     nudge.Offset
	at      nudge.Millis
	ordinal uint64

	duplicate bool // an event with this id was there before: it means nothing
}

// Reset empties the batch.
func (b *Batch) Reset() {
	b.records = b.records[:0]
	b.until = 0
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.records) }

// Add appends a record with its offset and log time; neither may go back. The record's bytes must stay as they are until Apply returns.
func (b *Batch) Add(off nudge.Offset, at nudge.Millis, rec nudge.Record) {
	b.records = append(b.records, stamped{})
	r := &b.records[len(b.records)-1] // field by field, see takeRecord
	r.rec, r.off, r.at = rec, off, at
	b.until = at
}

// eachPart calls f for parts of up to n records, each as a batch of its own.
func (b *Batch) eachPart(n int, f func(*Batch)) {
	all := b.records
	for part := range slices.Chunk(all, max(n, 1)) {
		b.records, b.until = part, part[len(part)-1].at
		f(b)
	}
	b.records = all
}

func (b *Batch) first() nudge.Offset { return b.records[0].off }

// offsetAt is the offset of the first record stamped at or after an instant: the one that makes a timer of that instant run.
func (b *Batch) offsetAt(t nudge.Millis) nudge.Offset {
	i := sort.Search(len(b.records), func(i int) bool { return b.records[i].at >= t })
	return b.records[i].off
}

// split prepares the batch for a number of shards and numbers its events.
func (b *Batch) split(shards int, ordinal uint64) uint64 {
	n := len(b.records)
	for len(b.rows) < n {
		b.rows = append(b.rows, rules.Row{})
		b.met = append(b.met, nil)
	}
	if cap(b.abouts) < n {
		b.abouts = make([]about, n, n+n/2)
	}
	b.abouts = b.abouts[:n] // those of events are written when they are read
	for len(b.lists) < shards {
		b.lists = append(b.lists, nil)
	}
	for i := range b.lists {
		b.lists[i] = b.lists[i][:0]
	}
	for i := range b.records {
		r := &b.records[i]
		kind := r.rec.Kind()
		if kind != nudge.RecordEvent {
			b.abouts[i] = about{}
			if kind == nudge.RecordVoid {
				ordinal++ // it was an event, and counts as one of those within which ids are told apart
			}
			continue
		}
		r.ordinal = ordinal
		ordinal++
		list := &b.lists[r.rec.Hash().Shard(shards)]
		*list = append(*list, int32(i))
	}
	return ordinal
}
