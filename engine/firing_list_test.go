package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
	"nudge/rules"
)

// A list of firings gives back what a plain slice would, and what was frozen stays as it was, through whatever is added, dropped and changed.
func TestFiringList(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		var l firingList
		var want []nudge.Firing
		type snapshot struct {
			list firingList
			want []nudge.Firing
		}
		var snapshots []snapshot
		var next nudge.Cursor
		anywhere := func() nudge.Cursor {
			return nudge.Cursor{Offset: nudge.Offset(rng.IntN(int(next.Offset) + 2)), N: rng.Uint32N(3)}
		}
		for range 1 + rng.IntN(12) {
			switch rng.IntN(4) {
			case 0, 1:
				var more []nudge.Firing
				for range rng.IntN(3 * firingsPerPage) {
					if rng.IntN(2) == 0 {
						next = nudge.Cursor{Offset: next.Offset + 1 + nudge.Offset(rng.IntN(3))}
					} else {
						next.N++
					}
					more = append(more, nudge.Firing{Cursor: next, Key: fmt.Sprint(next)})
				}
				l.add(more)
				want = append(want, more...)
			case 2:
				upTo := anywhere()
				l.drop(upTo)
				want = slices.DeleteFunc(slices.Clone(want), func(x nudge.Firing) bool { return !upTo.Less(x.Cursor) })
			case 3:
				odd := func(x *nudge.Firing) {
					if x.Cursor.N%2 == 1 {
						x.Key = ""
					}
				}
				l.edit(odd)
				want = slices.Clone(want)
				for i := range want {
					odd(&want[i])
				}
			}
			snapshots = append(snapshots, snapshot{l.frozen(), slices.Clone(want)})
			after := anywhere()
			var got []nudge.Firing
			for x := range l.after(after) {
				got = append(got, *x)
			}
			same(t, fmt.Sprint("behind ", after), got, slices.DeleteFunc(slices.Clone(want), func(x nudge.Firing) bool { return !after.Less(x.Cursor) }))
			if size := firingsSize(want); l.size != size {
				t.Fatalf("%d bytes, want %d", l.size, size)
			}
		}
		for _, s := range snapshots {
			var got []nudge.Firing
			for x := range s.list.all() {
				got = append(got, *x)
			}
			same(t, "as it was frozen", got, s.want)
		}
	}
}

// TestFiringsOutliveRecords: nothing of a firing is part of the record that it comes from, or of another firing.
func TestFiringsOutliveRecords(t *testing.T) {
	names := nudge.NewNames()
	text := `{per: visitor, when: on(click), then: [alert(title, {t: title}), popup("p", {t: title, v: visitor})]}`
	plan, diags := rules.Compile(ruleFiles("said", text), rules.Options{Names: names})
	if plan == nil {
		t.Fatal(diags.Err())
	}
	e, err := New(Options{Names: names, Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	e.Deploy(plan)
	var all []nudge.Firing
	for round := range 3 {
		l := &life{TB: t, names: names}
		rec := l.records(event("click", "v", fmt.Sprintf(`,"props":{"title":"round %d"}`, round)))
		var b Batch
		b.Add(e.next, nudge.Millis(1000+round), nudge.Record(rec))
		all = append(all, e.Apply(&b)...)
		clear(rec)
	}
	for round, f := range all {
		title := fmt.Sprintf("round %d", round)
		got := fmt.Sprint(f.Key, f.Visitor, f.Actions[0].Name, string(f.Actions[0].Data), f.Actions[1].Name, string(f.Actions[1].Data))
		if want := fmt.Sprint("v", "v", title, `{"t":"`+title+`"}`, "p", `{"t":"`+title+`","v":"v"}`); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
	if len(all) != 3 {
		t.Errorf("%d firings, want 3", len(all))
	}
}
