package rules

import (
	"slices"

	"nudge"
)

// Matches are the tests that rows match. It is reused: once it has grown nothing is allocated.
type Matches struct {
	rows [][]int32
	at   int // the row that is being looked at, -1: none
}

// Of is what the i-th row matches, in no order, until the next MatchBlock. A test may be in it twice.
func (m *Matches) Of(i int) []int32 { return m.rows[i] }

// At is which row MatchBlock is looking at, -1 if none: where a panic has ended it, the row to blame.
func (m *Matches) At() int { return m.at }

// MatchBlock is Match for the listed rows, but for the order.
func (p *Plan) MatchBlock(rows []Row, list []int32, m *Matches) {
	for len(m.rows) < len(list) {
		m.rows = append(m.rows, nil)
	}
	for j, i := range list {
		m.at = j
		m.rows[j] = p.matchAny(&rows[i], m.rows[j][:0])
	}
	m.at = -1
}

// fewTests is up to how many tests Decides looks through.
const fewTests = 1000

// Decides are the slots whose values, with the row's type, decide which tests a row of the type matches. ok is false where there are many tests.
func (p *Plan) Decides(typ nudge.NameID) (slots []int32, ok bool) {
	if len(p.Tests) > fewTests {
		return nil, false
	}
	name := p.names.Text(typ)
	for i := range p.Tests {
		t := p.Tests[i].term
		if types, bound := requiredTypes(t); bound && !slices.Contains(types, name) {
			continue
		}
		t.each(func(t *term) {
			if t.kind == termField {
				if id, known := p.names.Find(t.name); known && p.Slot(id) >= 0 {
					slots = append(slots, int32(p.Slot(id)))
				}
			}
		})
	}
	slices.Sort(slots)
	return slices.Compact(slots), true
}
