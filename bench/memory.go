package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/internal/beside"
	"nudge/state"
)

// coldName is the workload of the memory level: page views of a few hot visitors, and of some that were not met lately.
const coldName = "cold"

// The load of the memory level.
const (
	memoryVisits  = 3   // page views of each visitor before
	memoryHot     = 100 // one visitor in so many is hot
	memoryPart    = 10  // the budget holds one record in so many
	memoryFixed   = 64  // bytes of a key besides its record, about
	memoryRequest = 500 // events
	memorySenders = 4
	memoryMost    = 2_000_000 // events of a slot
	memoryAtOnce  = 1_000_000 // events that are written down before they are sent, while the folder is filled
)

// memorySlot is how many events a slot has.
func memorySlot(visitors int) int { return min(visitors/2, memoryMost) }

// memoryShares are how many events of a hundred are about any visitor; the others are about hot ones.
var memoryShares = []int{0, 10, 50}

// budgeted is a node with a budget or without one, and what the rounds found.
type budgeted struct {
	name   string
	dir    string
	budget int64 // 0: none

	found  [3]sharesFound // of memoryShares
	ready  []float64
	random *rand.Rand
}

type sharesFound struct {
	rate, longest, reads, waited, records, rss []float64
}

// runMemory measures a node whose records do not all fit into its memory budget, beside one that has none.
func runMemory(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := r.Machine.measureSync(dir); err != nil {
		return err
	}
	all := &budgeted{name: "all in memory", dir: filepath.Join(dir, "data"), random: rand.New(rand.NewPCG(sixSeed, 0))}
	records, err := all.fill(ctx, o)
	if err != nil {
		return fmt.Errorf("write the data folder: %w", err)
	}
	o.Progress("data folder written")
	few := &budgeted{dir: all.dir, budget: o.Memory, random: rand.New(rand.NewPCG(sixSeed, 1))}
	if few.budget == 0 {
		few.budget = int64(o.Events)*memoryFixed + records/memoryPart
	}
	few.name = fmt.Sprintf("budget of %d MiB", few.budget>>20)
	var recorded bool
	var contenders []contender
	for _, b := range []*budgeted{all, few} {
		contenders = append(contenders, contender{b.name, func(ctx context.Context) error { return b.run(ctx, o, recorded) }})
	}
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellMemory(o, r, []*budgeted{all, few}, records)
	return nil
}

// open opens the folder and lets a node run until stop is called.
func (b *budgeted) open(names *nudge.Names) (node *engine.Node, stop func() error, err error) {
	data, err := state.Open(b.dir, state.Options{Names: names})
	if err != nil {
		return nil, nil, err
	}
	node, err = engine.NewNode(engine.NodeOptions{
		Engine: engine.Options{Names: names}, Log: data.Log, Store: data.Store, Logger: slog.New(slog.DiscardHandler), Beside: new(beside.Core).Run, Memory: b.budget,
	})
	if err == nil {
		err = node.Recover()
	}
	if err != nil {
		return nil, nil, errors.Join(err, data.Close())
	}
	done, cut := started(node.Run)
	return node, func() error {
		cut()
		return errors.Join(<-done, data.Close())
	}, nil
}

// fill writes the folder: every visitor comes some times in a row, so that few checkpoints take it. It returns how many bytes their records take.
func (b *budgeted) fill(ctx context.Context, o *Options) (records int64, err error) {
	names := nudge.NewNames()
	node, stop, err := b.open(names)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	diags, err := node.Deploy(ctx, sixRules)
	if err = errors.Join(err, diags.Err()); err != nil {
		return 0, err
	}
	visits := 0
	for left := memoryVisits * o.Events; left > 0 && err == nil; left -= memoryAtOnce {
		_, _, err = b.send(ctx, node, names, min(left, memoryAtOnce), func() int { visits++; return (visits - 1) / memoryVisits })
	}
	return int64(node.Stats().RecordBytes.Load()), err
}

// untilLoaded waits until all that the checkpoint holds is in memory, or left it again: until then the node reads it between batches.
func untilLoaded(ctx context.Context, node *engine.Node) error {
	poll := time.NewTicker(memoryPoll)
	defer poll.Stop()
	for node.Stats().Loading() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

const memoryPoll = 10 * time.Millisecond

// run measures all shares once.
func (b *budgeted) run(ctx context.Context, o *Options, recorded bool) (err error) {
	debug.FreeOSMemory()
	names, begun := nudge.NewNames(), time.Now()
	node, stop, err := b.open(names)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ready, stats := time.Since(begun), node.Stats()
	if err := untilLoaded(ctx, node); err != nil {
		return err
	}
	events := memorySlot(o.Events)
	for i, share := range memoryShares {
		reads, waited := stats.StoreReads.Load(), stats.StoreWaitNanos.Load()
		took, longest, err := b.send(ctx, node, names, events, func() int {
			if b.random.IntN(100) < share {
				return b.random.IntN(o.Events)
			}
			return b.random.IntN(max(o.Events/memoryHot, 1))
		})
		if err != nil {
			return err
		}
		if recorded {
			f := &b.found[i]
			f.rate = append(f.rate, float64(events)/took.Seconds())
			f.longest = append(f.longest, float64(longest.Microseconds()))
			f.reads = append(f.reads, float64(stats.StoreReads.Load()-reads))
			f.waited = append(f.waited, float64(stats.StoreWaitNanos.Load()-waited)/1e3)
			f.records = append(f.records, float64(stats.RecordBytes.Load()))
			f.rss = append(f.rss, float64(residentBytes()))
		}
	}
	if recorded {
		b.ready = append(b.ready, float64(ready.Microseconds()))
	}
	return nil
}

// send submits page views of visitors that draw names, and returns how long that took until the last was applied, and how long the longest request waited.
func (b *budgeted) send(ctx context.Context, node *engine.Node, names *nudge.Names, events int, draw func() int) (took, longest time.Duration, err error) {
	type request struct {
		records []byte
		count   int
	}
	w, err := newStreamWriter(names)
	if err != nil {
		return 0, 0, err
	}
	var all []request
	for left := events; left > 0; left -= memoryRequest {
		n := min(left, memoryRequest)
		w.b.Buf = nil
		for range n {
			v := six.visitOf(draw())
			v.path = b.random.IntN(sixPaths)
			now := node.Now()
			w.write(v, now, now)
		}
		all = append(all, request{slices.Clone(w.b.Buf), n})
	}
	begun := time.Now()
	errs, longests := make([]error, memorySenders), make([]time.Duration, memorySenders)
	var wg sync.WaitGroup
	for sender := range memorySenders {
		wg.Go(func() {
			for i := sender; i < len(all) && errs[sender] == nil; i += memorySenders {
				sent := time.Now()
				_, errs[sender] = node.Submit(ctx, all[i].records, all[i].count, i+memorySenders >= len(all))
				longests[sender] = max(longests[sender], time.Since(sent))
			}
		})
	}
	wg.Wait()
	return time.Since(begun), slices.Max(longests), errors.Join(errs...)
}

func tellMemory(o *Options, r *Report, all []*budgeted, records int64) {
	for _, b := range all {
		t := Table{Title: b.name, Columns: []string{"events/s", "longest answer", "rows read", "waited for them", "bytes of records", "memory of the process"}}
		for i, share := range memoryShares {
			f := &b.found[i]
			t.row(fmt.Sprintf("%d %% of the events about any visitor", share),
				spread(PerSecond, f.rate), spread(Micros, f.longest), spread(Count, f.reads), spread(Micros, f.waited), spread(Bytes, f.records), spread(Bytes, f.rss))
		}
		r.Tables = append(r.Tables, t)
	}
	ready := Table{Title: "recovery from the checkpoint", Columns: []string{"ready after"}}
	for _, b := range all {
		ready.row(b.name, spread(Micros, b.ready))
	}
	r.Tables = append(r.Tables, ready)
	few, none := all[1], all[0]
	r.EventsPerSecond = spread(PerSecond, few.found[1].rate).Median
	r.Floors = map[string]float64{}
	for i, share := range memoryShares {
		r.Floors[fmt.Sprintf("rate_to_all_in_memory_%d", share)] = spread(PerSecond, few.found[i].rate).Median / spread(PerSecond, none.found[i].rate).Median
	}
	r.Method = append(r.Method,
		fmt.Sprintf("a data folder in which %d visitors made %d page views each under the workload's six rules, %d MiB of records; a node over it, with every default of `nudge serve`, and with a budget of %d MiB",
			o.Events, memoryVisits, records>>20, few.budget>>20),
		fmt.Sprintf("%d events in requests of %d by %d senders, each answered when it is durable, the last ones when they are applied: page views of the hottest 1 %% of the visitors, and a share of any of them",
			memorySlot(o.Events), memoryRequest, memorySenders),
		"a slot begins when all that the checkpoint holds is in memory or has left it again; checkpoints are written meanwhile",
		"waited: by all shards together; the store's files are in the system's page cache; the memory of the process holds the senders' requests too",
		"events_per_second is that of the budget with 10 %",
	)
}
