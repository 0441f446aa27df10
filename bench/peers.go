package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// DefaultPeers is the folder of the peers, from where the repository is.
const DefaultPeers = "bench/peers"

// peer is another engine with the six rules, in a process of its own; peers/README.md says how it is talked to.
type peer struct {
	name    string
	folder  string            // in Options.Peers
	program []string          // main class and its first arguments
	differs map[string]string // rules whose firings may be others than ours, and why

	command func(events string) *exec.Cmd // what tests run in its place; nil: the program
}

// allPeers in the order of reports.
var allPeers = []*peer{
	{
		name: "Esper 9.0, exact EPL", folder: "esper", program: []string{"nudge.peers.esper.Main", "exact"},
	},
	{
		name: "Esper 9.0, textbook patterns", folder: "esper", program: []string{"nudge.peers.esper.Main", "textbook"},
		differs: map[string]string{
			"r1": "the pattern opens a new wait while the visitor has not left since the last one fired",
			"r6": "every-distinct passes a visitor's reports over for three days, also where the wait for the first has ended early",
		},
	},
	{
		name: "Flink 2.3, by hand, heap", folder: "flink", program: []string{"nudge.peers.flink.Main", "heap", "1"},
	},
	{
		name: "Flink 2.3, by hand, heap, 2 tasks each", folder: "flink", program: []string{"nudge.peers.flink.Main", "heap", "2"},
	},
	{
		name: "Flink 2.3, by hand, RocksDB, checkpoints", folder: "flink", program: []string{"nudge.peers.flink.Main", "rocksdb", "1"},
	},
}

// runPeers measures the core beside other engines, all with the same rules and events, as many as this machine can run.
func runPeers(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s, err := newStream(six, o.Events)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	events := filepath.Join(dir, "events.tsv")
	if err := s.writeEvents(events); err != nil {
		return err
	}
	o.Progress("events written")
	ours := []*applied{{}, {shards: 1}}
	if p := runtime.GOMAXPROCS(0); p > 1 {
		ours = append(ours, &applied{shards: p})
	}
	want, err := handFirings(s)
	if err != nil {
		return err
	}
	var all []contender
	var recorded bool
	for _, a := range ours {
		all = append(all, contender{a.name(), func(context.Context) error { return a.run(s, recorded) }})
	}
	var peers []*measured
	for _, p := range o.peers {
		m := startPeer(ctx, p, o.Peers, events, len(s.events))
		defer func() { err = errors.Join(err, m.close()) }()
		peers = append(peers, m)
		all = append(all, contender{p.name, func(context.Context) error { return m.run(s, want, recorded) }})
	}
	if err := o.rounds(ctx, all, &recorded); err != nil {
		return err
	}
	for _, a := range ours[1:] {
		if a.answers != ours[0].answers {
			return fmt.Errorf("%s and the hand-written program do not give the same firings: %v and %v", a.name(), a.answers, ours[0].answers)
		}
	}
	tellPeers(o, r, ours, peers)
	return nil
}

// handFirings are the firings that every peer is compared with.
func handFirings(s *stream) (*firingSet, error) {
	h := s.load.hand(s)
	for i := range s.events {
		h.apply(&s.events[i])
	}
	ids, all := s.load.ids(), newFiringSet()
	for _, f := range h.fired() {
		all.add(ids[f.rule], f.key, f.at)
	}
	return all, nil
}

// measured is a peer and what the rounds found of it.
type measured struct {
	peer    *peer
	process *peerProcess
	leftOut string // why it is not measured; "" while it is
	count   map[string]int
	remarks []string // rules whose firings are others than ours

	first              float64 // seconds of the first pass
	seconds, cpu, heap []float64
}

// startPeer starts a peer, or says why it cannot be measured.
func startPeer(ctx context.Context, p *peer, folder, events string, count int) *measured {
	m := &measured{peer: p}
	var err error
	if m.process, err = newPeerProcess(ctx, p, folder, events); err != nil {
		m.leftOut = err.Error()
	} else if m.process.count != count {
		m.leftOut = fmt.Sprintf("it has read %d events, there are %d", m.process.count, count)
	}
	return m
}

func (m *measured) close() error {
	if m.process == nil {
		return nil
	}
	return m.process.close()
}

// run lets the peer apply the events once. What goes wrong leaves this peer out, not the others. Its firings are compared in the first pass, before any
// of its times is looked at; the recorded ones must have as many.
func (m *measured) run(s *stream, want *firingSet, recorded bool) error {
	if m.leftOut != "" {
		return nil
	}
	if err := m.pass(s, want, recorded); err != nil {
		m.leftOut = errors.Join(err, m.close()).Error()
	}
	return nil
}

func (m *measured) pass(s *stream, want *firingSet, recorded bool) error {
	if recorded {
		p, err := m.process.apply("")
		if err != nil {
			return err
		}
		if total := m.total(); p.firings != total {
			return fmt.Errorf("%d firings, %d in the first pass", p.firings, total)
		}
		m.seconds = append(m.seconds, p.seconds)
		m.cpu = append(m.cpu, p.cpu)
		if p.heap >= 0 {
			m.heap = append(m.heap, p.heap)
		}
		return nil
	}
	file := m.process.events + ".fired"
	p, err := m.process.apply(file)
	if err != nil {
		return err
	}
	got, err := readFirings(file)
	if err != nil {
		return err
	}
	m.first, m.count = p.seconds, got.count
	var problems []string
	for _, id := range s.load.ids() {
		d := want.compare(got, id)
		switch why := m.peer.differs[id]; {
		case d.same():
		case why != "":
			m.remarks = append(m.remarks, fmt.Sprintf("%s: %s: %s", id, d, why))
		default:
			problems = append(problems, id+": "+d.String())
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("its firings are not ours: %s", strings.Join(problems, "; "))
	}
	return nil
}

func (m *measured) total() (n int) {
	for _, c := range m.count {
		n += c
	}
	return n
}

// tellPeers puts the figures into the report.
func tellPeers(o *Options, r *Report, ours []*applied, peers []*measured) {
	n, by := float64(o.Events), ours[0]
	speed := Table{Title: "speed", Columns: []string{"events/s", "time ÷ by hand", "CPU time ÷ by hand", "time ÷ core, 1 shard", "events/s of the first pass", "heap of the state"}}
	firings := Table{Title: "firings", Columns: six.ids()}
	row := func(name string, seconds, cpu, heap []float64, first float64, count func(i int) int) {
		var rate, toHand, cpuToHand, toEngine []float64
		for i, sec := range seconds {
			rate = append(rate, n/sec)
			toHand = append(toHand, sec/by.seconds[i])
			cpuToHand = append(cpuToHand, cpu[i]/max(by.cpu[i], 1e-9))
			toEngine = append(toEngine, sec/ours[1].seconds[i])
		}
		cells := []Spread{spread(PerSecond, rate), spread(Times, toHand), spread(Times, cpuToHand), spread(Times, toEngine), once(PerSecond, n/first)}
		if len(heap) > 0 {
			cells = append(cells, spread(Bytes, heap))
		}
		speed.row(name, cells...)
		var counts []Spread
		for i := range six.rules {
			counts = append(counts, once(Count, float64(count(i))))
		}
		firings.row(name, counts...)
	}
	for _, a := range ours {
		row(a.name(), a.seconds, a.cpu, a.live, a.first, func(i int) int { return a.answers.count[i] })
	}
	r.EventsPerSecond = spread(PerSecond, rates(n, ours[1].seconds)).Median
	r.Method = peersMethod(o)
	for _, m := range peers {
		if m.leftOut != "" {
			r.LeftOut = append(r.LeftOut, m.peer.name+": "+m.leftOut)
			continue
		}
		row(m.peer.name, m.seconds, m.cpu, m.heap, m.first, func(i int) int { return m.count[six.ids()[i]] })
		for _, remark := range m.remarks {
			r.Method = append(r.Method, m.peer.name+": "+remark)
		}
	}
	r.Tables, r.Chart = append(r.Tables, speed, firings), Chart{"events/s"}
	r.RatioToHand = spread(Times, ratios(ours[1].seconds, by.seconds)).Median
}

func rates(n float64, seconds []float64) (all []float64) {
	for _, s := range seconds {
		all = append(all, n/s)
	}
	return all
}

func ratios(a, b []float64) (all []float64) {
	for i := range a {
		all = append(all, a[i]/b[i])
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
