package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"nudge"
	"nudge/rules"
)

// partial is a partial match of the model.
type partial struct{ first, newest nudge.Millis }

// sequenceModel does step by step what the language says, on a map of partials by how many steps they have.
type sequenceModel struct {
	nos      []bool
	window   nudge.Millis
	partials map[int]partial
}

func (m *sequenceModel) take(steps, nos map[int]bool, ts nudge.Millis, late bool) (pulse bool) {
	n, standing := len(m.nos)+1, map[int]bool{} // what this event has not created
	for reached := range m.partials {
		standing[reached] = true
	}
	for reached := n - 1; reached >= 1; reached-- { // the partial that waits for step number reached
		p, ok := m.partials[reached]
		if ok && steps[reached] && ts >= p.newest && ts < p.first+m.window {
			if reached == n-1 && !late {
				clear(m.partials)
				return true
			}
			if q, ok := m.partials[reached+1]; reached < n-1 && (!ok || p.first >= q.first) {
				m.partials[reached+1] = partial{p.first, ts}
				delete(standing, reached+1)
			}
		}
	}
	if p, ok := m.partials[1]; steps[0] && !late && (!ok || ts >= p.first) {
		m.partials[1] = partial{ts, ts}
		delete(standing, 1)
	}
	for reached := range standing {
		if nos[reached-1] && m.nos[reached-1] && ts >= m.partials[reached].newest {
			delete(m.partials, reached)
		}
	}
	return false
}

// TestSequenceAgainstModel holds the flat bytes to a model over random steps, matches and times.
func TestSequenceAgainstModel(t *testing.T) {
	pulses := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 8))
		n := 2 + r.IntN(4)
		if seed%50 == 0 {
			n = 16
		}
		m := sequenceModel{window: nudge.Millis(1 + r.IntN(60)), partials: map[int]partial{}}
		steps := make([]rules.Step, n)
		for range n - 1 {
			m.nos = append(m.nos, r.IntN(2) == 0)
		}
		q, now := sequence(make([]byte, sequenceHeader+partialBytes*(n-1))), nudge.Millis(0)
		for step := range 200 {
			now += nudge.Millis(r.IntN(4))
			ts, late := now-nudge.Millis(r.IntN(2)*r.IntN(20)), r.IntN(8) == 0
			matched, broken := map[int]bool{}, map[int]bool{}
			var roles role
			for i := range n {
				if r.IntN(n) <= 1 {
					matched[i] = true
					roles |= stepRole(i)
				}
				if i < n-1 && m.nos[i] && r.IntN(6) == 0 {
					broken[i] = true
					roles |= noRole(i)
				}
			}
			got, want := q.advance(steps, roles, ts, m.window, late), m.take(matched, broken, ts, late)
			if want {
				pulses++
			}
			if got != want || q.text() != m.text() {
				t.Fatalf("seed %d, step %d: pulse %v, partials %s; want %v, %s", seed, step, got, q.text(), want, m.text())
			}
		}
	}
	if pulses < 1500 {
		t.Fatalf("only %d pulses", pulses)
	}
}

func (q sequence) text() string {
	var b strings.Builder
	for i := range (len(q) - sequenceHeader) / partialBytes {
		if q.stands(i) {
			fmt.Fprintf(&b, "%d:%d-%d ", i+1, q.first(i), q.newest(i))
		} else if strings.Trim(string(q.partial(i)), "\x00") != "" {
			fmt.Fprintf(&b, "%d:traces ", i+1)
		}
	}
	return b.String()
}

func (m *sequenceModel) text() string {
	var b strings.Builder
	for i := 1; i <= len(m.nos); i++ {
		if p, ok := m.partials[i]; ok {
			fmt.Fprintf(&b, "%d:%d-%d ", i, p.first, p.newest)
		}
	}
	return b.String()
}

// TestSequenceByHand is what the language's page says in so many words. An event is its time, the steps that it matches, and "!" and the
// steps after which it must not come; "late" may follow.
func TestSequenceByHand(t *testing.T) {
	for name, c := range map[string]struct {
		steps  int
		events string
		want   string // times of the pulses
	}{
		"in order":                            {3, "1 a, 2 b, 3 c", "3"},
		"out of order":                        {2, "1 b, 2 a", ""},
		"each step another event":             {2, "1 ab, 2 ab, 3 a, 4 b", "2 4"},
		"the window is open at its end":       {2, "1 a, 11 b", ""},
		"one less than the window":            {2, "1 a, 10 b", "10"},
		"the same time will do":               {2, "5 a, 5 b", "5"},
		"an older event does not extend":      {2, "5 a, 4 b", ""},
		"a new start replaces":                {2, "1 a, 8 a, 15 b", "15"},
		"an older start does not":             {2, "8 a, 1 a, 15 b", "15"},
		"the extended partial stays":          {3, "1 a, 2 b, 3 b, 4 c", "4"},
		"a newer first replaces":              {3, "1 a, 2 b, 8 a, 9 b, 14 c", "14"},
		"an older first does not":             {3, "8 a, 9 b, 1 a, 14 c", "14"},
		"all is cleared":                      {2, "1 a, 2 b, 3 b", "2"},
		"the last step starts nothing":        {2, "1 a, 2 ab, 3 b", "2"},
		"no between":                          {2, "1 a, 2 !a, 3 b", ""},
		"no before":                           {2, "1 !a, 2 a, 3 b", "3"},
		"an older no is too late to break it": {2, "5 a, 4 !a, 6 b", "6"},
		"a start is not its own no":           {2, "1 a!a, 2 b", "2"},
		"a step is not its own no":            {3, "1 a, 2 b!b, 3 c", "3"},
		"the next step before the no":         {3, "1 a, 2 b!a, 3 c", "3"},
		"and where it came from goes":         {3, "1 a, 2 b!a, 3 b!b, 4 b, 5 c", ""},
		"what is dropped saves nothing":       {3, "3 a, 4 b, 6 !a, 2 a, 7 b!b, 8 c", ""},
		"a no that completes":                 {2, "1 a, 2 b!a", "2"},
		"a late event starts nothing":         {2, "1 a late, 2 b", ""},
		"completes nothing":                   {2, "1 a, 2 b late, 3 b", "3"},
		"extends":                             {3, "1 a, 2 b late, 3 c", "3"},
		"breaks":                              {2, "1 a, 2 !a late, 3 b", ""},
	} {
		q := sequence(make([]byte, sequenceHeader+partialBytes*(c.steps-1)))
		steps := make([]rules.Step, c.steps)
		var got []string
		for _, e := range strings.Split(c.events, ", ") {
			var ts nudge.Millis
			var what string
			if _, err := fmt.Sscan(e, &ts, &what); err != nil {
				t.Fatal(err)
			}
			matched, broken, _ := strings.Cut(what, "!")
			var roles role
			for _, x := range matched {
				roles |= stepRole(int(x - 'a'))
			}
			for _, x := range broken {
				roles |= noRole(int(x - 'a'))
			}
			if q.advance(steps, roles, ts, 10, strings.HasSuffix(e, "late")) {
				got = append(got, fmt.Sprint(ts))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: pulses at %v, want %s", name, got, c.want)
		}
	}
}
