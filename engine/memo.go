package engine

import (
	"math"
	"strings"

	"nudge"
	"nudge/rules"
)

// memo remembers what rows meant, by the values that decide which tests they match: the events of a site are much the same again and again. It
// holds so few that they stay in the processor's nearest caches; what is met seldom is matched anew.
type memo struct {
	types []*memoType // by name id; nil: not met so far
	slots []memoSlot
}

// memoType is how rows of one type are remembered.
type memoType struct {
	slots       []int32 // whose values decide
	never       bool
	asked, knew int // since it was last looked whether remembering pays
	pause       int // so many rows are not looked up
}

type memoSlot struct {
	hash   uint64 // 0: nothing
	typ    nudge.NameID
	values []nudge.Value
	met    *met
}

const (
	memoSlots = 512
	memoText  = 128   // bytes of all texts of a row that is remembered
	memoWays  = 4     // places for a row
	memoAsk   = 1024  // rows, after which it pays if three quarters of them were known
	memoPause = 16384 // rows, before it is tried once more
)

// find is what a row meant before, nil if that is not known. hash is that of its values, 0 where it is not to be remembered.
func (r *memo) find(g *program, row *rules.Row) (m *met, hash uint64) {
	t := r.of(g, row.Type)
	if t.never {
		return nil, 0
	}
	if t.pause > 0 {
		t.pause--
		return nil, 0
	}
	if t.asked == memoAsk {
		if 4*t.knew < 3*t.asked {
			t.pause = memoPause
		}
		t.asked, t.knew = 0, 0
	}
	t.asked++
	if hash = t.hash(row); hash == 0 {
		return nil, 0
	}
	places := r.places(hash)
	for i := range places {
		if k := &places[i]; k.hash == hash && k.typ == row.Type && k.same(t, row) {
			t.knew++
			return k.met, hash
		}
	}
	return nil, hash
}

// places are those where a row with a hash may stand, the newest first.
func (r *memo) places(hash uint64) []memoSlot {
	at := hash % (memoSlots / memoWays) * memoWays
	return r.slots[at : at+memoWays]
}

// note remembers what a row means. hash is what find gave.
func (r *memo) note(g *program, row *rules.Row, hash uint64, m *met) {
	if hash == 0 {
		return
	}
	t, places := r.of(g, row.Type), r.places(hash)
	last := places[memoWays-1]
	copy(places[1:], places)
	places[0] = last
	k := &places[0]
	k.hash, k.typ, k.met, k.values = hash, row.Type, m, k.values[:0]
	for _, slot := range t.slots {
		v := row.Vals[slot]
		v.Text = strings.Clone(v.Text)
		k.values = append(k.values, v)
	}
}

func (r *memo) of(g *program, typ nudge.NameID) *memoType {
	if int(typ) < len(r.types) && r.types[typ] != nil {
		return r.types[typ]
	}
	if r.slots == nil {
		r.slots = make([]memoSlot, memoSlots)
	}
	for int(typ) >= len(r.types) {
		r.types = append(r.types, nil)
	}
	slots, ok := g.plan.Decides(typ)
	r.types[typ] = &memoType{slots: slots, never: !ok}
	return r.types[typ]
}

// hash is one of the values that decide, 0 if they are too long.
func (t *memoType) hash(row *rules.Row) uint64 {
	hash, bytes := uint64(row.Type)+1, 0
	for _, slot := range t.slots {
		v := &row.Vals[slot]
		part := uint64(v.Kind)
		if v.Kind == nudge.Text || v.Kind == nudge.JSON {
			bytes += len(v.Text)
			part += rules.TextHash(v.Text)
		} else {
			part += math.Float64bits(v.Num)
		}
		hash = (hash ^ part) * 0x9e3779b97f4a7c15
		hash ^= hash >> 32
	}
	if bytes > memoText {
		return 0
	}
	return hash
}

// same says whether the values that decide are those of a row.
func (k *memoSlot) same(t *memoType, row *rules.Row) bool {
	for i, slot := range t.slots {
		v, was := &row.Vals[slot], &k.values[i]
		if v.Kind != was.Kind || v.Text != was.Text || math.Float64bits(v.Num) != math.Float64bits(was.Num) {
			return false
		}
	}
	return true
}
