package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // zones are there on a machine without them, too

	"github.com/spf13/cobra"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		twoSignals(signals, cancel)
		fmt.Fprintln(os.Stderr, "nudge: ended by a second signal")
		os.Exit(exitRun)
	}()
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// oneAct is within how long the same signal twice is one act: whoever ends a process and its group, as timeout does, signals the process twice.
const oneAct = 200 * time.Millisecond

// twoSignals lets the first signal end the command in order, and returns at the second one, which ends it at once: nothing that was promised depends on the order.
func twoSignals(signals <-chan os.Signal, inOrder func()) {
	first, began := <-signals, time.Now()
	inOrder()
	for next := range signals {
		if next != first || time.Since(began) >= oneAct {
			return
		}
	}
}

// execute runs one command line and returns its exit code. The process ends behind it.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return executeWithin(ctx, stopTime, args, stdin, stdout, stderr)
}

// executeWithin is execute for a process that ends so long after the signal at the latest. One that goes on must give its servers the time to give
// their folders back.
func executeWithin(ctx context.Context, stop time.Duration, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(stop)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var quiet *reported
	if !errors.As(err, &quiet) {
		fmt.Fprintln(stderr, "nudge:", err)
	}
	return exitCode(err)
}

func newRoot(stop time.Duration) *cobra.Command {
	root := &cobra.Command{
		Use:   "nudge",
		Short: "Turns behaviour into action while the person is still there",
		Long: `Nudge reads events, follows rules over time per visitor, person and company, and fires popups and
sales alerts in milliseconds, each exactly once.

Every flag is also an environment variable (--log-max is NUDGE_LOG_MAX) and a key of nudge.yaml (log-max);
a flag wins over the environment, the environment over the file.

Exit codes: 0 done, 1 found something wrong in what it was given, 2 used wrongly, 3 could not run.`,
		Example: `  nudge serve --demo           the engine with the example site and rules
  nudge check examples/rules   are the rules right, and what do they cost
  nudge replay --rules examples/rules events.ndjson.gz`,
		Version:                    versionLine(),
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       noSuchCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE:          func(cmd *cobra.Command, _ []string) error { return applySettings(cmd, os.LookupEnv) },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().String(flagConfig, "", "settings file (default: nudge.yaml in the current folder, if there is one)")
	root.AddCommand(newServe(stop), newCheck(), newTest(), newReplay(), newInspect(), newBackup(), newLog(), newDemo(), newErase(), newBench(), newVersion())
	return root
}

// noSuchCommand refuses arguments of the bare command: cobra hands it whatever names no sub-command.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %q; did you mean `nudge %s`?", args[0], near[0])
	}
	return usagef("there is no command %q; `nudge help` lists them", args[0])
}
