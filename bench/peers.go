package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// DefaultPeers is the folder of the peers, from where the repository is.
const DefaultPeers = "bench/peers"

// peer is another engine with the six rules, in a process of its own; peers/README.md says how it is talked to.
type peer struct {
	name    string
	folder  string            // in Options.Peers
	program []string          // main class and its first arguments
	only    []string          // the rules that it has; nil: all
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
	{
		name: "Flink 2.3, CEP, dwell and sequence", folder: "flink", program: []string{"nudge.peers.flink.Main", "cep", "1"},
		only: []string{"r1", "r4"},
		differs: map[string]string{
			"r1": "each view of the form begins a match of its own, whether one is begun or has fired and the visitor has not left since",
		},
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
	parts, err := partsOf(s, o.peers)
	if err != nil {
		return err
	}
	ours := []*applied{{}, parts[0].core}
	if p := runtime.GOMAXPROCS(0); p > 1 {
		ours = append(ours, &applied{shards: p})
	}
	var all []contender
	var recorded bool
	for _, a := range ours {
		all = append(all, contender{a.name(), func(context.Context) error { return a.run(s, recorded) }})
	}
	for _, p := range parts[1:] {
		all = append(all, contender{p.core.name(), func(context.Context) error { return p.core.run(p.stream, recorded) }})
	}
	for _, p := range o.peers {
		part := parts.of(p)
		m := startPeer(ctx, p, o.Peers, events, len(s.events))
		defer func() { err = errors.Join(err, m.close()) }()
		part.peers = append(part.peers, m)
		all = append(all, contender{p.name, func(context.Context) error { return m.run(s, part.want, recorded) }})
	}
	if err := o.rounds(ctx, all, &recorded); err != nil {
		return err
	}
	for _, a := range ours {
		if a.answers != parts[0].answers {
			return fmt.Errorf("%s and the hand-written program do not give the same firings: %v and %v", a.name(), a.answers, parts[0].answers)
		}
	}
	for _, p := range parts[1:] {
		if p.core.answers != p.answers {
			return fmt.Errorf("%s with %s alone and the hand-written program do not give the same firings: %v and %v", p.core.name(), p.name(), p.core.answers, p.answers)
		}
	}
	tellPeers(o, r, ours, parts)
	return nil
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
	for _, id := range s.load.ids() { // of a rule that it lacks, want has nothing
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

func (m *measured) firings(id string) int { return m.count[id] }

func (m *measured) total() (n int) {
	for _, c := range m.count {
		n += c
	}
	return n
}
