package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"nudge"
)

// What the level varies and how it waits.
var peersHTTPConns = []int{64, 256}

const (
	answersEvents = 4000 // of the comparison of answers
	answersBurst  = 1000 // events that are sent before all of them have been looked at: as many as fit into a queue of eKuiper's (1,024)
	answersTime   = time.Minute

	settleEvery = 50 * time.Millisecond // looks whether events are still on their way; a tenth of a slot where that is less
	settleCalm  = 4                     // looks in a row at which nothing has moved: nothing is on its way any more
	settleMost  = time.Minute

	peersHTTPSlots = 4 // a slot of this level is so many: what queues hold at its end is little beside what went through them
)

// target is a server with a set of rules.
type target struct {
	set        *ruleSet
	addr, path string
	answer     string
	look       func() (seen, error)
	every      time.Duration // between two looks
	leftOut    error         // why it is not measured, if it is not; what is wrong with ours ends the bench
	ours       bool
	fired      []int // as it was settled last
}

// seen is what a server has made of the events so far.
type seen struct {
	fired []int // of each rule
	moved int   // grows while events are on their way to the rules
}

// runPeersHTTP measures the server beside eKuiper, with the same rules and requests.
func runPeersHTTP(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := r.Machine.measureSync(dir); err != nil {
		return err
	}
	sets := sharedSets()
	kuiper, leftOut := startKuiper(ctx, o, filepath.Join(dir, "kuiper"), sets)
	defer func() { err = errors.Join(err, kuiper.close()) }()
	var pairs [][2]*target
	for i := range sets {
		ours, end, err := serveSet(ctx, filepath.Join(dir, "set"+strconv.Itoa(i)), &sets[i])
		if err != nil {
			return err
		}
		defer func() { _ = end() }() // what was to be seen has been
		theirs := &target{set: &sets[i], leftOut: leftOut}
		if leftOut == nil {
			theirs = kuiper.target(i, &sets[i])
		}
		pairs = append(pairs, [2]*target{ours, theirs})
	}
	for _, pair := range pairs {
		for _, t := range pair {
			t.every = min(settleEvery, o.slot()/10)
			if err := t.tried(t.sameAnswers(ctx, min(o.Events, answersEvents))); err != nil {
				return err
			}
		}
	}
	o.Progress("answers compared")
	rivals, err := race(ctx, o, pairs)
	if err != nil {
		return err
	}
	tellPeersHTTP(r, rivals)
	return nil
}

// serveSet starts Nudge with a set of rules.
func serveSet(ctx context.Context, dir string, set *ruleSet) (*target, func() error, error) {
	fired := make([]atomic.Int64, len(set.rules))
	at := map[string]int{}
	for i, r := range set.rules {
		at[r.id] = i
	}
	s, err := startServer(ctx, dir, set.sources(), func(all []nudge.Firing) {
		for i := range all {
			if all[i].Delivered() {
				fired[at[all[i].Rule]].Add(1)
			}
		}
	})
	if err != nil {
		return nil, nil, err
	}
	look := func() (found seen, err error) {
		for i := range fired {
			n := int(fired[i].Load())
			found.fired = append(found.fired, n)
			found.moved += n
		}
		return found, nil
	}
	return &target{set: set, addr: s.addr(), path: "/v1/events", answer: `{"accepted":1}`, look: look, ours: true}, s.close, nil
}

// tried keeps the error of a server that is not ours: it is left out from then on.
func (t *target) tried(err error) error {
	if t.ours || err == nil {
		return err
	}
	if t.leftOut == nil {
		t.leftOut = err
	}
	return nil
}

// settle waits until no event is on its way any more. Ours is expected to lose none: it is waited for until all that is due has fired. Of the other
// that nothing moves must do.
func (t *target) settle(ctx context.Context, all func(fired []int) bool) error {
	calm, last := 0, -1
	for begun := time.Now(); time.Since(begun) < settleMost; {
		found, err := t.look()
		if err != nil {
			return err
		}
		t.fired = found.fired
		if calm++; found.moved != last {
			calm, last = 0, found.moved
		}
		if t.ours && all(t.fired) || !t.ours && calm == settleCalm {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(t.every):
		}
	}
	return fmt.Errorf("after %v events are still on their way to the rules, or have gone: %v fired", settleMost, t.fired)
}

// sameAnswers sends events on one connection, slowly enough that none can be lost, and compares how often each rule fires with what is due.
func (t *target) sameAnswers(ctx context.Context, events int) error {
	if t.leftOut != nil {
		return nil
	}
	d := t.set.counting()
	l := t.load(1, 0, func(int) *expected { return d })
	defer l.close()
	for left := events; left > 0; left -= answersBurst {
		if _, err := l.closed(ctx, answersTime, min(left, answersBurst)); err != nil {
			return err
		}
		if err := t.settle(ctx, func(fired []int) bool { return sum(fired) >= sum(d.fired) }); err != nil {
			return err
		}
	}
	return d.compare(t.fired)
}

// load is connections to the server, each with what is due for its own events.
func (t *target) load(conns, firstWorker int, of func(worker int) *expected) *load {
	l := newLoad(conns, t.addr, t.path, func(worker int) func() []byte {
		b := newBodies(firstWorker + worker).oneOf(conns)
		b.sent = of(worker).sent
		return b.events(1)
	})
	l.answers = []byte(t.answer)
	return l
}

// rival is a server under some connections.
type rival struct {
	*target
	conns int
	load  *load
	dues  []*expected // of each connection

	found *loaded
	lost  []float64 // share of the firings due that never came
}

// race lets all servers take requests in turn.
func race(ctx context.Context, o *Options, pairs [][2]*target) ([]*rival, error) {
	var rivals []*rival
	var all []contender
	var recorded bool
	for _, pair := range pairs {
		for _, conns := range o.peersHTTPConns() {
			first := 1 + len(rivals)*1000 // both are sent the same
			for _, t := range pair {
				p := &rival{target: t, conns: conns, found: newLoaded()}
				rivals = append(rivals, p)
				if t.leftOut != nil {
					continue
				}
				p.load = t.load(conns, first, func(int) *expected {
					p.dues = append(p.dues, t.set.expected())
					return p.dues[len(p.dues)-1]
				})
				defer p.load.close()
				all = append(all, contender{p.name(), func(ctx context.Context) error { return p.tried(p.run(ctx, o, recorded)) }})
			}
		}
	}
	return rivals, o.rounds(ctx, all, &recorded)
}

func (o *Options) peersHTTPConns() []int {
	if o.fewConns > 0 {
		return []int{o.fewConns}
	}
	return peersHTTPConns
}

func (p *rival) name() string {
	name := kuiperName
	if p.ours {
		name = "Nudge"
	}
	return fmt.Sprintf("%s × %s, %s", p.set.name, plural(p.conns, "connection"), name)
}

// run loads the server for a slot, and then waits for what it still has to do.
func (p *rival) run(ctx context.Context, o *Options, recorded bool) error {
	if p.leftOut != nil {
		return nil
	}
	due, fired := p.due(), p.set.uncounted(p.fired)
	found, err := p.load.closed(ctx, peersHTTPSlots*o.slot(), o.Events)
	if err != nil {
		return err
	}
	if found.refused > 0 {
		return fmt.Errorf("%d of %d requests are refused: what is due cannot be told", found.refused, found.requests)
	}
	due = p.due() - due
	if err := p.settle(ctx, func(now []int) bool { return p.set.uncounted(now)-fired >= due }); err != nil {
		return err
	}
	fired = p.set.uncounted(p.fired) - fired
	if fired > due {
		return fmt.Errorf("%d firings, %d were due", fired, due)
	}
	if recorded {
		p.found.add(found)
		if due > 0 {
			p.lost = append(p.lost, 1-float64(fired)/float64(due))
		}
	}
	return nil
}

// due is how often the rules that do not count were to fire for all that was sent.
func (p *rival) due() (n int) {
	for _, d := range p.dues {
		n += p.set.uncounted(d.fired)
	}
	return n
}
