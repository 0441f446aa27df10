package engine

import (
	"encoding/json"
	"fmt"

	"nudge"
)

// warmer reads the log back for the cold operators of an engine: it is an engine of its own over the same plan, in which only they
// listen and nothing fires. What it holds after the live record is what they would hold had they been there from the first record that it read: identities,
// de-duplication and lateness are settled again as they were then.
type warmer struct {
	engine *Engine
	live   liveRecord   // the record that it reads up to
	since  nudge.Millis // records stamped at or before this are outside all windows: they only say who is who
	batch  Batch
	events uint64
	done   bool // the live record has been read
	gone   gone // persons whose records are as good as voids

	from nudge.Millis // log time of the first record that it reads; noTime: it has read none
}

// aVoid is a void.
var aVoid = nudge.Record(nudge.AppendVoid(nil))

// liveRecord says which deployment's rules go live, and from where on the log was read for them.
type liveRecord struct {
	Deploy nudge.Offset `json:"deploy"`
	From   nudge.Offset `json:"from"`
}

// warmBatch is how many records are read back at once.
const warmBatch = 256

// newWarmer returns a warmer for what is cold in e, which reads the log from an offset on.
func newWarmer(e *Engine, from nudge.Offset) *warmer {
	o := e.options
	o.Shards, o.Observe = len(e.shards), nil // its decisions are nobody's
	reader, err := New(o)
	if err != nil {
		panic(fmt.Sprintf("BUG: the options of a running engine: %v", err))
	}
	reader.serial, reader.program, reader.next = true, e.program.reading(), from
	reader.adopt(e.settings)
	for _, s := range reader.shards {
		s.use(reader.program)
		for l := range s.tables {
			s.tables[l].live, s.tables[l].unsaved = reader.program.live, true
		}
	}
	return &warmer{engine: reader, live: liveRecord{e.deployed, from}, since: expiredAt(e.clock, reader.program.reach()), from: noTime}
}

// seed tells the warmer who was who before the first record that it reads, where the log no longer holds the beginning. A checkpoint
// knows the last values of each history: enough unless more than three came since.
func (w *warmer) seed(st Store) error {
	if w.live.From <= 1 {
		return nil
	}
	if err := w.engine.restoreIdentities(st); err != nil {
		return err
	}
	for _, s := range w.engine.shards {
		s.forgetSince(w.live.From)
	}
	return nil
}

// forgetSince leaves in the identities what stood before an offset.
//
//nudge:unordered each identity by itself
func (s *shard) forgetSince(off nudge.Offset) {
	for _, v := range s.visitors.all() {
		v.user.forgetSince(off)
		v.company.forgetSince(off)
	}
	for _, u := range s.users.all() {
		u.company.forgetSince(off)
		u.visitor.forgetSince(off)
	}
}

func (h *history) forgetSince(off nudge.Offset) {
	for h.newest.text != "" && h.newest.from >= off {
		h.newest, h.hash = binding{}, 0
		if n := len(h.others()); n > 0 {
			h.newest, h.older.kept = h.older.kept[n-1], h.older.kept[:n-1]
		}
	}
}

// take reads an entry, a few records at a time; after each few it calls between, whose error ends it. It stops at the live record.
func (w *warmer) take(entry nudge.Entry, between func() error) error {
	if w.from == noTime {
		w.from = entry.At
	}
	off, rest := entry.First, entry.Records
	for left := entry.Count; left > 0 && !w.done; {
		w.batch.Reset()
		var rec nudge.Record
		for n := min(left, warmBatch); n > 0; n-- {
			if len(rest) == 0 {
				return fmt.Errorf("the log's entry at offset %d has fewer records than it says", entry.First)
			}
			if rec, rest = nudge.SplitRecord(rest); w.gone.has(off, rec) {
				rec = aVoid
			}
			w.batch.Add(off, entry.At, rec)
			off++
			left--
		}
		if err := w.apply(rec); err != nil {
			return fmt.Errorf("offset %d: %w", off-1, err)
		}
		if err := between(); err != nil {
			return err
		}
	}
	return nil
}

// apply applies the batch; last is its last record. Deployments and live records stand alone in their entries.
func (w *warmer) apply(last nudge.Record) error {
	before := w.engine.ordinal
	if w.batch.until <= w.since || planted(bugWarmsShort) && w.batch.first() == w.live.Deploy+1 {
		w.engine.identify(&w.batch)
		w.engine.passed(&w.batch)
	} else {
		w.engine.Apply(&w.batch)
	}
	w.events += w.engine.ordinal - before
	switch last.Kind() {
	case nudge.RecordErase:
		_, err := w.engine.erase(last, "")
		return err
	case nudge.RecordDeploy:
		settings, err := readSettings(last.Field(nudge.NameSettings).Text)
		if err != nil {
			return err
		}
		w.engine.use(settings)
	case nudge.RecordLive:
		live, err := readLive(last)
		if err != nil {
			return err
		}
		w.done = live.Deploy == w.live.Deploy
	}
	return nil
}

// record makes the live record.
func (l liveRecord) record() []byte {
	var b nudge.RecordBuilder
	b.Begin(nudge.RecordLive, nudge.NameNone)
	b.Text(nudge.NameSettings, string(mustJSON(l)))
	b.End(0)
	return b.Buf
}

func readLive(rec nudge.Record) (l liveRecord, err error) {
	if err := json.Unmarshal([]byte(rec.Field(nudge.NameSettings).Text), &l); err != nil {
		return l, fmt.Errorf("a live record: %w", err)
	}
	return l, nil
}

// goLive makes the warming rules live, with what was read back for them up to this record.
func (e *Engine) goLive(w *warmer) {
	if w.engine.next != e.next {
		panic(fmt.Sprintf("BUG: the log was read back to offset %d, but the rules go live at %d", w.engine.next, e.next))
	}
	var unite uniter
	from := noTime
	if w.live.From > 1 {
		unite, from = e.program.uniter(), w.from
	}
	e.release(from)
	for i, s := range e.shards {
		for l := range s.tables {
			s.tables[l].takeFrom(&w.engine.shards[i].tables[l], unite)
		}
	}
}

// release makes the running program one in which nothing is cold any more.
func (e *Engine) release(from nudge.Millis) {
	e.program.release(from)
	for _, s := range e.shards {
		s.use(e.program)
	}
}

// cold says whether rules are warming.
func (e *Engine) cold() bool { return len(e.dict.cold) > 0 }
