package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nudge"
	"nudge/engine"
	"nudge/state"
)

// runRestart measures how long a node takes from opening its data folder to being ready.
func runRestart(ctx context.Context, o *Options, r *Report) (err error) {
	dir, remove, err := o.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s, err := newStream(six, o.Events)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }() // where something fails before it is written
	var recorded bool
	var contenders []contender
	all := []*recovered{
		{name: "from the log", dir: filepath.Join(dir, "log")},
		{name: "from a checkpoint", dir: filepath.Join(dir, "checkpoint")},
	}
	for _, f := range all {
		if err := writeLog(ctx, f.dir, s); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		contenders = append(contenders, contender{f.name, func(context.Context) error { return f.run(o.Events, recorded) }})
	}
	if err := writeCheckpoint(all[1].dir); err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	if err := s.close(); err != nil {
		return err
	}
	keys := &manyKeys{dir: filepath.Join(dir, "keys"), visitors: restartKeys * o.Events}
	if err := keys.write(ctx); err != nil {
		return fmt.Errorf("write many keys: %w", err)
	}
	contenders = append(contenders, contender{"many keys", func(ctx context.Context) error { return keys.run(ctx, recorded) }})
	o.Progress("data folders written")
	if err := o.rounds(ctx, contenders, &recorded); err != nil {
		return err
	}
	tellRestart(o, r, all)
	tellKeys(r, keys)
	return nil
}

// recovered is one data folder, and how long the rounds took to recover from it.
type recovered struct {
	name    string
	dir     string
	seconds []float64
	bytes   float64 // of its files
}

// run opens the folder, recovers and closes it as it was: nothing is written.
func (f *recovered) run(events int, recorded bool) (err error) {
	names := nudge.NewNames()
	begun := time.Now()
	data, err := state.Open(f.dir, state.Options{Names: names})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	node, err := newNode(data.Log, data.Store, names, nil, nil)
	if err != nil {
		return err
	}
	if err := node.Recover(); err != nil {
		return err
	}
	took := time.Since(begun)
	if next := node.Stats().LogNext.Load(); next <= uint64(events) {
		return fmt.Errorf("recovered up to offset %d, but there are %d events", next, events)
	}
	if recorded {
		f.seconds = append(f.seconds, took.Seconds())
		f.bytes, err = filesBytes(f.dir)
	}
	return err
}

// entrySpan is how much time of the stream one entry of the log covers at most: well below what makes an event late.
const entrySpan = 30 * 60 * second

// writeLog makes a data folder whose log holds a deployment of the rules and then the stream, as a sequencer would have written it. A checkpoint in it covers
// the deployment and nothing else.
func writeLog(ctx context.Context, dir string, s *stream) (err error) {
	began := func() time.Time { return time.UnixMilli(int64(sixBegin)) }
	err = withNode(dir, s.names, began, func(_ *state.Dir, node *engine.Node) error {
		diags, err := node.Deploy(ctx, sixRules)
		return errors.Join(err, diags.Err())
	})
	if err != nil {
		return err
	}
	data, err := state.Open(dir, state.Options{Names: s.names})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	for i := 0; i < len(s.events); {
		entry := nudge.Entry{First: data.Log.Next()}
		size, from := 0, s.events[i].record
		for end := s.events[i].at + entrySpan; i < len(s.events) && s.events[i].at < end && entry.Count < batchRecords; i++ {
			size += len(s.record(&s.events[i]))
			entry.At = s.events[i].at
			entry.Count++
		}
		entry.Records = s.buf[from : int(from)+size]
		if err := errors.Join(data.Log.Append(entry), data.Log.Sync()); err != nil {
			return err
		}
	}
	return nil
}

// writeCheckpoint recovers a folder and stops the node, which makes it write a checkpoint of everything.
func writeCheckpoint(dir string) error {
	return withNode(dir, nudge.NewNames(), nil, func(*state.Dir, *engine.Node) error { return nil })
}

// withNode runs a node over a folder, by the wall clock given, until do returns.
func withNode(dir string, names *nudge.Names, wall func() time.Time, do func(*state.Dir, *engine.Node) error) (err error) {
	data, err := state.Open(dir, state.Options{Names: names})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	node, err := newNode(data.Log, data.Store, names, wall, nil)
	if err != nil {
		return err
	}
	if err := node.Recover(); err != nil {
		return err
	}
	done, stop := started(node.Run)
	err = do(data, node)
	stop()
	return errors.Join(err, <-done)
}

// filesBytes is the length of all files in a folder. A segment of the log counts whole, with the space made ahead.
func filesBytes(dir string) (total float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil // the store tidies up beside us
		}
		if err == nil {
			total += float64(info.Size())
		}
		return err
	})
	return total, err
}

func tellRestart(o *Options, r *Report, all []*recovered) {
	t := Table{Title: "recovery", Columns: []string{"ready after", "events/s", "data folder"}}
	for i, f := range all {
		var micros, rate []float64
		for _, s := range f.seconds {
			micros = append(micros, s*1e6)
			rate = append(rate, float64(o.Events)/s)
		}
		t.row(f.name, spread(Micros, micros), spread(PerSecond, rate), once(Bytes, f.bytes))
		if i == 0 {
			r.EventsPerSecond = spread(PerSecond, rate).Median
		}
	}
	r.Tables = append(r.Tables, t)
	r.Method = append(r.Method,
		fmt.Sprintf("a data folder with the workload's six rules and %d events over 35 days; the one with a checkpoint holds all of them in it", o.Events),
		"from opening the folder to a node that is ready to take events, timers armed; the files are in the system's page cache, the log's made 64 MiB ahead",
		"the process is new to the folder in each round, but not to its memory: the collector may give back what the round before held",
		"events_per_second is that of the log",
	)
}
