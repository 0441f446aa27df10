package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"nudge"
	"nudge/ingest"
	"nudge/internal/oracle"
	"nudge/rules"
)

// stream is a random or written stream, decoded once.
type stream struct {
	names   *nudge.Names
	plan    *rules.Plan
	options Options
	records []stamped
	hints   map[int]string      // of erase records, whom they name
	removed map[int]eraseCounts // by erase records, as they were applied first; nil: nobody compares
}

// generate makes random rules and a random stream: one seed in three over the windows and waits alone, one over the whole language, one
// over it with many visitors who are anonymous first. One in four has rules of unusual form. Every second seed erases people.
func generate(seed uint64, size int) (set []oracle.Rule, lines []string) {
	switch seed % 3 {
	case 0:
		set, lines = oracle.Generate(seed, size)
	case 1:
		set, lines = oracle.GenerateWith(seed, size, oracle.AllFeatures&^oracle.FeatureMerge)
	default:
		set, lines = oracle.GenerateWith(seed, size, oracle.AllFeatures)
	}
	if seed%4 == 3 {
		set, lines = oracle.GenerateWith(seed, size, oracle.AllFeatures|oracle.FeatureForms)
	}
	if seed%2 == 0 {
		set, lines = append(set, oracle.PersonRules(seed)...), oracle.WithErasures(seed, lines)
	}
	return set, lines
}

// newStream compiles the rules and decodes the lines as a replay does.
func newStream(t testing.TB, set []oracle.Rule, lines []string, o oracle.Options) *stream {
	t.Helper()
	names := nudge.NewNames()
	var sources []rules.Source
	for _, r := range set {
		sources = append(sources, rules.Source{File: r.ID + ".expr", Text: r.Text})
	}
	slices.SortFunc(sources, func(a, b rules.Source) int { return bytes.Compare([]byte(a.File), []byte(b.File)) })
	plan, diags := rules.Compile(sources, rules.Options{Names: names, Location: o.Location, MaxKept: o.MaxKept})
	if plan == nil {
		t.Fatalf("the rules do not compile: %v", diags.Err())
	}
	s := &stream{names: names, plan: plan, hints: map[int]string{}, removed: map[int]eraseCounts{}, options: Options{
		Names: names, Lateness: o.Lateness, DedupEvents: o.DedupEvents, Location: o.Location, Replay: true,
	}}
	codec := ingest.NewCodec(ingest.CodecOptions{Names: names})
	clock := nudge.Millis(-1 << 62)
	for i, line := range lines {
		var b nudge.RecordBuilder
		at, has, hint, err := specialLine(line, &b)
		if hint != "" {
			s.hints[i] = hint
		}
		if b.Buf == nil && err == nil {
			at, has, err = codec.ReplayEvent([]byte(line), &b)
		}
		if err != nil {
			t.Fatalf("line %d: %v: %s", i+1, err, line)
		}
		rec := nudge.Record(b.Buf)
		if ts, given := rec.Ts(); !has && given {
			at, has = ts, true
		}
		if has {
			clock = max(clock, at)
		}
		s.records = append(s.records, stamped{rec: rec, off: nudge.Offset(i + 1), at: clock})
	}
	return s
}

// spelledOut is the stream as a process has it that has no room for names of its own: the records hold them.
func (s *stream) spelledOut() *stream {
	out := *s
	out.records = slices.Clone(s.records)
	for i := range out.records {
		r := &out.records[i]
		if r.rec.Kind() == nudge.RecordEvent {
			r.rec = r.rec.AppendSpelled(nil, func(id nudge.NameID) string {
				if id < nudge.FirstFreeName {
					return ""
				}
				return s.names.Text(id)
			})
		}
	}
	return &out
}

// specialLine makes the record of a line that is no event: an erasure, or a void.
func specialLine(line string, b *nudge.RecordBuilder) (at nudge.Millis, has bool, whom string, err error) {
	var s struct {
		Erase, Key string
		Void       bool
		Ts, At     *nudge.Millis
	}
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		return 0, false, "", nil // an event in a form that is its reader's
	}
	switch {
	case s.Void:
		b.Buf = nudge.AppendVoid(nil)
	case s.Erase != "":
		b.Buf, err = newEraseRecord(s.Erase, s.Key)
	}
	if s.At == nil {
		s.At = s.Ts
	}
	if s.At == nil {
		return 0, false, s.Key, err
	}
	return *s.At, true, s.Key, err
}

// run is one way of taking the stream through an engine; none of it may change an answer.
type run struct {
	shards   int
	batch    int
	restarts []int             // before these records the engine is stopped and restored, with another number of shards
	crashes  []int             // before these records the engine is lost, and the next one begins where the last checkpoint that was committed ends
	slow     bool              // a checkpoint is taken in steps of one key, with batches between
	vanish   bool              // every key that is vacant vanishes behind each batch
	memory   int64             // budget in bytes; 0: none. A checkpoint in steps is what lets records leave
	early    bool              // the rows that a batch needs are read while the one before is applied
	gone     *uint64           // counts the keys that vanished
	read     int               // after a restart so many rows of each shard are read between batches; the others when they are needed
	seen     func(memoryStats) // is told what became of each engine
	unsorted bool
	parts    int // records of each shard that are applied at once; 0: as many as ever
	drain    bool
	until    nudge.Millis
}

func (r run) String() string {
	return fmt.Sprintf("shards=%d batch=%d restarts=%v crashes=%v slow=%v memory=%d early=%v read=%d vanish=%v",
		r.shards, r.batch, r.restarts, r.crashes, r.slow, r.memory, r.early, r.read, r.vanish)
}

// firings runs the stream and returns every firing, with its cursor.
func (s *stream) firings(t testing.TB, r run) []nudge.Firing {
	t.Helper()
	o := s.options
	o.Shards = r.shards
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.unsorted = r.unsorted
	if r.parts > 0 {
		e.part = r.parts
	}
	st := &memStore{rows: map[string][]byte{}, memory: r.memory}
	st.budget(e)
	e.Deploy(s.plan)
	var out []nudge.Firing
	var b Batch
	for i := 0; i < len(s.records); {
		if len(r.restarts) > 0 && i == r.restarts[0] {
			r.restarts = r.restarts[1:]
			r.tell(e)
			e = s.restart(t, e, st, 1+(r.shards+i)%9)
		}
		if len(r.crashes) > 0 && i >= r.crashes[0] {
			r.crashes = r.crashes[1:]
			r.tell(e)
			st.current = nil
			if e = s.restore(t, st, 1+(r.shards+i)%9, e); e.clock == 0 {
				e.Deploy(s.plan)
			}
			i = int(e.next) - 1
			out = slices.DeleteFunc(out, func(f nudge.Firing) bool { return f.Cursor.Offset >= e.next })
		}
		n := min(r.batch, len(s.records)-i)
		if len(r.restarts) > 0 {
			n = min(n, r.restarts[0]-i)
		}
		n = s.untilErase(i, n)
		b.Reset()
		for _, rec := range s.records[i : i+n] {
			b.Add(rec.off, rec.at, rec.rec)
		}
		if r.early {
			s.readEarly(e, i+n, r.batch)
		}
		out = append(out, e.Apply(&b)...)
		i += n
		s.eraseLast(t, e, i-1)
		if r.slow {
			s.checkpointStep(t, e, st, n)
		}
		if r.vanish {
			e.vanishAmong(1 << 20)
		}
		e.sweep(n)
		if r.read > 0 {
			e.readOn(r.read)
		}
	}
	if r.until > 0 {
		out = append(out, e.AdvanceTo(r.until)...)
	}
	if r.drain {
		out = append(out, e.Drain()...)
	}
	r.tell(e)
	return out
}

// readEarly reads what up to n records from i on need, all of it before anything else is done: then it is as old as it can be.
func (s *stream) readEarly(e *Engine, i, n int) {
	entry := nudge.Entry{First: nudge.Offset(i + 1)}
	for _, rec := range s.records[i:min(i+n, len(s.records))] {
		entry.Records, entry.Count = append(entry.Records, rec.rec...), entry.Count+1
	}
	e.readEarly(entry)
	e.finishEarly()
}

func (r run) tell(e *Engine) {
	if r.gone != nil {
		*r.gone += e.vanished()
	}
	if r.seen != nil {
		r.seen(e.memory())
	}
}

// untilErase is how many of n records from i on go into one batch: an erase record is the last of its.
func (s *stream) untilErase(i, n int) int {
	for j := range n {
		if s.records[i+j].rec.Kind() == nudge.RecordErase {
			return j + 1
		}
	}
	return n
}

// eraseLast applies the last record of a batch, if it erases. What its receipt counts is the same whichever way the stream is taken.
func (s *stream) eraseLast(t testing.TB, e *Engine, i int) {
	if s.records[i].rec.Kind() != nudge.RecordErase {
		return
	}
	x, err := e.erase(s.records[i].rec, s.hintOf(i, len(e.shards)))
	if err != nil {
		t.Fatal(err)
	}
	if was, again := s.removed[i]; again && was != x.counts && !e.unsorted {
		t.Fatalf("the erasure at %d removed %+v, and another time %+v", x.off, was, x.counts)
	}
	if s.removed != nil {
		s.removed[i] = x.counts
	}
}

// hintOf is the id that an erase record names, or not: it may make no difference.
func (s *stream) hintOf(i, shards int) string {
	if shards%2 == 0 {
		return ""
	}
	return s.hints[i]
}

// restart checkpoints the engine and restores it with another number of shards.
func (s *stream) restart(t testing.TB, e *Engine, st *memStore, shards int) *Engine {
	t.Helper()
	if st.current != nil {
		e.step(1 << 30)
		st.commit(st.current, e.takeRows())
		st.current = nil
	}
	st.checkpoint(e)
	return s.restore(t, st, shards, e)
}

// restore begins a new engine where a store's checkpoint ends.
func (s *stream) restore(t testing.TB, st *memStore, shards int, was *Engine) *Engine {
	t.Helper()
	o := s.options
	o.Shards = shards
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	n.warms, n.unsorted, n.part = was.warms, was.unsorted, was.part
	st.budget(n)
	if err := n.restore(st); err != nil {
		t.Fatal(err)
	}
	return n
}

// checkpointStep takes checkpoints slowly while batches go on, and proves each one: restored, it holds what was there when it began.
func (s *stream) checkpointStep(t testing.TB, e *Engine, st *memStore, records int) {
	t.Helper()
	if st.current == nil {
		st.current = e.freeze()
		st.want = e.dump()
	}
	if !e.step(1) {
		return
	}
	st.commit(st.current, e.takeRows())
	st.current = nil
	e.committed()
	o := s.options
	o.Shards = 3
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.restore(st); err != nil {
		t.Fatal(err)
	}
	if got := n.dump(); got != st.want {
		t.Fatalf("a checkpoint taken in steps is not the state at its beginning: %s", difference(got, st.want))
	}
}

// dump is the state of all keys, whatever their shards.
func (e *Engine) dump() string {
	e.readAll()
	var all []string
	for _, s := range e.shards {
		for l := range s.tables {
			t := &s.tables[l]
			s.eachKey(l, func(i uint32) { all = append(all, fmt.Sprintf("%x due %d", t.record(i), s.nextDue(t, i, e.clock))) })
		}
		for key, v := range s.visitors.all() {
			if v.user.last() == "" && v.company.last() == "" {
				continue // nothing is remembered, nothing is stored
			}
			all = append(all, fmt.Sprintf("visitor %s %s %s", key.text, v.user.last(), v.company.last()))
		}
		for key, u := range s.users.all() {
			if u.company.last() == "" && u.visitor.last() == "" && u.mails == nil {
				continue
			}
			all = append(all, fmt.Sprintf("user %s %s %s %s", key.text, u.company.last(), u.visitor.last(), u.mails))
		}
	}
	sort.Strings(all)
	return fmt.Sprintf("next %d clock %d ordinal %d\n%s\n", e.next, e.clock, e.ordinal, strings.Join(all, "\n"))
}

// memStore is a store in memory.
type memStore struct {
	rows    map[string][]byte
	memory  int64 // budget of the engines that are over it
	current *checkpoint
	want    string
}

// budget gives an engine the memory budget.
func (m *memStore) budget(e *Engine) {
	if m.memory > 0 {
		e.keepWithin(m.memory, m, nil)
	}
}

// checkpoint takes a whole one.
func (m *memStore) checkpoint(e *Engine) {
	c := e.freeze()
	e.step(1 << 30)
	m.commit(c, e.takeRows())
	e.committed()
}

func (m *memStore) commit(c *checkpoint, keys [][]row) {
	if err := c.write(m, keys); err != nil {
		panic(err)
	}
}
func (m *memStore) Put(key, value []byte) { m.rows[string(key)] = slices.Clone(value) }
func (m *memStore) Delete(key []byte)     { delete(m.rows, string(key)) }
func (m *memStore) Grow(int)              {}

func (m *memStore) DeleteRange(from, to []byte) {
	for k := range m.rows {
		if k >= string(from) && k < string(to) {
			delete(m.rows, k)
		}
	}
}
func (m *memStore) Commit(write func(w Writer) error) error { return write(m) }
func (m *memStore) Get(key []byte) ([]byte, bool, error) {
	v, ok := m.rows[string(key)]
	return v, ok, nil
}

func (m *memStore) Scan(from, to []byte, f func(key, value []byte) error) error {
	for _, k := range m.keys(from, to) {
		if err := f([]byte(k), m.rows[k]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memStore) ScanReverse(from, to []byte, f func(key, value []byte) error) error {
	keys := m.keys(from, to)
	slices.Reverse(keys)
	for _, k := range keys {
		if err := f([]byte(k), m.rows[k]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memStore) Purge(context.Context) error { return nil }

func (m *memStore) keys(from, to []byte) []string {
	var keys []string
	for k := range m.rows {
		if k >= string(from) && k < string(to) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

// text renders firings with their cursors, one a line.
func text(firings []nudge.Firing) string {
	var b []byte
	for i := range firings {
		b = append(b, firings[i].Cursor.String()...)
		b = append(b, ' ')
		b = firings[i].AppendJSON(b)
		b = append(b, '\n')
	}
	return string(b)
}

// randomRestarts are up to n places in a stream.
func randomRestarts(r *rand.Rand, n, length int) []int {
	var at []int
	for range n {
		at = append(at, 1+r.IntN(length-1))
	}
	slices.Sort(at)
	return slices.Compact(at)
}
