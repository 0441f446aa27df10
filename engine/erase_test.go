package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// rebuilt is one stream twice: as an engine lived through it, and as it is read from a log in which the records of those who were erased
// have become voids.
type rebuilt struct {
	*stream
	erased  []*erased
	dropped map[int]bool   // places of the records that have become voids
	about   [2][]about     // of each record, as it was settled
	double  []bool         // of each record, where none is void: whether its id was there before
	touched map[string]int // keys whose two pasts differ, by the place of the record that makes the difference
}

// newRebuilt erases in a stream and takes the records of those who were erased out of it.
func newRebuilt(t *testing.T, seed uint64) *rebuilt {
	set, lines := oracle.GenerateWith(seed, streamLength, oracle.AllFeatures)
	set, lines = append(set, oracle.PersonRules(seed)...), oracle.WithErasures(seed, lines)
	x := &rebuilt{stream: newStream(t, set, lines, oracle.RandomOptions(seed)), dropped: map[int]bool{}, touched: map[string]int{}}
	x.erased = nil
	x.pass(t, 0)
	gone := map[string]bool{} // ids of records that are voids, under their primary keys
	for i, r := range x.records {
		if slices.ContainsFunc(x.erased, func(e *erased) bool { return r.off < e.off && e.person.sent(r.rec) }) {
			x.dropped[i] = true
			gone[idOf(r.rec)] = true
		}
	}
	for i := range x.records { // an id that was taken before is not taken again, and who reads the voids does not know it: neither shall
		if r := &x.records[i]; !x.dropped[i] && x.double[i] && gone[idOf(r.rec)] {
			r.rec = nudge.Record(nudge.AppendVoid(nil))
		}
	}
	return x
}

func idOf(rec nudge.Record) string {
	var n nudge.Who
	if rec.Who(&n); n.ID != "" {
		return fmt.Sprint(rec.Hash(), n.ID)
	}
	return ""
}

// last is the offset of the last erase record.
func (x *rebuilt) last() (off nudge.Offset) {
	for _, e := range x.erased {
		off = max(off, e.off)
	}
	return off
}

// pass takes the stream through a new engine, one record after the other, with voids where way is 1.
func (x *rebuilt) pass(t *testing.T, way int) (firings []nudge.Firing) {
	t.Helper()
	e, err := New(x.options)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(x.plan)
	x.about[way], x.erased = nil, nil
	if way == 0 {
		x.double = nil
	}
	var b Batch
	for i, r := range x.records {
		if way == 1 && x.dropped[i] {
			r.rec = nudge.Record(nudge.AppendVoid(nil))
		}
		b.Reset()
		b.Add(r.off, r.at, r.rec)
		firings = append(firings, e.Apply(&b)...)
		a := b.abouts[0]
		a.visitor, a.user, a.company = strings.Clone(a.visitor), strings.Clone(a.user), strings.Clone(a.company)
		x.about[way] = append(x.about[way], a)
		if way == 0 {
			x.double = append(x.double, b.records[0].duplicate)
		}
		if r.rec.Kind() == nudge.RecordErase {
			gone, err := e.erase(r.rec, "")
			if err != nil {
				t.Fatal(err)
			}
			x.erased = append(x.erased, gone)
		}
	}
	return append(firings, e.Drain()...)
}

// compare finds the keys of visitors and users whose pasts are the same both ways.
func (x *rebuilt) compare() {
	next := 0
	touch := func(a *about, i int) {
		for scope, text := range map[string]string{"visitor": a.visitor, "user": a.user} {
			if text != "" {
				x.touched[scope+":"+text] = i
			}
		}
	}
	for i, r := range x.records {
		if r.rec.Kind() == nudge.RecordErase {
			person := x.erased[next].person
			next++
			for key := range x.touched {
				kind, text, _ := strings.Cut(key, ":")
				if kind == "visitor" && person.isVisitor(text) || kind == "user" && person.isUser(text) {
					delete(x.touched, key)
				}
			}
			continue
		}
		was, is := &x.about[0][i], &x.about[1][i]
		_, differs := x.touched["visitor:"+was.visitor]
		if x.dropped[i] || was.user != is.user || was.company != is.company || differs && was.visitor != "" {
			touch(was, i)
			touch(is, i)
		}
	}
}

// TestVoidedLog: after the last erasure an engine that has lived through the stream and one that reads it with voids for those who were
// erased fire the same for everybody whose past does not hold what is gone, and for those who were erased themselves.
func TestVoidedLog(t *testing.T) {
	compared, erasures, voids, afresh := 0, 0, 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		x := newRebuilt(t, seed)
		lived := x.pass(t, 0)
		erased := x.erased
		again := x.pass(t, 1)
		x.erased = erased
		x.compare()
		want, n := x.after(lived)
		got, _ := x.after(again)
		if got != want {
			t.Fatalf("seed %d: what is read back (got) differs from what was lived through (want)\n%s", seed, difference(got, want))
		}
		compared, erasures, voids, afresh = compared+strings.Count(want, "\n"), erasures+len(erased), voids+len(x.dropped), afresh+n
	}
	t.Logf("%d erasures, %d voids: %d firings after the last erasure are the same, %d of them of who was erased", erasures, voids, compared, afresh)
	if compared < *seeds || afresh < *seeds/10 {
		t.Fatal("too few firings to compare: the test tests nothing")
	}
}

// after are the firings behind the last erasure of the keys that can be compared, and how many of them are of who was erased.
func (x *rebuilt) after(firings []nudge.Firing) (lines string, afresh int) {
	var b strings.Builder
	for i := range firings {
		f := &firings[i]
		_, differs := x.touched[f.Kind.String()+":"+f.Key]
		if f.Cursor.Offset <= x.last() || f.Kind > nudge.KindUser || differs {
			continue
		}
		if slices.ContainsFunc(x.erased, func(e *erased) bool { return e.person.isVisitor(f.Key) || e.person.isUser(f.Key) }) {
			afresh++
		}
		fmt.Fprintf(&b, "%d %s\n", f.Cursor.Offset, f.AppendJSON(nil))
	}
	return b.String(), afresh
}

// TestVoidedLogMeans: what is read from the log with voids is what the oracle says it means: a void is an instant at which nothing happens.
func TestVoidedLogMeans(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds)/3; seed++ {
		set, lines := oracle.GenerateWith(seed, streamLength, oracle.AllFeatures)
		set, lines = append(set, oracle.PersonRules(seed)...), oracle.WithErasures(seed, lines)
		o := oracle.RandomOptions(seed)
		for i := range lines {
			if i%3 == 1 && !strings.HasPrefix(lines[i], `{"erase"`) {
				lines[i] = voidLine(t, lines[i])
			}
		}
		if got, want := newStream(t, set, lines, o).printed(t, o), oracled(t, set, lines, o); got != want {
			t.Fatalf("the engine and the oracle differ (got the engine, want the oracle)\n%s\n%s", difference(got, want), repeat(t, seed, set, lines))
		}
	}
}

// voidLine is a void at the instant of an event.
func voidLine(t *testing.T, line string) string {
	t.Helper()
	var e map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&e); err != nil {
		t.Fatal(err)
	}
	void := map[string]any{"void": true}
	for _, name := range []string{"ts", "at"} {
		if e[name] != nil {
			void[name] = e[name]
		}
	}
	return string(mustJSON(void))
}

// TestEraseThenDeploy: other rules are deployed after an erasure, and the checkpoint that is being written meanwhile holds what was there
// when it began.
func TestEraseThenDeploy(t *testing.T) {
	set := []oracle.Rule{
		{ID: "a", Text: `{per: visitor, when: dwell(form_view, "10s", until(page_leave)), then: alert("x")}`},
		{ID: "b", Text: `{per: visitor, when: count(page_view, "1h") >= 2, then: alert("x")}`},
	}
	s := newStream(t, set, []string{`{"type":"form_view","visitor":"v","ts":1000}`, `{"type":"page_view","visitor":"w","ts":1000}`}, oracle.Options{})
	e, err := New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	var b Batch
	for _, r := range s.records {
		b.Add(r.off, r.at, r.rec)
	}
	e.Apply(&b)
	st := &memStore{rows: map[string][]byte{}}
	c, want := e.freeze(), e.dump()
	eraseNow(t, e, "visitor", "v")
	if keys, _ := e.Memory(); keys != 1 {
		t.Fatalf("%d keys are left, want that of the other visitor: %s", keys, e.dump())
	}
	e.step(1 << 30)
	st.commit(c, e.takeRows())
	if got := s.restored(t, st).dump(); got != want {
		t.Fatalf("the checkpoint is not the state at its beginning: %s", difference(got, want))
	}
	other, diags := rules.Compile([]rules.Source{
		{File: "c.expr", Text: `{per: visitor, when: dwell(form_view, "1s", until(page_leave)), then: alert("x")}`},
	}, rules.Options{Names: s.names})
	if other == nil {
		t.Fatal(diags.Err())
	}
	e.Deploy(other)
	if fired := e.Drain(); len(fired) > 0 {
		t.Fatalf("an erased visitor fires: %s", text(fired))
	}
	c = e.freeze()
	e.step(1 << 30)
	st.commit(c, e.takeRows())
	if got, want := s.restored(t, st).dump(), e.dump(); got != want {
		t.Fatalf("the checkpoint after the erasure brings back other state: %s", difference(got, want))
	}
}

// eraseNow appends an erase record to what an engine has applied.
func eraseNow(t testing.TB, e *Engine, kind, id string) *erased {
	t.Helper()
	rec, err := newEraseRecord(kind, id)
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	b.Add(e.next, e.clock, nudge.Record(rec))
	e.Apply(&b)
	x, err := e.erase(nudge.Record(rec), id)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// restored is an engine that a store's checkpoint was loaded into.
func (s *stream) restored(t testing.TB, st Store) *Engine {
	t.Helper()
	e, err := New(s.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.restore(st); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestEraseRecord: what cannot be a person is refused, and the record does not hold who it is.
func TestEraseRecord(t *testing.T) {
	for _, c := range []struct{ kind, id, want string }{
		{"person", "acme", "cannot erase a \"person\": it can be a visitor, a user or a company"},
		{"", "v", "cannot erase a \"\""},
		{"visitor", "", "cannot erase a visitor without an id: say which one"},
		{"user", strings.Repeat("x", MaxIDBytes+1), "cannot erase a user whose id has 257 bytes: no event has one longer than 256"},
		{"user", strings.Repeat("x", MaxIDBytes), ""},
		{"visitor", "v", ""},
		{"company", "acme", ""},
	} {
		rec, err := newEraseRecord(c.kind, c.id)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s %q: %v, want %q", c.kind, c.id, err, c.want)
		case c.want != "" && !errors.Is(err, ErrErase):
			t.Errorf("%v is not ErrErase", err)
		}
		if err == nil {
			if _, _, err := nudge.NextRecord(rec); err != nil {
				t.Errorf("%s %q: %v", c.kind, c.id, err)
			}
		}
	}
	rec, err := newEraseRecord("user", "Ana.Person@acme.example")
	if err != nil || bytes.Contains(bytes.ToLower(rec), []byte("ana.person")) {
		t.Errorf("%v; the record holds who it is: %q", err, rec)
	}
}
