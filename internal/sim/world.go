package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"nudge"
	"nudge/internal/oracle"
)

// world is everything outside the process: the disk, the clock on the wall, the clients and consumers with what they know, and the rules
// that somebody wants.
type world struct {
	plan
	rng *rand.Rand // of the one who ends and starts processes

	medium  *medium
	wall    atomic.Int64 // how far the wall clock is ahead of the bubble's, in ns
	ledger  ledger
	clients []*client
	walkers []*walker
	rules   ruleSet

	mu       sync.Mutex
	lines    []string                       // the events that were composed, as JSON without at; an event's u is its index
	told     map[cursor]nudge.Firing        // what the deliverers were told
	known    nudge.Offset                   // the last record that somebody outside was told of, as applied or as answered
	asked    map[erasure]who                // that somebody asked for
	receipts map[nudge.Offset]nudge.Receipt // of erasures that were answered, as they were last seen
	problems []string
	report   Report
}

type cursor = nudge.Cursor

// Report is what became of one seed.
type Report struct {
	Simulated time.Duration
	Starts    int      // of processes
	Crashes   int      // power cuts and kills
	Failures  int      // operations of the disk that failed
	Full      int      // times that the disk was full for a while
	Damages   int      // flipped bits that were noticed
	Events    int      // in the log, duplicates too
	Firings   int      // that there ever were
	Erasures  int      // that were answered
	Trace     uint64   // what the disks were asked for, when: the same each time that the seed is run
	Problems  []string // promises that were broken
	Case      string   // the rules and lines on which the oracle says something else
}

// maxProblems is how many problems of one seed are told: what follows the first is often its consequence.
const maxProblems = 3

// Run simulates one seed. It must be called in a bubble of testing/synctest. What a seed does is the same each time as long as goroutines
// run one at a time and are not interrupted: with GOMAXPROCS 1, no garbage collection meanwhile, and asyncpreemptoff=1 in GODEBUG.
func Run(seed uint64) Report {
	w := newWorld(seed)
	began := time.Now()
	for n := 0; n < w.lives && len(w.problems) == 0; n++ {
		w.live(n)
	}
	w.report.Simulated = time.Since(began)
	w.report.Events = w.ledger.events()
	w.report.Problems = w.problems
	return w.report
}

func newWorld(seed uint64) *world {
	w := &world{plan: newPlan(seed), medium: newMedium(), told: map[cursor]nudge.Firing{}, asked: map[erasure]who{}, receipts: map[nudge.Offset]nudge.Receipt{}}
	w.rng = w.chance("world")
	w.setWall(w.start)
	set, lines := w.generate()
	w.makeRules(set)
	w.makeClients(lines)
	w.makeWalkers()
	return w
}

// now is the wall clock, which the process and the senders read.
func (w *world) now() time.Time {
	now := time.Now().Add(time.Duration(w.wall.Load()))
	if w.steps {
		return now.Round(0) // without the monotonic part, which would jump with the clock
	}
	return now
}

func (w *world) millis() nudge.Millis { return nudge.Millis(w.now().UnixMilli()) }

// setWall sets the clock on the wall.
func (w *world) setWall(t time.Time) { w.wall.Store(int64(time.Until(t))) }

// step sets the clock on the wall forward or back.
func (w *world) step() {
	most := pick(w.rng, 100*time.Millisecond, 5*time.Second, 10*time.Minute)
	w.setWall(w.now().Add(time.Duration(w.rng.Int64N(int64(2*most))) - most))
}

// problem notes that a promise was broken.
func (w *world) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

// generate makes rules and events: one seed in three over the windows and waits alone, one over the whole language, one over it with many visitors
// who are anonymous first.
func (p *plan) generate() (set []oracle.Rule, lines []string) {
	switch p.seed % 3 {
	case 0:
		return oracle.Generate(p.seed, p.size)
	case 1:
		return oracle.GenerateWith(p.seed, p.size, oracle.AllFeatures&^oracle.FeatureMerge)
	}
	return oracle.GenerateWith(p.seed, p.size, oracle.AllFeatures)
}
