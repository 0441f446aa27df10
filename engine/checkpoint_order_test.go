package engine

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nudge"
)

// orderWriter is a commit whose rows must come in order, each once.
type orderWriter struct {
	testing.TB
	rows map[string]string
	last []byte
	room int
	took int // of the room
}

func (w *orderWriter) came(key []byte) {
	if bytes.Compare(key, w.last) <= 0 {
		w.Errorf("the row %q comes behind %q", key, w.last)
	}
	w.last = slices.Clone(key)
	w.took += rowOverhead + len(key)
}

func (w *orderWriter) Put(key, value []byte) {
	w.came(key)
	w.rows[string(key)] = string(value)
	w.took += len(value)
}

func (w *orderWriter) Delete(key []byte)       { w.came(key); w.rows[string(key)] = "gone" }
func (w *orderWriter) DeleteRange(_, _ []byte) {}
func (w *orderWriter) Grow(bytes int)          { w.room = bytes }

// A checkpoint's rows are put in order, whatever tables they are of, firings too; what was removed and came back is there.
func TestCheckpointOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	keyed := func(table byte, n int) []byte { return fmt.Appendf([]byte{table}, "%0*d", 1+rng.IntN(9), n) }
	for range 50 {
		c := &checkpoint{}
		want := map[string]string{}
		var keys [2][]row
		for i := range rng.IntN(300) {
			key := keyed("dkmoruv"[rng.IntN(7)], i)
			if rng.IntN(3) == 0 {
				c.gone = append(c.gone, key)
				want[string(key)] = "gone"
			}
			switch rng.IntN(3) {
			case 0:
				c.rows = append(c.rows, row{key, []byte("row")})
				want[string(key)] = "row"
			case 1:
				s := rng.IntN(2)
				keys[s] = append(keys[s], row{key, []byte{}})
				want[string(key)] = ""
			}
		}
		for i := range rng.IntN(5) {
			c.firings.add([]nudge.Firing{{ID: fmt.Sprint(i), Rule: "r", Cursor: nudge.Cursor{Offset: nudge.Offset(i)}}})
		}
		w := &orderWriter{TB: t, rows: map[string]string{}}
		if err := c.write(w, keys[:]); err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if got, ok := w.rows[key]; !ok || got != value {
				t.Errorf("the row %q is %q (%v), want %q", key, got, ok, value)
			}
		}
		if w.took > w.room {
			t.Errorf("the rows take %d bytes of %d: a commit that must grow is copied, and is there twice meanwhile", w.took, w.room)
		}
		if len(w.rows) != len(want)+len(slices.Collect(c.firings.all())) {
			t.Errorf("%d rows, want %d and %d firings", len(w.rows), len(want), len(slices.Collect(c.firings.all())))
		}
	}
}

// A key that goes before a checkpoint begins leaves its entry to the next key. The checkpoint deletes the one's row, and does not take the other,
// which is in the store as it is.
func TestCheckpointAfterReuse(t *testing.T) {
	var keys table
	gone := keys.add(nudge.HashKey("visitor", "gone"), 0, "gone")
	keys.touch(gone)
	row := keys.rowKey(gone)
	rec := slices.Clone(keys.record(gone))
	keys.remove(gone)
	if same := keys.load(nudge.HashKey("visitor", "here"), bytes.Replace(rec, []byte("gone"), []byte("here"), 1)); same != gone {
		t.Fatalf("the next key has entry %d, not %d: this tests nothing", same, gone)
	}
	if removed := keys.freeze(); len(removed) != 1 || !bytes.Equal(removed[0], row) {
		t.Errorf("rows to delete: %q, not %q", removed, row)
	}
	if keys.serialise(10); len(keys.serialised) > 0 {
		t.Errorf("the checkpoint takes %d rows", len(keys.serialised))
	}
}

// The longest row of a firing takes the room that was made for it, and little less.
func TestFiringRoom(t *testing.T) {
	most := nudge.Firing{
		ID: "id", Cursor: nudge.Cursor{Offset: math.MaxUint64, N: math.MaxUint32}, Rule: "rule", Kind: math.MaxUint8, Per: "per", Key: "key",
		At: math.MinInt64, Cause: "cause", Visitor: "visitor", Suppressed: "cooldown", Source: math.MaxUint64,
	}
	for range 100 {
		most.Actions = append(most.Actions, nudge.Action{Kind: math.MaxUint8, Name: "name", Data: []byte(`{"text":"<b>"}`)})
		most.Sources = append(most.Sources, math.MaxUint64)
		took, room := rowOverhead+firingKeySize+len(appendFiring(nil, &most)), firingRoom(&most)
		if took > room || room-took > 32 {
			t.Errorf("a row of %d actions takes %d bytes, the room for it is %d", len(most.Actions), took, room)
		}
	}
}
