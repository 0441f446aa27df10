package bench

import (
	"fmt"
	"slices"
)

// tellPeers puts the figures into the report.
func tellPeers(o *Options, r *Report, ours []*applied, all parts) {
	core, by := ours[1], ours[0]
	speed := Table{Title: "speed", Columns: []string{"events/s", "time ÷ by hand", "CPU time ÷ by hand", "time ÷ core, 1 shard", "events/s of the first pass", "heap of the state"}}
	firings := Table{Title: "firings", Columns: six.ids()}
	row := func(name string, seconds, cpu, heap []float64, first float64) {
		n := float64(o.Events)
		cells := []Spread{
			spread(PerSecond, rates(n, seconds)), spread(Times, ratios(seconds, by.seconds)), spread(Times, ratios(cpu, by.cpu)),
			spread(Times, ratios(seconds, core.seconds)), once(PerSecond, n/first),
		}
		if len(heap) > 0 {
			cells = append(cells, spread(Bytes, heap))
		}
		speed.row(name, cells...)
	}
	for _, a := range ours {
		row(a.name(), a.seconds, a.cpu, a.live, a.first)
		firings.counts(a.name(), six.ids(), a.answers.of)
	}
	r.EventsPerSecond = spread(PerSecond, rates(float64(o.Events), core.seconds)).Median
	r.RatioToHand = spread(Times, ratios(core.seconds, by.seconds)).Median
	r.Method = peersMethod(o)
	for _, m := range all[0].shown(r) {
		row(m.peer.name, m.seconds, m.cpu, m.heap, m.first)
		firings.counts(m.peer.name, six.ids(), m.firings)
	}
	r.Tables, r.Chart = append(r.Tables, speed), Chart{"events/s"}
	for _, p := range all[1:] {
		p.tell(o, r, &firings)
	}
	r.Tables = append(r.Tables, firings)
}

// shown are the peers that are measured; why others are not, and how the answers of these differ, is said in the report.
func (p *part) shown(r *Report) (some []*measured) {
	for _, m := range p.peers {
		if m.leftOut != "" {
			r.LeftOut = append(r.LeftOut, m.peer.name+": "+m.leftOut)
			continue
		}
		some = append(some, m)
		for _, remark := range m.remarks {
			r.Method = append(r.Method, m.peer.name+": "+remark)
		}
	}
	return some
}

// tell adds a table of its own for peers that do not have all rules.
func (p *part) tell(o *Options, r *Report, firings *Table) {
	peers := p.shown(r)
	if len(peers) == 0 {
		return
	}
	n, core := float64(o.Events), p.core
	t := Table{Title: "speed, " + p.name() + " alone", Columns: []string{"events/s", "time ÷ core, 1 shard", "CPU time ÷ core, 1 shard", "events/s of the first pass"}}
	row := func(name string, seconds, cpu []float64, first float64) {
		t.row(name, spread(PerSecond, rates(n, seconds)), spread(Times, ratios(seconds, core.seconds)), spread(Times, ratios(cpu, core.cpu)), once(PerSecond, n/first))
	}
	row(core.name(), core.seconds, core.cpu, core.first)
	for _, m := range peers {
		row(m.peer.name, m.seconds, m.cpu, m.first)
		firings.counts(m.peer.name, p.ids, m.firings)
	}
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method, fmt.Sprintf("%q is of engines that are given these rules and no others, over all events; the core of that table has just these too, and its firings are the hand-written program's", t.Title))
}

// counts adds a row with the firings of some rules; of the others it has none.
func (t *Table) counts(name string, ids []string, of func(id string) int) {
	r := Row{Name: name, Cells: make([]*Spread, len(t.Columns))}
	for i, id := range t.Columns {
		if slices.Contains(ids, id) {
			n := once(Count, float64(of(id)))
			r.Cells[i] = &n
		}
	}
	t.Rows = append(t.Rows, r)
}

// of is how often a rule of the workload six fired.
func (a *answers) of(id string) int { return a.count[slices.Index(six.ids(), id)] }

func rates(n float64, seconds []float64) (all []float64) {
	for _, s := range seconds {
		all = append(all, n/s)
	}
	return all
}

// ratios of two measures, round by round. What is too short to be measured counts as a nanosecond.
func ratios(a, b []float64) (all []float64) {
	for i := range a {
		all = append(all, a[i]/max(b[i], 1e-9))
	}
	return all
}

// peersMethod says what was measured and how.
func peersMethod(o *Options) []string {
	return slices.Concat(six.method(o, 0)[:2], []string{
		"every engine has the events decoded in memory, as objects of its own, before its clock starts; no log, no HTTP, no disk but where a row says RocksDB: its files, and an incremental checkpoint each 10 s",
		"a peer runs in a process of its own that waits while others are measured; every round measures each of them once, on state that is new",
		"the first pass compared rule, key and instant of every firing with the hand-written program's, before any time was looked at: equal, but for what is said below",
		"the first pass of a peer is that of a fresh virtual machine, before its compiler has done its work; the other rounds are warm",
		"CPU time is that of all threads of the process, collector and compiler too, between the first event and the last firing; heap is what is left of the state after a collection, without what lies outside the heap",
	})
}
