package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"nudge"
	"nudge/engine"
)

const (
	nodeSubmitters = 16   // each waits until its events are durable, and then hands over the next
	nodeEvents     = 1000 // handed over at once
)

// runNode measures the whole engine without HTTP: sequencer, log, rules and checkpoints.
func runNode(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := r.Machine.measureSync(dir); err != nil {
		return err
	}
	load := streamsOf(o.Workload)[0]
	t, err := newTraffic(load, o.Events)
	if err != nil {
		return err
	}
	o.Progress("events written")
	whole, floor := &durable{name: "node"}, &durable{name: "bare append and sync"}
	var recorded bool
	all := []contender{
		{whole.name, func(ctx context.Context) error {
			return whole.measure(dir, recorded, t, func(dir string) error { return t.through(ctx, dir, whole) })
		}},
		{floor.name, func(context.Context) error { return floor.measure(dir, recorded, t, t.append) }},
	}
	if err := o.rounds(ctx, all, &recorded); err != nil {
		return err
	}
	tellNode(r, load, t, []*durable{whole, floor})
	return nil
}

// traffic is events without times of their own, as if they happened when they come, in records.
type traffic struct {
	load    *workload
	names   *nudge.Names
	batches [][]byte
	counts  []int
	events  int
	bytes   int
}

func newTraffic(load *workload, n int) (*traffic, error) {
	t := &traffic{load: load, names: nudge.NewNames(), events: n}
	w, err := newStreamWriter(t.names)
	if err != nil {
		return nil, err
	}
	w.untimed = true
	site := newSite(sixSeed, load)
	for left := n; left > 0; {
		count := min(left, nodeEvents)
		left -= count
		w.b.Buf = nil
		for range count {
			w.write(site.next(), 0)
		}
		t.batches, t.counts = append(t.batches, w.b.Buf), append(t.counts, count)
		t.bytes += len(w.b.Buf)
	}
	return t, nil
}

// durable is one way of making the events durable, and what the rounds found.
type durable struct {
	name                   string
	began                  time.Time
	cpuBegan               time.Duration
	rate, cpu, disk, syncs []float64
	syncsMade              uint64 // in this round
}

// measure runs do in a folder of its own, which it removes.
func (d *durable) measure(dir string, recorded bool, t *traffic, do func(dir string) error) error {
	dir = filepath.Join(dir, "round")
	d.start()
	if err := do(dir); err != nil {
		return err
	}
	took, cpu := time.Since(d.began), cpuTime()-d.cpuBegan
	if bytes, err := filesBytes(dir); err != nil {
		return err
	} else if recorded {
		d.rate = append(d.rate, float64(t.events)/took.Seconds())
		d.cpu = append(d.cpu, float64(t.events)/max(cpu.Seconds(), 1e-9))
		d.disk = append(d.disk, bytes)
		d.syncs = append(d.syncs, float64(t.events)/float64(max(d.syncsMade, 1)))
	}
	return os.RemoveAll(dir)
}

// start begins what is measured.
func (d *durable) start() { d.began, d.cpuBegan = time.Now(), cpuTime() }

// through hands the events to a node over a new data folder, by several submitters, and waits until the rules have seen all of them.
func (t *traffic) through(ctx context.Context, dir string, d *durable) error {
	return withNode(dir, t.names, nil, func(node *engine.Node) error {
		diags, err := node.Deploy(ctx, t.load.rules)
		if err := errors.Join(err, diags.Err()); err != nil {
			return err
		}
		before := node.Stats().Batches.Load()
		d.start()
		var next atomic.Int64
		var wg sync.WaitGroup
		errs := make([]error, nodeSubmitters)
		for i := range errs {
			wg.Go(func() {
				for {
					n := int(next.Add(1)) - 1
					if n >= len(t.batches) || errs[i] != nil {
						return
					}
					_, errs[i] = node.Submit(ctx, t.batches[n], t.counts[n], n == len(t.batches)-1)
				}
			})
		}
		wg.Wait()
		d.syncsMade = node.Stats().Batches.Load() - before
		return errors.Join(errs...)
	})
}

// append is the floor: the same bytes to one file, with a sync behind as many events as a node seals at once.
func (t *traffic) append(dir string) (err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "bytes"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for i, batch := range t.batches {
		if _, err := f.Write(batch); err != nil {
			return err
		}
		if (i+1)*nodeEvents%batchRecords < nodeEvents || i == len(t.batches)-1 {
			if err := f.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

func tellNode(r *Report, load *workload, t *traffic, all []*durable) {
	table := Table{Title: "durable and decided", Columns: []string{"events/s", "events/s of CPU time", "events/sync", "files at the end"}}
	for _, d := range all {
		syncs := spread(Count, d.syncs)
		if d.syncsMade == 0 {
			syncs = once(Count, batchRecords)
		}
		table.row(d.name, spread(PerSecond, d.rate), spread(PerSecond, d.cpu), syncs, spread(Bytes, d.disk))
	}
	r.Tables = append(r.Tables, table)
	r.EventsPerSecond = spread(PerSecond, all[0].rate).Median
	r.Floors = map[string]float64{"ratio_to_append": r.EventsPerSecond / max(spread(PerSecond, all[1].rate).Median, 1)}
	r.Method = append(r.Method,
		fmt.Sprintf("a node with every default over a new data folder and the rules of the workload; %d submitters hand over %d events at once, each waits until they are durable; the time goes until the rules have seen the last one", nodeSubmitters, nodeEvents),
		fmt.Sprintf("events of %d visitors by Zipf %.2f, %d %% of them known users; they have no times of their own: each happens when it is sealed, so nothing leaves a window within a round", load.visitors, sixZipf, load.identified),
		fmt.Sprintf("bare append: the same records, %d bytes each, uncompressed to one file, with a sync behind every %d; files: those of the node hold the space made ahead for the log", t.bytes/t.events, batchRecords),
		"CPU time is the whole process's: submitters, compression, checkpoints and the garbage collector",
	)
}
