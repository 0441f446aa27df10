package rules

import (
	"slices"

	"nudge"
)

// Matches are the tests that rows match. It is reused: once it has grown nothing is allocated.
type Matches struct {
	rows    [][]int32
	probes  []probe
	numbers [][8]byte // texts of probes
	at      int       // the row that is being looked at, -1: none
	sum     int       // keeps the steps of answer from being left out
}

// probe is a text that a row asks a large index for. Its answer waits until all rows of the block have asked.
type probe struct {
	filed *filed
	text  string
	hash  uint64
	row   int32
	at    uint32 // of the entry at the hash's own slot, 0: none, or of another text
}

// Of is what the i-th row matches, in no order, until the next MatchBlock. A test may be in it twice.
func (m *Matches) Of(i int) []int32 { return m.rows[i] }

// At is which row MatchBlock is looking at, -1 if none: where a panic has ended it, the row to blame.
func (m *Matches) At() int { return m.at }

// MatchBlock is Match for the listed rows, but for the order. Among thousands of tests what a row asks for lies far away, in different places: it is asked
// for all rows before the first is answered.
func (p *Plan) MatchBlock(rows []Row, list []int32, m *Matches) {
	for len(m.rows) < len(list) {
		m.rows = append(m.rows, nil)
	}
	m.probes, m.numbers = m.probes[:0], m.numbers[:0]
	for j, i := range list {
		m.at = j
		a := asking{found: m.rows[j][:0], block: m, row: int32(j)}
		p.candidates(&rows[i], &a)
		m.rows[j] = a.found
	}
	m.answer()
	for j, i := range list {
		m.at = j
		m.rows[j] = p.matching(&rows[i], m.rows[j])
	}
	m.at = -1
}

// answer looks up what the rows ask for, step by step for all of them: the processor waits for the memory of a step together.
func (m *Matches) answer() {
	for i := range m.probes {
		q := &m.probes[i]
		q.at = q.filed.packed.home(q.hash)
	}
	for i := range m.probes {
		q := &m.probes[i]
		m.sum += int(q.filed.packed.entries[max(q.at, 1)-1])
	}
	for i := range m.probes {
		q := &m.probes[i]
		m.rows[q.row] = q.filed.appendTo(m.rows[q.row], q.hash, q.text)
	}
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
