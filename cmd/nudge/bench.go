package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nudge/bench"
)

// benchFlags are the settings of `nudge bench`.
type benchFlags struct {
	bench.Options
	memory     sizeFlag
	json       bool
	all        bool
	out        string
	cpuProfile string
}

func newBench() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [WORKLOAD]",
		Short: "Measure the engine on this machine, beside what it is compared with",
		Long: fmt.Sprintf(`Bench measures one level in a warm-up and some rounds, and prints the median, the least and the most of them, what was measured and how.
What a level is compared with is measured in the same process, in turn with it. The workloads are %s; all but the first and those that say so are for the level core.

The levels, and what --events is for each:
%s
Data folders are made in the folder for temporary files ($TMPDIR) and removed. Nothing is sent anywhere but over loopback.`,
			bench.Workloads, levelsHelp()),
		Example: "  nudge bench\n  nudge bench --level http\n  nudge bench six --level core --events 5000000 --json\n  nudge bench --all --out reports",
		Args:    args(cobra.MaximumNArgs(1), "one workload"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 1 {
				f.Workload = names[0]
			}
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.Level, "level", "", "what is measured; core, or the level that the workload is for")
	fs.IntVar(&f.Events, "events", 0, "size of a round; 0 is the level's default")
	fs.IntVar(&f.Rounds, "rounds", bench.DefaultRounds, "rounds beside the warm-up")
	fs.StringVar(&f.Peers, "peers", bench.DefaultPeers, "folder of the other engines, for the levels peers and peers-http")
	fs.Var(&f.memory, flagMemory, "budget of the level memory, as 1GiB; 0: room for one record in ten")
	fs.StringVar(&f.Clicks, "clicks", "", "file of the workload globo: CSV with the columns user_id, click_article_id and click_timestamp; packed if its name ends in .gz")
	fs.BoolVar(&f.json, "json", false, "print one JSON object")
	fs.BoolVar(&f.all, "all", false, "measure every level, one after the other")
	fs.StringVar(&f.out, "out", "", "write each level's report into this folder too: as JSON, as a page, as a chart")
	fs.StringVar(&f.cpuProfile, "cpu-profile", "", "write a profile for go tool pprof to this file")
	return cmd
}

// levelsHelp lists the levels for people.
func levelsHelp() string {
	var b strings.Builder
	for _, l := range bench.Levels() {
		fmt.Fprintf(&b, "  %-10s %s; %s (default %s)\n", l.Name, l.Does, l.Counts, grouped(int64(l.Events)))
	}
	return b.String()
}

func (f *benchFlags) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	if f.Rounds == 0 {
		return usagef("--rounds is 0; give 1 to %d", bench.MaxRounds)
	}
	if f.all && f.Events != 0 {
		return usagef("--all measures each level in its own size: leave --events out")
	}
	if f.Level == "" {
		f.Level = bench.LevelOf(f.Workload)
	}
	f.Memory = int64(f.memory)
	if err := f.Validate(); err != nil {
		return &exitError{exitUsage, err}
	}
	if f.cpuProfile != "" {
		stop, startErr := profile(f.cpuProfile)
		if startErr != nil {
			return startErr
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if !f.all {
		return f.level(ctx, stdout, stderr)
	}
	for i, l := range bench.Levels() {
		if f.Level = l.Name; i > 0 && !f.json {
			fmt.Fprintln(stdout)
		}
		if err := f.level(ctx, stdout, stderr); err != nil {
			return err
		}
	}
	return nil
}

// level measures one level and prints its report.
func (f *benchFlags) level(ctx context.Context, stdout, stderr io.Writer) error {
	seen := onTerminal(stderr)
	if seen {
		f.Progress = func(done string) { fmt.Fprintf(stderr, "\r\x1b[K%s: %s", f.Level, done) }
	}
	report, err := bench.Run(ctx, f.Options)
	if seen {
		fmt.Fprint(stderr, "\r\x1b[K")
	}
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case err != nil:
		return err
	}
	if f.out != "" {
		if err := report.WriteFiles(f.out); err != nil {
			return err
		}
	}
	if f.json {
		return report.WriteJSON(stdout)
	}
	return report.WriteText(stdout)
}

// onTerminal says whether what is written can be seen by somebody as it comes.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// profile notes where the time goes until stop is called.
func profile(path string) (stop func() error, err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
