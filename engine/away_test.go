package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nudge"
	"nudge/rules"
)

// manyKeys is an engine with a budget over a checkpoint of so many visitors, of whom all have left.
func manyKeys(t *testing.T, visitors int, memory int64) (*Engine, *memStore) {
	t.Helper()
	st := &memStore{rows: map[string][]byte{}, memory: memory}
	e := countsViews(t, st)
	sight(t, e, visitors)
	st.checkpoint(e)
	for e.sweep(visitors) {
	}
	return e, st
}

func countsViews(t *testing.T, st *memStore) *Engine {
	t.Helper()
	names := nudge.NewNames()
	plan, diags := rules.Compile(ruleFiles("seen", `{per: visitor, when: count(page_view, "1d") >= 2, then: alert("seen", {})}`), rules.Options{Names: names})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	e, err := New(Options{Names: names, Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	st.budget(e)
	e.Deploy(plan)
	return e
}

// sight applies a page view of each visitor.
func sight(t *testing.T, e *Engine, visitors int) []nudge.Firing {
	t.Helper()
	var b Batch
	var rec nudge.Record
	for off, rest := e.next, views(t, e, visitors); len(rest) > 0; off++ {
		rec, rest = nudge.SplitRecord(rest)
		b.Add(off, 1000, rec)
	}
	return e.Apply(&b)
}

// views are the records of a page view of each visitor.
func views(t *testing.T, e *Engine, visitors int) (records []byte) {
	t.Helper()
	l := &life{TB: t, names: e.options.Names}
	for i := range visitors {
		records = append(records, l.records(event("page_view", fmt.Sprint("v", i), `,"ts":1000`))...)
	}
	return records
}

// TestBudgetIsKept sees visitors again and again within a budget that holds a part of them, and wants it to be kept and nothing to be forgotten.
func TestBudgetIsKept(t *testing.T) {
	const visitors, memory = 20_000, 3 << 19
	e, st := manyKeys(t, visitors, memory)
	within := func() {
		t.Helper()
		for _, s := range e.shards {
			s.hand.checked = 0
		}
		for e.sweep(visitors) {
		}
		for _, s := range e.shards {
			if held, live := s.held(); live > s.hand.target() || held > s.hand.limit+levels*firstChunkBytes {
				t.Errorf("shard %d: %d bytes are held, %d live, where records may take %d", s.id, held, live, s.hand.limit)
			}
		}
	}
	within()
	m := e.memory()
	if m.away < visitors/4 || m.away == visitors || m.evicted == 0 {
		t.Fatalf("of %d visitors %d are away, %d left", visitors, m.away, m.evicted)
	}
	if n := len(sight(t, e, visitors)); n != visitors {
		t.Fatalf("%d of %d visitors are known to have been seen before", n, visitors)
	}
	if again := e.memory(); again.away != 0 || again.reads != uint64(m.away) {
		t.Fatalf("all %d that were away were looked for, and %d rows were read", m.away, again.reads)
	}
	for e.sweep(visitors) { // until it gives up
	}
	if e.memory().away != 0 {
		t.Fatal("records left that no checkpoint holds")
	}
	st.checkpoint(e)
	for e.sweep(visitors) {
	}
	within()

	again := countsViews(t, st)
	if err := again.restore(st); err != nil {
		t.Fatal(err)
	}
	again.readAll()
	if away := again.memory().away; away < visitors/5 {
		t.Errorf("a restart leaves %d of %d away", away, visitors)
	}
	for _, s := range again.shards {
		s.hand.checked = 0
		s.keepLimit()
		if _, live := s.held(); live > s.hand.target()+firstChunkBytes {
			t.Errorf("shard %d: a restart leaves %d bytes live, where records may take %d", s.id, live, s.hand.limit)
		}
	}
	e = again
	within()
}

// TestSecondChance wants those to stay who were met since the hand came by.
func TestSecondChance(t *testing.T) {
	e, st := manyKeys(t, 4000, 1<<20)
	for range 20 {
		sight(t, e, 100)
		st.checkpoint(e)
		e.sweep(1000)
	}
	reads := e.memory().reads
	sight(t, e, 100)
	if now := e.memory().reads; now > reads+10 {
		t.Errorf("%d of the 100 that are met all the time had left", now-reads)
	}
}

// TestEarlyIsNotStale reads rows early, and lets their keys come back, change, be stored and leave again before the batch comes that the rows were read for:
// they are what the keys held before.
func TestEarlyIsNotStale(t *testing.T) {
	const visitors = 200
	e, st := manyKeys(t, visitors, 1)
	read := func(first nudge.Offset) {
		e.readEarly(nudge.Entry{First: first, Count: visitors, Records: views(t, e, visitors)})
		e.finishEarly()
	}
	read(e.next + visitors)
	if n := len(sight(t, e, visitors)); n != visitors {
		t.Fatalf("%d of %d visitors fire at their second view", n, visitors)
	}
	st.checkpoint(e)
	for e.sweep(visitors) {
	}
	if m := e.memory(); m.away != visitors {
		t.Fatalf("%d of %d visitors are away", m.away, visitors)
	}
	if n := len(sight(t, e, visitors)); n != 0 {
		t.Errorf("%d visitors fire at their third view too: their second one is lost", n)
	}
	if m := e.memory(); m.early != 0 {
		t.Errorf("%d rows are taken that were read before the last checkpoint", m.early)
	}

	st.checkpoint(e)
	for e.sweep(visitors) {
	}
	read(e.next)
	sight(t, e, visitors)
	if m := e.memory(); m.early != visitors {
		t.Errorf("%d of %d rows are taken that were read early", m.early, visitors)
	}
}

// TestRowOfAnother finds the row of a key of which only the beginning is known beside that of another key.
func TestRowOfAnother(t *testing.T) {
	e, st := manyKeys(t, 1000, 1)
	t0 := &e.shards[0].tables[0]
	for i := range t0.count {
		key := t0.entry(i).prefixOf()
		rows := st.keys(key, prefixEnd(key))
		if len(rows) != 1 {
			t.Fatalf("%d rows begin with %x", len(rows), key)
		}
		other := []byte(rows[0])
		other[len(other)-1] ^= 0xff
		st.Put(other, slices.Replace(slices.Clone(st.rows[rows[0]]), keyHeader, keyHeader+1, 'x'))
		t0.recall(i)
		if _, text := t0.identity(i); text[0] != 'v' {
			t.Fatalf("the row of %s came back", text)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, tt := range []struct{ prefix, end string }{{"k\x00", "k\x01"}, {"k\x01\xff\xff", "k\x02\x00\x00"}, {"k\xff", "l\x00"}} {
		if got := string(prefixEnd([]byte(tt.prefix))); got != tt.end {
			t.Errorf("behind %q is %q, want %q", tt.prefix, got, tt.end)
		}
	}
}

// TestDirtyWithin is when a checkpoint begins early for its changed keys.
func TestDirtyWithin(t *testing.T) {
	for _, tt := range []struct {
		memory int64
		want   int
	}{{0, maxDirtyBytes}, {1, minDirtyBytes}, {64 << 20, 16 << 20}, {1 << 40, maxDirtyBytes}} {
		st := &memStore{rows: map[string][]byte{}, memory: tt.memory}
		if got := countsViews(t, st).maxDirty(); got != tt.want {
			t.Errorf("with a budget of %d: %d, want %d", tt.memory, got, tt.want)
		}
	}
}

// TestStoreFaultEnds lets rows be unreadable, missing or other ones, and wants the node to end with an error that says what it is about and what to do, not
// with a bug.
func TestStoreFaultEnds(t *testing.T) {
	views := func(from int) (lines []string) {
		for i := range 200 {
			lines = append(lines, event("page_view", fmt.Sprint("v", from+i), ""))
		}
		return lines
	}
	for name, tt := range map[string]struct {
		harm func(l *life)
		want []string
	}{
		"unreadable": {func(l *life) { l.set("get", func() error { return errors.New("bad sector") }) }, []string{"per visitor (table K, group ", "bad sector"}},
		"missing": {func(l *life) {
			err := l.dir.Store.Commit(func(w Writer) error { w.DeleteRange([]byte{tableKeys}, []byte{tableKeys + 1}); return nil })
			if err != nil {
				l.Fatal(err)
			}
		}, []string{"per visitor (table K, group ", "the store is damaged", "backup", "move the store's folder away"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := begin(t, lifeOptions{memory: 1, checkpoint: 100})
				l.deploy("seen", `{per: visitor, when: count(page_view, "1d") >= 2, then: alert("seen", {})}`)
				l.send(views(0)...)
				l.send(views(1000)...)
				time.Sleep(2 * time.Minute) // for a checkpoint, and for records to leave
				synctest.Wait()
				if l.node.Stats().KeysAway.Load() == 0 {
					t.Fatal("nothing has left memory")
				}
				tt.harm(l)
				if _, err := l.node.Submit(context.Background(), l.records(views(0)...), 200, true); !errors.Is(err, nudge.ErrStopped) {
					t.Errorf("Submit: %v", err)
				}
				err := <-l.done
				if err == nil || strings.Contains(err.Error(), "BUG") {
					t.Fatalf("Run: %v", err)
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v does not say %q", err, want)
					}
				}
			})
		})
	}
}
