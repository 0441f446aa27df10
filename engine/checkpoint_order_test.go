package engine

import (
	"bytes"
	"fmt"
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
}

func (w *orderWriter) came(key []byte) {
	if bytes.Compare(key, w.last) <= 0 {
		w.Errorf("the row %q comes behind %q", key, w.last)
	}
	w.last = slices.Clone(key)
}

func (w *orderWriter) Put(key, value []byte)   { w.came(key); w.rows[string(key)] = string(value) }
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
			c.firings = append(c.firings, nudge.Firing{ID: fmt.Sprint(i), Cursor: nudge.Cursor{Offset: nudge.Offset(i)}})
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
		if len(w.rows) != len(want)+len(c.firings) {
			t.Errorf("%d rows, want %d and %d firings", len(w.rows), len(want), len(c.firings))
		}
	}
}
