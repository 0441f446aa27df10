package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"nudge"
	"nudge/internal/oracle"
)

// plan is what a seed draws once, for all its processes.
type plan struct {
	seed    uint64
	size    int // events that the clients have, about
	perCall int // events of a request at most
	lives   int // processes
	start   time.Time
	options oracle.Options // the settings that answers depend on

	segmentBytes int64
	logMaxBytes  int64 // 0: the log keeps everything
	retains      bool  // it does not
	popupTTL     time.Duration
	popupsKept   int  // per visitor
	exact        bool // an id is remembered for as long as the run: each event counts once
	fixed        bool // rules with short windows are there besides the random ones
	late         bool // rules are deployed while others run
	slow         int
	lazy         bool // checkpoints take seconds, in which the log goes on
	fails        bool
	fills        bool // the disk
	damages      bool
	steps        bool // the wall clock is set
	rewrites     bool // segments of the log are written anew
	erases       bool // persons and companies are erased
	wide         bool // events say so much that an entry of the log takes several sectors
	dies         bool // processes end between a change of the log's files and its sync, some soon after their start
	mixes        bool // machines stop where several changes of a folder wait for its sync
}

const clientCount = 3

func newPlan(seed uint64) plan {
	p := plan{seed: seed}
	r := p.chance("plan")
	o := oracle.RandomOptions(seed)
	p.options = oracle.Options{Lateness: o.Lateness, Location: o.Location, Merge: true, Suppressed: true}
	p.exact = r.IntN(6) > 0
	if !p.exact {
		p.options.DedupEvents = o.DedupEvents
	}
	p.size, p.perCall = 30+r.IntN(50), 4
	if r.IntN(20) == 0 {
		p.size, p.perCall = 250, 100 // so much at once is spread over goroutines
	}
	p.lives = 2 + r.IntN(4)
	p.start = time.UnixMilli(1_764_028_700_000) // shortly before a midnight in UTC
	p.segmentBytes = pick[int64](r, 1<<10, 2<<10, 4<<10, 16<<10)
	p.popupTTL = pick(r, 3*time.Second, 30*time.Second, 30*time.Minute)
	p.popupsKept = pick(r, 2, 16)
	p.fixed = r.IntN(2) == 0
	p.late = r.IntN(2) == 0
	p.slow = pick(r, 0, 0, 2, 10)
	p.lazy = r.IntN(3) == 0
	p.fills = r.IntN(6) == 0
	p.fails = r.IntN(3) == 0
	p.damages = r.IntN(6) == 0
	p.steps = r.IntN(3) == 0
	p.rewrites = r.IntN(3) == 0
	if r.IntN(6) == 0 {
		p.retains, p.late = true, false // rules that warm would read less than the oracle
		p.segmentBytes, p.logMaxBytes = pick[int64](r, 512, 1<<10, 2<<10), pick[int64](r, 1<<10, 2<<10, 5<<10)
		p.slow, p.lazy = pick(r, 0, 2, 5), r.IntN(2) == 0
	}
	r = p.chance("files")
	p.wide, p.dies = r.IntN(4) == 0, r.IntN(4) == 0
	p.mixes = !p.dies && !p.fails && r.IntN(2) == 0 // else these would meet what they look for too seldom
	// A rule that is deployed after an erasure counts without the person; erasing, and a checkpoint meanwhile, wait for the disk under one lock, which holds
	// virtual time.
	p.erases = !p.late && p.slow == 0 && !p.fills && p.chance("erasures").IntN(4) > 0
	return p
}

// chance is the random numbers of one actor. Each has its own, so that none depends on who of them comes first.
func (p *plan) chance(actor string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(actor))
	return rand.New(rand.NewPCG(p.seed, h.Sum64()))
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// pause is how long an actor waits: often not at all, sometimes for some whole ms, so that instants collide with each other and with the ends
// of windows. Some µs come on top: two actors that wake at one moment would go on in an order that no seed decides.
func pause(r *rand.Rand, most time.Duration) time.Duration {
	return wholeMillis(r, most) + time.Duration(1+r.IntN(900_000))
}

func wholeMillis(r *rand.Rand, most time.Duration) time.Duration {
	switch r.IntN(8) {
	case 0, 1, 2:
		return 0
	case 3:
		return pick(r, 50*time.Millisecond, time.Second, 2*time.Second, 2500*time.Millisecond)
	case 4:
		return time.Duration(r.IntN(20)) * time.Millisecond
	}
	return time.Duration(r.Int64N(int64(most)/int64(time.Millisecond)+1)) * time.Millisecond
}

// downtime is how long nothing runs between two processes.
func (p *plan) downtime(r *rand.Rand) time.Duration {
	switch r.IntN(6) {
	case 0, 1:
		return 0
	case 2:
		return time.Duration(r.IntN(2000)) * time.Millisecond
	case 3:
		return time.Duration(r.IntN(200)) * time.Second
	case 4:
		return pick(r, time.Second, 10*time.Second, 90*time.Second, 5*time.Minute, time.Hour)
	}
	if p.exact {
		return time.Duration(r.IntN(60)) * time.Minute
	}
	return time.Duration(r.IntN(3)) * 25 * time.Hour
}

func millisOf(d time.Duration) nudge.Millis { return nudge.Millis(d.Milliseconds()) }
