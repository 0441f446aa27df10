package engine

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
	"nudge/internal/oracle"
	"nudge/rules"
)

// TestMergedRings splits one stream over two keys, merges the second into the first somewhere, and holds the merged rings to one
// that saw everything, with any window and ever since.
func TestMergedRings(t *testing.T) {
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 2))
		var tb table
		keys := []uint32{tb.add(1, 0, "user"), tb.add(2, 0, "visitor")}
		all := tb.add(3, 0, "all")
		keep, largest, merged := 1+r.IntN(30), nudge.Millis(1+r.IntN(300)), r.IntN(300)
		now := nudge.Millis(0)
		for step := range 300 {
			if step == merged {
				mergeRings(&tb, keys[0], keys[1], keep, now-largest)
			}
			now += nudge.Millis(r.IntN(5))
			ts := now
			if r.IntN(4) == 0 {
				ts -= nudge.Millis(r.IntN(200))
			}
			key := keys[0]
			if step < merged && r.IntN(2) == 0 {
				key = keys[1]
			}
			if ts > now-largest {
				v := byte(r.IntN(40))
				for _, k := range []uint32{key, all} {
					tb.addTime(k, 1, keep, ts, now-largest)
					tb.addValue(k, 2, keep, valueID{first: uint64(v)}, ts, now-largest)
				}
			}
			if step < merged {
				continue
			}
			window := 1 + nudge.Millis(r.Int64N(int64(largest)))
			for num, after := range map[uint32]func(slot []byte) int{
				1: func(slot []byte) int { return ring(slot).after(now - window) },
				2: func(slot []byte) int { return distinctSet(slot).after(now - window) },
			} {
				got, want := tb.slot(keys[0], num), tb.slot(all, num)
				if got == nil && want == nil {
					continue
				}
				if num == 2 {
					checkSet(t, got)
				}
				if g, w := min(after(got), keep), min(after(want), keep); g != w {
					t.Fatalf("seed %d, step %d: slot %d has %d in the window, want %d, %d kept", seed, step, num, g, w, keep)
				}
			}
		}
	}
}

// mergeRings merges as mergeSlot does.
func mergeRings(tb *table, user, visitor uint32, keep int, expired nudge.Millis) {
	for num := uint32(1); num <= 2; num++ {
		src := slices.Clone(tb.slot(visitor, num))
		switch {
		case src == nil:
		case tb.slot(user, num) == nil:
			copy(tb.grow(user, num, len(src)), src)
		case num == 1:
			tb.mergeTimes(user, num, keep, src, expired)
		default:
			tb.mergeDistinct(user, num, keep, src, expired)
		}
	}
}

// TestMergedValues: the newest different values of both, where both know one the newer time, and of one time in the order of their stamps.
func TestMergedValues(t *testing.T) {
	var tb table
	user, visitor := tb.add(1, 0, "user"), tb.add(2, 0, "visitor")
	taken := stamp(0)
	add := func(key uint32, text string, ts nudge.Millis) {
		taken++
		tb.keepValue(key, 1, 6, nudge.TextValue(text), ts, taken, 0)
	}
	add(user, "a", 10)
	add(user, "b", 20)
	add(user, "first", 30)
	add(visitor, "b", 25)
	add(visitor, "c", 15)
	add(visitor, "second", 30)
	add(visitor, "old", 1)
	add(user, "third", 30)
	tb.mergeValues(user, 1, 6, slices.Clone(tb.slot(visitor, 1)))
	var got []string
	for _, v := range valuesAfter(tb.slot(user, 1), 0) {
		got = append(got, v.Text)
	}
	if want := []string{"third", "second", "first", "b", "c", "a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMergedLast: the value of the later time, on a tie of the later stamp.
func TestMergedLast(t *testing.T) {
	for _, c := range []struct {
		user, visitor nudge.Millis
		stamps        [2]stamp
		want          string
	}{
		{10, 20, [2]stamp{2, 1}, "the visitor's value"},
		{20, 10, [2]stamp{1, 2}, "user's"},
		{10, 10, [2]stamp{1, 2}, "the visitor's value"},
		{10, 10, [2]stamp{2, 1}, "user's"},
	} {
		var tb table
		user, visitor := tb.add(1, 0, "user"), tb.add(2, 0, "visitor")
		tb.noteLast(user, 1, nudge.TextValue("user's"), c.user, c.stamps[0], 0)
		tb.noteLast(visitor, 1, nudge.TextValue("the visitor's value"), c.visitor, c.stamps[1], 0)
		tb.mergeLast(user, 1, slices.Clone(tb.slot(visitor, 1)))
		if got := lastValue(tb.slot(user, 1)).Text; got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// TestMergedTotals: totals are added, of the newest times the later one stays.
func TestMergedTotals(t *testing.T) {
	var tb table
	i := tb.add(1, 0, "user")
	for range 3 {
		tb.addTotal(i, 1)
	}
	tb.mergeTotal(i, 1, binary.LittleEndian.AppendUint64(nil, 4))
	if got := readTotal(tb.slot(i, 1)); got != 7 {
		t.Errorf("3 and 4 events are %d", got)
	}
}

// TestMergedNumbers splits numbers over two keys, and holds every fold of the merged ones to one key that saw all of them.
func TestMergedNumbers(t *testing.T) {
	folds := []rules.Fold{rules.FoldSum, rules.FoldAvg, rules.FoldMin, rules.FoldMax}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 4))
		var tb table
		keys := []uint32{tb.add(1, 0, "user"), tb.add(2, 0, "visitor")}
		all := tb.add(3, 0, "all")
		keep := 1 + r.IntN(12)
		for n := range 2 + r.IntN(30) {
			ts, v := nudge.Millis(r.IntN(100)), r.Int64()-r.Int64()
			v /= 1_000_000
			k := keys[n%2]
			if n > 1 {
				k = keys[r.IntN(2)]
			}
			for _, k := range []uint32{k, all} {
				tb.addNumber(k, 1, keep, v, ts, -1)
				tb.addTally(k, 2, v)
			}
		}
		tb.mergeNumbers(keys[0], 1, keep, slices.Clone(tb.slot(keys[1], 1)), -1)
		tb.mergeTally(keys[0], 2, slices.Clone(tb.slot(keys[1], 2)))
		got, want := numbers(tb.slot(keys[0], 1)), numbers(tb.slot(all, 1))
		for _, f := range folds {
			if g, w := readTally(tb.slot(keys[0], 2), f), readTally(tb.slot(all, 2), f); !equalReadings(g, w) {
				t.Fatalf("seed %d: fold %d over all is %v, want %v", seed, f, g, w)
			}
			for expired := nudge.Millis(-1); expired < 100; expired++ {
				g, w := got.reading(f, expired), want.reading(f, expired)
				if g.More != w.More || !w.More && !equalReadings(g, w) {
					t.Fatalf("seed %d: fold %d after %d is %v, want %v", seed, f, expired, g, w)
				}
			}
		}
	}
}

func equalReadings(a, b rules.Reading) bool { return a.N == b.N && a.None == b.None }

// TestMergedPoints: the points of both, at the newer of the two times.
func TestMergedPoints(t *testing.T) {
	const halfLife = 1000
	for _, c := range []struct{ user, visitor, want nudge.Millis }{{0, 1000, 1000}, {1000, 0, 1000}, {500, 500, 500}} {
		var tb table
		user, visitor := tb.add(1, 0, "user"), tb.add(2, 0, "visitor")
		tb.addPoints(user, 1, 8, c.user, halfLife)
		tb.addPoints(visitor, 1, 4, c.visitor, halfLife)
		want := score(tb.slot(user, 1)).points(halfLife, 5000) + score(tb.slot(visitor, 1)).points(halfLife, 5000)
		tb.mergePoints(user, 1, slices.Clone(tb.slot(visitor, 1)), halfLife)
		if got := score(tb.slot(user, 1)); got.at() != c.want || got.points(halfLife, 5000) != want {
			t.Errorf("%+v: %v points at %d, want %v", c, got.points(halfLife, 5000), got.at(), want)
		}
	}
}

// TestMergedPartials: of each step the partial with the newer first event, on a tie the visitor's.
func TestMergedPartials(t *testing.T) {
	const steps = 6
	user, visitor := make(sequence, sequenceHeader+partialBytes*(steps-1)), make(sequence, sequenceHeader+partialBytes*(steps-1))
	user.arrive(0, 10, 11)
	visitor.arrive(0, 20, 21)
	user.arrive(1, 20, 22)
	visitor.arrive(1, 10, 30)
	user.arrive(2, 10, 12)
	visitor.arrive(2, 10, 13)
	user.arrive(3, 5, 6)
	visitor.arrive(4, 7, 8)
	user.merge(visitor, steps-1)
	for i, want := range [][2]nudge.Millis{{20, 21}, {20, 22}, {10, 13}, {5, 6}, {7, 8}} {
		if got := [2]nudge.Millis{user.first(i), user.newest(i)}; !user.stands(i) || got != want {
			t.Errorf("step %d: %v %v, want %v", i, user.stands(i), got, want)
		}
	}
}

// TestMergedWaits holds mergeWait to each sentence about it; a wait is its start, deadline and newest end, - where it has none.
func TestMergedWaits(t *testing.T) {
	const window = 10
	for _, c := range []struct{ why, user, visitor, want string }{
		{"both are idle: the later end", "idle end=3", "idle end=5", "idle end=5"},
		{"both are idle: the later end is the user's", "idle end=5", "idle end=3", "idle end=5"},
		{"an open wait joins an idle one", "idle end=3", "open 5 15", "open 5 15 end=3"},
		{"an open wait stays", "open 5 15", "idle end=3", "open 5 15 end=3"},
		{"two open ones: the earlier deadline, the visitor's", "open 5 15", "open 4 14", "open 4 14"},
		{"two open ones: the earlier deadline, the user's", "open 4 14", "open 5 15", "open 4 14"},
		{"two open ones that are due together: the earlier start, the visitor's", "open 5 20", "open 4 20", "open 4 20"},
		{"two open ones that are due together: the earlier start, the user's", "open 4 20", "open 5 20", "open 4 20"},
		{"an open one wins over one that has pulsed", "pulsed 7", "open 4 20", "open 4 20"},
		{"an open one is not overridden by one that has pulsed", "open 4 20", "pulsed 7", "open 4 20"},
		{"of two that have pulsed the later start, the visitor's", "pulsed 4", "pulsed 7", "pulsed 7"},
		{"of two that have pulsed the later start, the user's", "pulsed 7", "pulsed 4", "pulsed 7"},
		{"one that has pulsed is not made ready by the other's end", "idle end=30", "pulsed 7", "pulsed 7 end=30"},
		{"… nor on the user's side", "pulsed 7", "idle end=30", "pulsed 7 end=30"},
		{"an end inside ends the visitor's", "idle end=5", "open 4 14", "idle end=5"},
		{"an end inside ends the user's", "open 4 14", "idle end=13", "idle end=13"},
		{"an end at the start ends nothing", "idle end=4", "open 4 14", "open 4 14 end=4"},
		{"an end when the window is over ends nothing", "idle end=14", "open 4 20", "open 4 20 end=14"},
		{"an end before the start ends nothing", "open 4 14", "idle end=3", "open 4 14 end=3"},
		{"an end inside counts though the wait has seen a later one behind its window", "open 4 40 end=20", "idle end=5", "idle end=20"},
		{"one is ended, the other stays", "open 2 12 end=1", "open 6 16 end=5", "open 6 16 end=5"},
		{"one is ended, the other has pulsed", "open 6 16", "pulsed 1 end=7", "pulsed 1 end=7"},
	} {
		var tb table
		i := tb.add(1, 0, "user")
		user, visitor := waitOf(t, c.user), waitOf(t, c.visitor)
		copy(tb.grow(i, 1, len(user)), user)
		tb.mergeWait(i, 1, window, visitor)
		if got := waitText(wait(tb.slot(i, 1))); got != c.want {
			t.Errorf("%s: %q and %q make %q, want %q", c.why, c.user, c.visitor, got, c.want)
		}
	}
}

// waitOf reads "idle", "open START DEADLINE" or "pulsed START", each with "end=TS" behind it or not.
func waitOf(t *testing.T, text string) wait {
	t.Helper()
	var state string
	var start, deadline, end nudge.Millis
	w := make(wait, waitHeader)
	if n, _ := fmt.Sscanf(text, "open %d %d end=%d", &start, &deadline, &end); n >= 2 {
		w[0] = waitOpen
	} else if n, _ := fmt.Sscanf(text, "pulsed %d end=%d", &start, &end); n >= 1 {
		w[0] = waitPulsed
	} else if n, _ := fmt.Sscanf(text, "%s end=%d", &state, &end); n == 0 {
		t.Fatalf("%q is no wait", text)
	} else {
		w = w[:waitIdleLen]
	}
	if end != 0 {
		w.noteEnd(end)
	}
	if w[0] != waitIdle {
		binary.LittleEndian.PutUint64(w[10:], uint64(start))
		binary.LittleEndian.PutUint64(w[18:], uint64(deadline))
	}
	return w
}

func waitText(w wait) string {
	text := "idle"
	switch w[0] {
	case waitOpen:
		text = fmt.Sprintf("open %d %d", w.startTs(), w.deadline())
	case waitPulsed:
		text = fmt.Sprintf("pulsed %d", w.startTs())
	}
	if w[1]&flagEnd != 0 {
		text += fmt.Sprintf(" end=%d", w.newestEnd())
	}
	return text
}

// TestRemovedKeys adds and removes keys whose hashes collide, and holds the table to a map; their memory is used again.
func TestRemovedKeys(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var tb table
		known := map[string]uint32{}
		hash := func(key string) nudge.KeyHash { return nudge.KeyHash(key[0] % 7) }
		most := 0
		for step := range 500 {
			key := string(rune('0' + r.IntN(60)))
			i, ok := known[key]
			if found := tb.find(hash(key), 0, key); ok && found != i || !ok && found != noEntry {
				t.Fatalf("seed %d, step %d: %q is entry %d, want %d %v", seed, step, key, found, i, ok)
			}
			if ok {
				tb.remove(i)
				delete(known, key)
			} else {
				known[key] = tb.add(hash(key), 0, key)
				tb.touch(known[key])
			}
			most = max(most, len(known))
		}
		if int(tb.count) != most {
			t.Fatalf("seed %d: %d entries for at most %d keys at once", seed, tb.count, most)
		}
	}
}

// TestPastLeavesTheStore follows a past through the store: it is there while the visitor is anonymous, and gone with the checkpoint after
// the identifying event; one that is being serialised when it goes is in that checkpoint still.
func TestPastLeavesTheStore(t *testing.T) {
	set := scriptRules(`many: when: count(page_view, "1h") >= 2`)
	s := newStream(t, set, scriptLines("1000 page_view visitor=v\n2000 identify visitor=v user=u\n3000 page_view user=u"), oracle.Options{})
	o := s.options
	o.Shards = 1
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	st := &memStore{rows: map[string][]byte{}}
	apply := func(i int) []nudge.Firing {
		var b Batch
		b.Add(s.records[i].off, s.records[i].at, s.records[i].rec)
		return slices.Clone(e.Apply(&b))
	}
	apply(0)
	c := e.freeze()
	apply(1) // takes the past away before the checkpoint has come to it
	e.step(1 << 30)
	st.commit(c, e.takeRows())
	if n := pastRows(e, st); n != 1 {
		t.Fatalf("the checkpoint before the identifying event has %d pasts, want 1", n)
	}
	if past := e.shards[0].takePast(nudge.HashKey("visitor", "v"), "v"); past != nil {
		t.Errorf("a past after the identifying event: %x", past)
	}
	e = s.restart(t, e, st, 2)
	if n := pastRows(e, st); n != 0 {
		t.Fatalf("the checkpoint after it has %d pasts", n)
	}
	if f := apply(2); len(f) != 1 || f[0].Key != "u" {
		t.Fatalf("fired %v, want many for u", f)
	}
}

// pastRows is how many visitors of a checkpoint have a past.
func pastRows(e *Engine, st *memStore) int {
	n := 0
	for _, key := range slices.Sorted(maps.Keys(st.rows)) {
		if key[0] == tableKeys && binary.BigEndian.Uint16([]byte(key)[1:]) == rules.ScopeVisitor && hasPast(e, st.rows[key]) {
			n++
		}
	}
	return n
}

func hasPast(e *Engine, rec []byte) (has bool) {
	e.shards[0].eachPast(rec, func(int32, []byte) { has = true })
	return has
}

// TestPastsAreFew: a visitor has a past only where an operator of a user's rule keeps something of its events.
func TestPastsAreFew(t *testing.T) {
	set := scriptRules("a: when: on(page_view)\nb: when: count(form_view, \"1h\") >= 2\nc: per: visitor, when: count(click, \"1h\") >= 2")
	s := newStream(t, set, scriptLines("1000 page_view visitor=v\n2000 click visitor=v\n3000 form_view visitor=w"), oracle.Options{})
	o := s.options
	o.Shards = 1
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(s.plan)
	var b Batch
	for _, r := range s.records {
		b.Add(r.off, r.at, r.rec)
	}
	e.Apply(&b)
	visitors, pasts := &e.shards[0].tables[0], ""
	for i := range visitors.count {
		if _, text := visitors.identity(i); hasPast(e, visitors.record(i)) {
			pasts += string(text) + " "
		}
	}
	if pasts != "w " {
		t.Errorf("%swith a past, want w alone", pasts)
	}
}
