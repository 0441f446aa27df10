package rules

import (
	"slices"

	"nudge"
)

// What a row may match among ten thousand rules lies scattered over more memory than the processor's caches hold: each step of a look-up, from
// slot to text to tests, waits for the one before. So the look-ups of many rows are made step by step together: with nothing done at the end of a
// step but to have been there, the processor waits for all of them at once.

// Matches are the tests that rows match. It is reused: once it has grown nothing is allocated.
type Matches struct {
	rows [][]int32
	at   int // the row that is being looked at, -1: none
	ask  questions
	read int // keeps the steps from being left out
}

// Of is what the i-th row matches, ascending, until the next MatchBlock.
func (m *Matches) Of(i int) []int32 { return m.rows[i] }

// At is which row MatchBlock is looking at, -1 if none: where a panic has ended it, the row to blame.
func (m *Matches) At() int { return m.at }

// questions are look-ups of texts that are still to be made.
type questions struct {
	row  int32 // for which is asked
	list []question
}

type question struct {
	table *table[string, []int32]
	hash  uint64
	text  string
	row   int32
}

// askText appends the tests that are filed under a text; with ask it is only noted where they are not near.
func askText(s *shelf[string, []int32], text string, dst []int32, ask *questions) []int32 {
	if s.base.taken == 0 && s.fresh.taken == 0 {
		return dst
	}
	hash := TextHash(text)
	if ask == nil || s.base.taken < manyTexts {
		tests, _ := s.get(hash, text)
		return append(dst, tests...)
	}
	if s.fresh.taken > 0 {
		if tests, found := s.fresh.get(hash, text); found {
			return append(dst, tests...)
		}
	}
	ask.list = append(ask.list, question{&s.base, hash, text, ask.row})
	return dst
}

// manyTexts is from how many texts on a table is not near.
const manyTexts = 256

// MatchBlock is Match for the listed rows together.
func (p *Plan) MatchBlock(rows []Row, list []int32, m *Matches) {
	for len(m.rows) < len(list) {
		m.rows = append(m.rows, nil)
	}
	ask := &m.ask
	ask.list = ask.list[:0]
	for j, i := range list {
		m.at, ask.row = j, int32(j)
		m.rows[j] = p.candidates(&rows[i], m.rows[j][:0], ask)
	}
	m.at = -1
	m.answer()
	for j := range list {
		for _, i := range m.rows[j] {
			if i < 0 && p.Tests[^i].left != nil {
				m.read++
			}
		}
	}
	for j, i := range list {
		m.at = j
		m.rows[j] = p.matching(&rows[i], m.rows[j])
	}
	m.at = -1
}

// answer makes the look-ups that are noted.
func (m *Matches) answer() {
	list := m.ask.list
	for i := range list {
		m.read += int(list[i].table.home(list[i].hash).hash)
	}
	for i := range list {
		q := &list[i]
		if s := q.table.home(q.hash); s.hash == q.hash && len(s.key) > 0 && len(s.value) > 0 {
			m.read += int(s.key[0]) + int(s.value[0])
		}
	}
	for i := range list {
		q := &list[i]
		tests, _ := q.table.get(q.hash, q.text)
		m.rows[q.row] = append(m.rows[q.row], tests...)
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
