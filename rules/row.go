package rules

import (
	"slices"

	"nudge"
)

// fixedSlots are the slots of what a row does not take from a field as it stands, −1 where no rule reads it.
type fixedSlots struct {
	typ, ts, at int // of what stands in a record's header
	identity    [len(identityNames)]int
	filled      []int32 // those of identity that rules read
	header      bool    // rules read something of the header
	early       bool    // rules read a field that may stand before the place that Record.Who gives
}

// identityNames are the fields of which whoever reads a row says what they hold.
var identityNames = [...]nudge.NameID{nudge.NameVisitor, nudge.NameUser, nudge.NameCompany}

func (p *planner) fixedSlots() fixedSlots {
	find := func(id nudge.NameID) int {
		if slot, ok := p.slots[id]; ok {
			return slot
		}
		return -1
	}
	fixed := fixedSlots{typ: find(nudge.NameType), ts: find(nudge.NameTs), at: find(nudge.NameAt)}
	fixed.header = max(fixed.typ, fixed.ts, fixed.at) >= 0
	for i, id := range identityNames {
		fixed.identity[i] = find(id)
		if fixed.identity[i] >= 0 {
			fixed.filled = append(fixed.filled, int32(fixed.identity[i]))
		}
	}
	for id := range nudge.NameMailDomain + 1 {
		fixed.early = fixed.early || find(id) >= 0 && !slices.Contains(identityNames[:], id)
	}
	return fixed
}

// slotTable is the slots by name id, one more than they are, 0 for those of identityNames. Ids are dense, so a slice does.
func slotTable(fields []nudge.NameID) []int32 {
	if len(fields) == 0 {
		return nil
	}
	table := make([]int32, int(slices.Max(fields))+1)
	for slot, id := range fields {
		if !slices.Contains(identityNames[:], id) {
			table[id] = int32(slot) + 1
		}
	}
	return table
}

// Slot is where a row holds a field, −1 if no rule reads it.
func (p *Plan) Slot(name nudge.NameID) int {
	if i := slices.Index(identityNames[:], name); i >= 0 {
		return p.fixed.identity[i]
	}
	if int(name) >= len(p.slots) {
		return -1
	}
	return int(p.slots[name]) - 1
}

// Read fills row from a record stamped at. The row's texts point into the record. Of a field that is there twice the first counts.
// Nothing is allocated once the row has been used with this plan, and no more is touched than the record has fields.
func (p *Plan) Read(rec nudge.Record, at nudge.Millis, row *Row) {
	p.ReadFrom(rec, 0, at, row)
	for i, slot := range p.fixed.identity {
		if slot >= 0 {
			row.Vals[slot] = rec.Field(identityNames[i])
		}
	}
}

// ReadFrom is Read by somebody who has asked the record who it is about: from is what Record.Who gave, or 0. It leaves what the slots of visitor,
// user and company hold to the caller.
func (p *Plan) ReadFrom(rec nudge.Record, from int, at nudge.Millis, row *Row) {
	row.Type, row.At, row.Ts = rec.Type(), at, at
	if ts, given := rec.Ts(); given && ts < at {
		row.Ts = ts // I6: never later than at
	}
	if row.plan != p {
		p.begin(row)
	}
	for kept := len(p.fixed.filled); len(row.filled) > kept; { // nothing is left of the record before
		last := len(row.filled) - 1
		row.Vals[row.filled[last]] = nudge.Value{}
		row.filled = row.filled[:last]
	}
	if p.fixed.early {
		from = 0
	}
	rec.Fill(from, p.slots, &row.Vals, &row.filled)
	if rec.Spelled() {
		p.readSpelled(rec, row)
	}
	if p.fixed.header {
		p.fillHeader(row)
	}
}

// readSpelled takes what the record has under names that it spells out: rules that came since it was made may use them.
func (p *Plan) readSpelled(rec nudge.Record, row *Row) {
	if row.Type == nudge.NameOther {
		if id, known := p.names.Find(rec.SpelledType()); known {
			row.Type = id
		}
	}
	for it := rec.Fields(); it.Next(); {
		if it.Name != nudge.NameOther {
			continue
		}
		id, known := p.names.Find(it.Spell(p.names))
		if slot := p.Slot(id); known && slot >= 0 && row.Vals[slot].Kind == nudge.Missing {
			row.fill(slot, it.Value)
		}
	}
}

func (p *Plan) fillHeader(row *Row) {
	if p.fixed.typ >= 0 && row.Type != nudge.NameOther { // else it was a field
		row.fill(p.fixed.typ, nudge.TextValue(p.names.Text(row.Type)))
	}
	if p.fixed.ts >= 0 {
		row.fill(p.fixed.ts, nudge.NumberValue(float64(row.Ts)))
	}
	if p.fixed.at >= 0 {
		row.fill(p.fixed.at, nudge.NumberValue(float64(row.At)))
	}
}

// begin makes the row one of this plan, without values.
func (p *Plan) begin(row *Row) {
	row.plan = p
	row.Vals = slices.Grow(row.Vals[:0], len(p.Fields))[:len(p.Fields)]
	clear(row.Vals)
	row.filled = append(row.filled[:0], p.fixed.filled...)
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
