package engine

import (
	"sync"

	"nudge"
	"nudge/rules"
)

// With a memory budget the rows of the visitors that a batch is about are read early: while the batch before it is applied, when the processor's cores
// and the disk have time left. That changes no answer: who is away is found out when reading begins, and again when the rows are taken.
//
// A row that was read early is the record of a key that is away now, if no checkpoint was committed in between: a row changes by a commit alone, and a
// key that changed cannot leave before the commit that holds it. Where one was, the rows are read again. A key that has come back meanwhile has no
// use for its row, and one that has left since it was looked for is brought back by whoever looks for it.

// early are the rows of a shard's visitors that a batch is about.
type early struct {
	first   nudge.Offset // of the batch whose rows are being read; 0: none are
	taken   nudge.Offset // of the batch whose visitors are all in memory
	records []nudge.Record
	list    []wanted
	commits uint64 // of checkpoints, when reading began
	reading sync.WaitGroup
	failed  [readers]error
}

// readEarly begins to read what a batch will need, and returns at once. It is called before the batch ahead of that one is applied, with a record at least.
func (e *Engine) readEarly(entry nudge.Entry) {
	if e.shelf == nil {
		return
	}
	for _, s := range e.shards {
		s.early.records = s.early.records[:0]
	}
	var rec nudge.Record
	for rest := entry.Records; len(rest) > 0; {
		rec, rest = nudge.SplitRecord(rest)
		if rec.Kind() == nudge.RecordEvent {
			s := e.shards[rec.Hash().Shard(len(e.shards))]
			s.early.records = append(s.early.records, rec)
		}
	}
	e.onEveryShard(entry.Count, func(s *shard) {
		s.takeEarly()
		s.readEarly(entry.First)
	})
}

// readEarly begins to read the rows of the visitors that are away and that the shard's records are about, those of duplicates too: which they are is not known yet.
func (s *shard) readEarly(first nudge.Offset) {
	x, t := &s.early, &s.tables[0]
	for left := x.records; len(left) > 0; {
		block := left[:min(len(left), lookAhead)]
		left = left[len(block):]
		for i, rec := range block {
			s.queries[i] = query{hash: rec.Hash(), scope: rules.ScopeVisitor, key: rec.Field(nudge.NameVisitor).Text}
		}
		t.want(s.queries[:len(block)])
	}
	clear(x.records)
	x.list, t.wanted = t.takeWanted(), x.list[:0]
	x.first, x.commits = first, t.shelf.commits
	clear(x.failed[:])
	t.shelf.load(x.list, &x.reading, &x.failed)
}

// takeEarly gives visitors that are still away the rows that were read early.
func (s *shard) takeEarly() {
	x, t := &s.early, &s.tables[0]
	if x.first == 0 {
		return
	}
	began := t.shelf.now()
	x.reading.Wait()
	t.shelf.waitedSince(began)
	if x.failed == [readers]error{} && (x.commits == t.shelf.commits || planted(bugStaleEarly)) {
		t.shelf.early.Add(uint64(t.fillAll(x.list)))
		x.taken = x.first
	}
	clear(x.list) // rows are large, and may be those of somebody who is erased
	x.first = 0
}

// tookEarly says whether the visitors of a batch came back early. Where reading failed or was in vain they did not, and are looked for now.
func (s *shard) tookEarly(b *Batch) bool {
	if s.early.first == b.first() { // it may be that of the next batch
		s.takeEarly()
	}
	return s.early.taken == b.first()
}

// finishEarly waits until nobody reads any more.
func (e *Engine) finishEarly() {
	for _, s := range e.shards {
		s.early.reading.Wait()
	}
}
