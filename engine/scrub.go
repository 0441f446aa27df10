package engine

import (
	"encoding/binary"
	"unsafe"

	"nudge"
	"nudge/rules"
)

// What an erasure takes from the keys that stay, those of companies and of other texts: every text and value that an event of the person
// brought, and every text that names it. Numbers stay: how many there were, also how many different ones, when, and how much. So no
// condition over numbers changes, and nothing that happened is counted otherwise afterwards.

// scrubber goes through the keys of one shard.
type scrubber struct {
	shard  *shard
	person *person
	off    nudge.Offset // of the erase record
	at     nudge.Millis // its instant
	ops    []int32      // number → operator
	left   nudge.Millis // what the slot under way holds and is not newer has left its window
	counts *eraseCounts
}

// scrub goes through the shard's keys that are no person's, and through the users that knew the person's visitors.
func (s *shard) scrub(x *erased, users []string, counts *eraseCounts) {
	c := &scrubber{shard: s, person: x.person, off: x.off, at: x.at, counts: counts, ops: s.program.opsByNumber()}
	for _, text := range users {
		if hash := nudge.HashKey(scopeUser, text); s.owns(hash) {
			if i := s.tables[1].lookup(hash, rules.ScopeUser, text); i != noEntry {
				c.slots(&s.tables[1], i, false)
			}
		}
	}
	t := &s.tables[levels-1]
	named := s.program.namedAfterPersons()
	s.eachKey(levels-1, func(i uint32) { c.key(t, i, named) })
}

// opsByNumber are the operators by number, -1 for cooldowns, pools and what no rule uses.
func (g *program) opsByNumber() []int32 {
	ops := make([]int32, len(g.live))
	for num := range ops {
		ops[num] = -1
	}
	for i, num := range g.nums {
		if num != 0 {
			ops[num] = int32(i)
		}
	}
	return ops
}

// namedAfterPersons are the numbers of the scopes that rules have, each with whether its keys are texts of visitors, users or mail addresses.
func (g *program) namedAfterPersons() map[uint16]bool {
	named := map[uint16]bool{}
	for i, used := range g.usedScopes() {
		sc, num := &g.plan.Scopes[i], g.scopeNums[i]
		if !used {
			continue
		}
		named[num] = false
		for _, slot := range sc.Reads {
			switch g.plan.Fields[slot] {
			case nudge.NameVisitor, nudge.NameUser, nudge.NameEmail:
				named[num] = true
			}
		}
	}
	return named
}

// key removes a key that is named after the person, or that no rule watches any more; every other one stays without the person's texts.
func (c *scrubber) key(t *table, i uint32, named map[uint16]bool) {
	num, text := t.identity(i)
	afterPersons, watched := named[num]
	switch {
	case !watched:
		t.remove(i)
	case afterPersons && c.person.isForm(string(text)):
		if !c.shard.isVacant(t, i) {
			c.counts.Others++
		}
		t.remove(i)
	default:
		c.slots(t, i, true)
	}
}

// slots goes through a key's slots. Where rules have left some behind, those go altogether, whatever they hold.
func (c *scrubber) slots(t *table, i uint32, others bool) {
	d := directoryOf(t.record(i))
	unused := 0
	for j := range d.len() {
		num, slot := d.slot(j)
		if !c.live(num) {
			unused++
		} else if op := c.ops[num]; op >= 0 {
			op := &c.shard.program.plan.Ops[op]
			c.left = c.shard.program.above(num, expiredAt(c.at, op.Window))
			c.slot(op.Kind, slot, t, i, others)
		}
	}
	switch unused {
	case 0:
	case d.len():
		t.remove(i)
	default:
		t.touch(i)
		t.strip(i, func(num uint32) bool { return !c.live(num) })
	}
}

// live says whether the running rules use a slot.
func (c *scrubber) live(num uint32) bool {
	live := c.shard.program.live
	return int(num) < len(live) && live[num]
}

// slot takes the person's texts out of one slot, whose length stays.
func (c *scrubber) slot(kind rules.OpKind, slot []byte, t *table, i uint32, others bool) {
	switch kind {
	case rules.OpValues:
		c.values(slot, t, i)
	case rules.OpLast:
		c.last(slot, t, i)
	case rules.OpDistinct:
		c.distinct(slot, t, i, others)
	case rules.OpAbsent, rules.OpDwell:
		if len(slot) >= waitHeader {
			c.wait(slot, t, i)
		}
	}
}

// count counts a value that goes, unless its time has left the window: then it may have gone before.
func (c *scrubber) count(time nudge.Millis) {
	if time > c.left {
		c.counts.Values++
	}
}

func (c *scrubber) values(slot []byte, t *table, i uint32) {
	var out []byte
	kept, gone, header := 0, 0, entryHeader(slot)
	entries := valueEntries(slot)
	for rest := entries; len(rest) > 0; {
		size := header + valueBytes(rest[header:])
		switch {
		case c.person.brought(entrySource(rest, header)) || c.names(rest[header:]):
			c.count(nudge.Millis(binary.LittleEndian.Uint64(rest)))
			if gone++; gone == 1 {
				out = append(out, entries[:len(entries)-len(rest)]...)
			}
		default:
			if kept++; gone > 0 {
				out = append(out, rest[:size]...)
			}
		}
		rest = rest[size:]
	}
	if gone > 0 {
		t.touch(i)
		putValues(slot, out, kept)
	}
}

// names says whether an encoded value is a text that names the person.
func (c *scrubber) names(value []byte) bool {
	if nudge.ValueKind(value[0]) != nudge.Text {
		return false
	}
	text := value[3:valueBytes(value)]
	return c.person.isForm(unsafe.String(unsafe.SliceData(text), len(text)))
}

// last leaves of a value its time: the newest event has none of which anything is known.
func (c *scrubber) last(slot []byte, t *table, i uint32) {
	v := lastValue(slot)
	if v.Kind == nudge.Missing || !c.person.brought(lastSource(slot)) && (v.Kind != nudge.Text || !c.person.isForm(v.Text)) {
		return
	}
	t.touch(i)
	c.count(lastTime(slot))
	clear(slot[lastHeader-1-sourceBytes:])
}

// distinct makes of a value that names the person one that nothing is equal to, and at other keys than persons' of every short text its
// hash: it may have been the person's.
func (c *scrubber) distinct(d distinctSet, t *table, i uint32, others bool) {
	for j := range d.len() {
		id := d.value(j)
		text, short := shortOf(id)
		switch {
		case short && c.person.isForm(text) || c.person.isFormDigest(digest(id)):
			t.touch(i)
			c.count(d.at(j))
			copy(id, c.nobody(j))
		case short && others:
			t.touch(i)
			hash := digestOf(text)
			copy(id, hash[:])
			d[2] |= flagHashed
		}
	}
}

// nobody is a value that stands for one that was erased: no value is equal to it, and in the same set no other that was erased.
func (c *scrubber) nobody(place int) []byte {
	id := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(c.off))
	id[0] = 0x40
	return binary.BigEndian.AppendUint64(id, uint64(place))
}

// wait forgets what was kept of the person's event, or the texts that name it. The wait goes on.
func (c *scrubber) wait(w wait, t *table, i uint32) {
	kept := w.kept()
	all := c.person.brought(keptSource(kept))
	out, changed := make([]byte, 2, len(kept)), false
	visitor := eachKept(kept, func(hash uint64, field []byte) {
		if all || hash != sourceField && c.names(field[8:]) {
			changed = true
		} else {
			out = append(out, field...)
		}
	})
	switch {
	case visitor == "":
	case all || c.person.isVisitor(visitor):
		changed = true
	default:
		out = append(append(binary.LittleEndian.AppendUint16(nil, uint16(len(visitor))), visitor...), out[2:]...)
	}
	if !changed {
		return
	}
	t.touch(i)
	if w[0] != waitIdle {
		c.counts.Values++
	}
	w.keep(out)
}
