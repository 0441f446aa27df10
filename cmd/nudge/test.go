package main

import (
	"fmt"
	"io"
	"regexp"

	"github.com/spf13/cobra"

	"nudge"
	"nudge/internal/fixture"
)

// testFlags are the settings of `nudge test`.
type testFlags struct {
	engineFlags
	format  string
	run     string
	verbose bool
}

func newTest() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests that stand beside rules, on a virtual clock",
		Long: `Test runs the *.test files of a folder of rules (default: rules) on a virtual clock. A test lists events with relative times, and
the firings that they bring; any other firing fails it, and so does one that does not come. For each failure it prints what
the parts of the rule's condition read at that instant.

At the end it lists the parts of conditions that no test has proved. That alone fails nothing.
--lateness and --timezone are for tests that set neither. docs/TESTING.md is the page on writing tests.`,
		Example: "  nudge test examples/rules\n  nudge test --run 'demo-help/.*cooldown' -v examples/rules",
		Args:    args(cobra.MaximumNArgs(1), "one folder"),
		RunE: func(cmd *cobra.Command, dirs []string) error {
			dir := defaultRules
			if len(dirs) == 1 {
				dir = dirs[0]
			}
			return runTests(dir, &f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := cmd.Flags()
	f.register(fs)
	fs.StringVar(&f.format, "format", "text", "text or json")
	fs.StringVar(&f.run, "run", "", "only tests whose FILE/NAME this pattern (RE2) is found in, FILE without .test")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "also list the tests that passed, and the rules that have none")
	return cmd
}

func (f *testFlags) options() (o fixture.Options, err error) {
	if all := f.problems(); len(all) > 0 {
		return o, &exitError{exitUsage, all[0]}
	}
	if f.format != "text" && f.format != "json" {
		return o, usagef("--format %q: give text or json", f.format)
	}
	o = fixture.Options{Names: nudge.NewNames(), Lateness: f.lateness, Shards: f.shards, DedupEvents: f.dedupEvents}
	if o.Zone, err = f.location(); err != nil {
		return o, err
	}
	if f.run != "" {
		if o.Run, err = regexp.Compile(f.run); err != nil {
			return o, usagef("--run %q is not a pattern: %w", f.run, err)
		}
	}
	return o, nil
}

func runTests(dir string, f *testFlags, stdout, stderr io.Writer) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	sources, err := readRules(dir)
	if err != nil {
		return err
	}
	texts, err := fixture.ReadFolder(dir)
	if err != nil {
		return err
	}
	tellOverlooked(dir, stderr)
	if len(texts) == 0 {
		fmt.Fprintf(stderr, "nudge: there are no tests in %s: those of the rule NAME stand in NAME%s beside it\n", dir, fixture.Suffix)
	}
	r, err := fixture.RunFolder(sources, texts, o)
	if err != nil {
		return err
	}
	if o.Run != nil && r.OK && r.Tests == 0 {
		return usagef("--run %q is found in the name of no test; -v lists them", f.run)
	}
	r.InFolder(dir)
	if f.format == "json" {
		err = r.JSON(stdout)
	} else {
		err = r.Text(stdout, f.verbose)
	}
	if err == nil && !r.OK {
		return &reported{exitFound}
	}
	return err
}
