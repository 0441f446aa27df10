package bench

import (
	"slices"
	"strings"

	"nudge/rules"
)

// part is some of the workload's rules, and the peers that have just those. A peer that has fewer rules has less to do: what it is compared with is
// the core with the same ones.
type part struct {
	ids     []string
	want    *firingSet // the hand-written program's
	answers answers    // the same
	stream  *stream    // with these rules
	core    *applied   // over that stream
	peers   []*measured
}

// parts begins with the part that is all rules.
type parts []*part

// partsOf are the parts that peers have, as they are first met.
func partsOf(s *stream, peers []*peer) (all parts, err error) {
	h := s.load.hand(s)
	for i := range s.events {
		h.apply(&s.events[i])
	}
	add := func(ids []string) error {
		p := &part{ids: ids, want: newFiringSet(), core: &applied{shards: 1}}
		for _, f := range h.fired() {
			if id := s.load.ids()[f.rule]; slices.Contains(ids, id) {
				p.want.add(id, f.key, f.at)
				p.answers.add(f.rule, f.key, f.at, mostRules)
			}
		}
		p.stream, err = s.with(ids)
		all = append(all, p)
		return err
	}
	if err := add(s.load.ids()); err != nil {
		return nil, err
	}
	for _, p := range peers {
		if p.only != nil && all.of(p) == nil {
			if err := add(p.only); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// of is the part that a peer has.
func (all parts) of(p *peer) *part {
	if p.only == nil {
		return all[0]
	}
	for _, part := range all {
		if slices.Equal(part.ids, p.only) {
			return part
		}
	}
	return nil
}

func (p *part) name() string { return strings.Join(p.ids, " and ") }

// with is the stream with some of its rules. The memory stays s's.
func (s *stream) with(ids []string) (*stream, error) {
	var some []rules.Source
	for i, id := range s.load.ids() {
		if slices.Contains(ids, id) {
			some = append(some, s.load.rules[i])
		}
	}
	plan, err := compile(some, s.names)
	if err != nil {
		return nil, err
	}
	part := *s
	part.plan, part.frees = plan, nil
	return &part, nil
}
