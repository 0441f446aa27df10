package rules

import (
	"slices"

	"nudge"
)

// fixedSlots are the slots of what stands in a record's header, −1 where no rule reads it.
type fixedSlots struct {
	typ, ts, at int
}

func (p *planner) fixedSlots() fixedSlots {
	find := func(id nudge.NameID) int {
		if slot, ok := p.slots[id]; ok {
			return slot
		}
		return -1
	}
	return fixedSlots{typ: find(nudge.NameType), ts: find(nudge.NameTs), at: find(nudge.NameAt)}
}

// slotTable is the slots by name id, one more than they are. Ids are dense, so a slice does.
func (p *planner) slotTable() []int32 {
	if len(p.plan.Fields) == 0 {
		return nil
	}
	table := make([]int32, int(slices.Max(p.plan.Fields))+1)
	for slot, id := range p.plan.Fields {
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
// Nothing is allocated once the row has been used with this plan.
func (p *Plan) Read(rec nudge.Record, at nudge.Millis, row *Row) {
	row.Type, row.At, row.Ts = rec.Type(), at, at
	if ts, given := rec.Ts(); given && ts < at {
		row.Ts = ts // I6: never later than at
	}
	row.Vals = slices.Grow(row.Vals[:0], len(p.Fields))[:len(p.Fields)]
	clear(row.Vals)
	for it := rec.Fields(); it.Next(); {
		if slot := p.Slot(it.Name); slot >= 0 && row.Vals[slot].Kind == nudge.Missing {
			row.Vals[slot] = it.Value
		}
	}
	if p.fixed.typ >= 0 {
		row.Vals[p.fixed.typ] = nudge.TextValue(p.names.Text(row.Type))
	}
	if p.fixed.ts >= 0 {
		row.Vals[p.fixed.ts] = nudge.NumberValue(float64(row.Ts))
	}
	if p.fixed.at >= 0 {
		row.Vals[p.fixed.at] = nudge.NumberValue(float64(row.At))
	}
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
