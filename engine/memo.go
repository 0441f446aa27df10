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
	sets  *[memoSets][memoWays]memoSlot
}

// memoType is how rows of one type are remembered.
type memoType struct {
	slots       []int32 // whose values decide
	asked, knew int     // since it was last looked whether remembering pays
	pause       int     // so many rows are not looked up
}

type memoSlot struct {
	hash   uint64 // 0: nothing
	typ    nudge.NameID
	values []nudge.Value
	met    *met
}

const (
	memoSets  = 512
	memoWays  = 2     // places for a row
	memoText  = 128   // bytes of all texts of a row that is remembered
	memoAsk   = 1024  // rows, after which it pays if three quarters of them were known
	memoPause = 16384 // rows, before it is tried once more
)

// find is what a row meant before, nil if that is not known. hash is that of its values, 0 where it is not to be remembered.
func (r *memo) find(g *program, row *rules.Row) (m *met, hash uint64) {
	var t *memoType
	if int(row.Type) < len(r.types) {
		t = r.types[row.Type]
	}
	if t == nil {
		t = r.add(g, row.Type)
	}
	if t.pause > 0 {
		t.pause--
		return nil, 0
	}
	if t.asked++; t.asked > memoAsk {
		t.judge()
	}
	hash = t.hash(row)
	set := &r.sets[hash%memoSets]
	for i := range set {
		if k := &set[i]; k.hash == hash && k.typ == row.Type && k.same(t.slots, row.Vals) {
			t.knew++
			return k.met, hash
		}
	}
	return nil, hash
}

// judge makes a pause where remembering does not pay.
func (t *memoType) judge() {
	if 4*t.knew < 3*memoAsk {
		t.pause = memoPause
	}
	t.asked, t.knew = 1, 0
}

// note remembers what a row means, unless its texts are long. hash is what find gave.
func (r *memo) note(g *program, row *rules.Row, hash uint64, m *met) {
	if hash == 0 {
		return
	}
	t, bytes := r.types[row.Type], 0
	for _, slot := range t.slots {
		bytes += len(row.Vals[slot].Text)
	}
	if bytes > memoText {
		return
	}
	set := &r.sets[hash%memoSets] // the newest first
	last := set[memoWays-1]
	copy(set[1:], set[:])
	set[0] = last
	k := &set[0]
	k.hash, k.typ, k.met, k.values = hash, row.Type, m, k.values[:0]
	for _, slot := range t.slots {
		v := row.Vals[slot]
		v.Text = strings.Clone(v.Text)
		k.values = append(k.values, v)
	}
}

// add begins with a type. Rows of one for which there are many tests are never looked up.
func (r *memo) add(g *program, typ nudge.NameID) *memoType {
	if r.sets == nil {
		r.sets = new([memoSets][memoWays]memoSlot)
	}
	for int(typ) >= len(r.types) {
		r.types = append(r.types, nil)
	}
	t := &memoType{}
	var ok bool
	if t.slots, ok = g.plan.Decides(typ); !ok {
		t.pause = math.MaxInt
	}
	r.types[typ] = t
	return t
}

// hash is one of the values that decide, never 0.
func (t *memoType) hash(row *rules.Row) uint64 {
	hash, vals := uint64(row.Type)+1, row.Vals
	for _, slot := range t.slots {
		v := &vals[slot]
		part := uint64(v.Kind)
		if v.Text != "" {
			part += rules.TextHash(v.Text)
		} else {
			part += math.Float64bits(v.Num)
		}
		hash = (hash ^ part) * 0x9e3779b97f4a7c15
		hash ^= hash >> 32
	}
	return hash | 1<<63
}

// same says whether the values that decide are those of a row.
func (k *memoSlot) same(slots []int32, vals []nudge.Value) bool {
	was := k.values[:len(slots)]
	for i, slot := range slots {
		v, w := &vals[slot], &was[i]
		if v.Kind != w.Kind || math.Float64bits(v.Num) != math.Float64bits(w.Num) || len(v.Text) != len(w.Text) {
			return false
		}
		if v.Text != "" && v.Text != w.Text {
			return false
		}
	}
	return true
}
