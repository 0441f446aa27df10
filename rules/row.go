package rules

import (
	"slices"

	"nudge"
)

// fixedSlots are the slots of what stands in a record's header, −1 where no rule reads it.
type fixedSlots struct {
	typ, ts, at int
	identity    []int32 // slots of visitor, user and company: the engine sets them after Read
}

func (p *planner) fixedSlots() fixedSlots {
	find := func(id nudge.NameID) int {
		if slot, ok := p.slots[id]; ok {
			return slot
		}
		return -1
	}
	fixed := fixedSlots{typ: find(nudge.NameType), ts: find(nudge.NameTs), at: find(nudge.NameAt)}
	for _, id := range identityNames {
		if slot := find(id); slot >= 0 {
			fixed.identity = append(fixed.identity, int32(slot))
		}
	}
	return fixed
}

var identityNames = [...]nudge.NameID{nudge.NameVisitor, nudge.NameUser, nudge.NameCompany}

// slotTable is the slots by name id, one more than they are. Ids are dense, so a slice does.
func slotTable(fields []nudge.NameID) []int32 {
	if len(fields) == 0 {
		return nil
	}
	table := make([]int32, int(slices.Max(fields))+1)
	for slot, id := range fields {
		table[id] = int32(slot) + 1
	}
	return table
}

// Slot is where a row holds a field, −1 if no rule reads it.
func (p *Plan) Slot(name nudge.NameID) int {
	if int(name) >= len(p.slots) {
		return -1
	}
	return int(p.slots[name]) - 1
}

// Read fills row from a record stamped at. The row's texts point into the record. Of a field that is there twice the first counts.
// Nothing is allocated once the row has been used with this plan, and no more is touched than the record has fields.
func (p *Plan) Read(rec nudge.Record, at nudge.Millis, row *Row) {
	row.Type, row.At, row.Ts = rec.Type(), at, at
	if ts, given := rec.Ts(); given && ts < at {
		row.Ts = ts // I6: never later than at
	}
	p.empty(row)
	row.filled = rec.Fill(p.slots, row.Vals, row.filled)
	for _, slot := range p.fixed.identity {
		if row.Vals[slot].Kind == nudge.Missing {
			row.filled = append(row.filled, slot)
		}
	}
	if p.fixed.typ >= 0 {
		row.fill(p.fixed.typ, nudge.TextValue(p.names.Text(row.Type)))
	}
	if p.fixed.ts >= 0 {
		row.fill(p.fixed.ts, nudge.NumberValue(float64(row.Ts)))
	}
	if p.fixed.at >= 0 {
		row.fill(p.fixed.at, nudge.NumberValue(float64(row.At)))
	}
}

// empty makes the row one of this plan without values.
func (p *Plan) empty(row *Row) {
	if row.plan == p {
		for _, slot := range row.filled {
			row.Vals[slot] = nudge.Value{}
		}
	} else {
		row.plan = p
		row.Vals = slices.Grow(row.Vals[:0], len(p.Fields))[:len(p.Fields)]
		clear(row.Vals)
	}
	row.filled = row.filled[:0]
}

func (row *Row) fill(slot int, v nudge.Value) {
	row.Vals[slot] = v
	row.filled = append(row.filled, int32(slot))
}

// RuleByID finds a rule.
func (p *Plan) RuleByID(id string) (*Rule, bool) {
	for i := range p.Rules {
		if p.Rules[i].ID == id {
			return &p.Rules[i], true
		}
	}
	return nil, false
}
