package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"nudge"
	"nudge/engine"
	"nudge/internal/replay"
)

// replayFlags are the settings of `nudge replay`.
type replayFlags struct {
	engineFlags
	rules      string
	maps       []string
	sets       []string
	suppressed bool
	skipBad    bool
	until      instantFlag
	drain      bool
	batch      int
	logKeep    nudge.Millis
}

const (
	defaultBatch = 4096
	maxBatch     = 1 << 20
)

func newReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay --rules DIR [FILE…]",
		Short: "Run rules over events from files: events in, firings out",
		Long: `Replay reads one JSON event per line, in the order of the files, and prints one JSON line per firing.
Without FILE it reads standard input; files that end in .gz or .zst are unpacked.

With --map or --set the input is CSV with a header line; columns that are not mapped are left out.

After the last event the clock stands still: add --until or --drain to let timers run out.
The same command on the same input prints the same bytes, whatever --shards and --batch are.`,
		Example: `  nudge replay --rules rules events.ndjson.gz
  nudge replay --rules rules --map visitor=user_id --map ts=click_timestamp --set type=click clicks.csv`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			return runReplay(cmd.Context(), &f, paths, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	f.register(fs)
	fs.StringVar(&f.rules, flagRules, defaultRules, "folder of the rules")
	fs.StringArrayVar(&f.maps, "map", nil, "FIELD=COLUMN: take a field of the event from a CSV column (repeat)")
	fs.StringArrayVar(&f.sets, "set", nil, "FIELD=VALUE: the same value in every event (repeat)")
	fs.BoolVar(&f.suppressed, "suppressed", false, "also print firings that unless, cooldown or limit held back")
	fs.BoolVar(&f.skipBad, "skip-bad", false, "count lines that cannot be read and go on")
	fs.Var(&f.until, "until", "after the last event, run the timers due up to this time")
	fs.BoolVar(&f.drain, "drain", false, "after the last event, run every pending timer")
	registerLogKeep(fs, &f.logKeep)
	fs.IntVar(&f.batch, "batch", defaultBatch, "events applied at once; the answers do not depend on it")
	return cmd
}

func (f *replayFlags) validate() error {
	all := f.problems()
	if f.batch < 1 || f.batch > maxBatch {
		all = append(all, fmt.Errorf("--batch is %d; give 1 to %d", f.batch, maxBatch))
	}
	if f.until.set && f.drain {
		all = append(all, errors.New("--until and --drain exclude each other: the first runs timers up to a time, the second all"))
	}
	if len(all) > 0 {
		return &exitError{exitUsage, errors.Join(all...)}
	}
	return nil
}

// runReplay runs the files through the rules and prints what fires.
func runReplay(ctx context.Context, f *replayFlags, paths []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if err := f.validate(); err != nil {
		return err
	}
	mapping, err := replay.ParseMapping(f.maps, f.sets)
	if err != nil {
		return err
	}
	names := nudge.NewNames()
	plan, err := loadPlan(f.rules, f, names, stderr)
	if err != nil {
		return err
	}
	if len(plan.Rules) == 0 {
		fmt.Fprintf(stderr, "nudge: there are no rules in %s, so nothing can fire; --rules names the folder\n", f.rules)
	}
	e, err := engine.New(engine.Options{
		Shards: f.shards, Names: names, Lateness: f.lateness, DedupEvents: f.dedupEvents, Replay: true, DropSuppressed: !f.suppressed,
	})
	if err != nil {
		return err
	}
	e.Deploy(plan)

	bar := startProgress(stderr, replay.PackedSize(paths))
	out := newFiringWriter(stdout, f.suppressed, &bar.firings)
	skipped, err := replay.Run(ctx, &replay.Options{
		Paths: paths, Stdin: stdin, Mapping: mapping, SkipBad: f.skipBad, Names: names, Plan: plan, Engine: e, Batch: f.batch, Emit: out.add, Counts: &bar.Counts,
	})
	if err == nil {
		err = f.finish(e, out.add)
	}
	err = errors.Join(suggestColumn(err), out.close())
	bar.stop()
	if err != nil && bar.Events.Load() == 0 {
		return err
	}
	fmt.Fprintf(stderr, "replayed %s in %.2f s (%s events/s): %s printed, %s skipped\n", plural(bar.Events.Load(), "event"),
		bar.seconds(), grouped(bar.rate()), plural(bar.firings.Load(), "firing"), plural(skipped.Lines, "line"))
	if skipped.First != nil && f.skipBad {
		fmt.Fprintf(stderr, "the first line skipped: %v\n", skipped.First)
	}
	return err
}

// finish lets timers run out after the last line, as asked.
func (f *replayFlags) finish(e *engine.Engine, emit func([]nudge.Firing) error) error {
	switch {
	case f.until.set:
		return emit(e.AdvanceTo(f.until.at))
	case f.drain:
		return emit(e.Drain())
	}
	return nil
}

// suggestColumn adds to an error of a column that is not there the one that was probably meant.
func suggestColumn(err error) error {
	var lack *replay.NoColumn
	if errors.As(err, &lack) {
		if near := nearest(lack.Column, lack.Columns); near != "" {
			return usagef("%s; did you mean %q?", lack.Lack(), near)
		}
	}
	return err
}
