package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"nudge/internal/replay"
)

// The exit codes, the same for every command.
const (
	exitDone  = 0
	exitFound = 1 // found something wrong in what it was given
	exitUsage = 2 // used wrongly
	exitRun   = 3 // could not run
)

// exitError is an error that knows its exit code. Every other error is exitRun: the environment's fault.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func foundf(format string, args ...any) error {
	return &exitError{exitFound, fmt.Errorf(format, args...)}
}

func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// reported is an error whose message the command has already printed.
type reported struct{ code int }

func (e *reported) Error() string { return "already reported" }

func exitCode(err error) int {
	var quiet *reported
	if errors.As(err, &quiet) {
		return quiet.code
	}
	var known *exitError
	var misuse *replay.Misuse
	var refused *replay.Refused
	switch {
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &misuse):
		return exitUsage
	case errors.As(err, &refused):
		return exitFound
	}
	return exitRun
}

// args wraps a check of cobra's on the number of arguments, whose error is otherwise not told apart from the command's own.
func args(check cobra.PositionalArgs, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		switch {
		case check(cmd, a) == nil:
			return nil
		case len(a) == 0:
			return usagef("%s takes %s; none is given: see `%s --help`", cmd.CommandPath(), want, cmd.CommandPath())
		}
		return usagef("%s takes %s; given is: %s", cmd.CommandPath(), want, strings.Join(a, " "))
	}
}

// flagError turns pflag's errors into ours: with a suggestion for a flag that does not exist.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		if near := nearest(unknown.GetSpecifiedName(), flagNames(cmd)); near != "" {
			return usagef("%s has no flag --%s; did you mean --%s?", cmd.CommandPath(), unknown.GetSpecifiedName(), near)
		}
		return usagef("%s has no flag --%s; `%s --help` lists them", cmd.CommandPath(), unknown.GetSpecifiedName(), cmd.CommandPath())
	}
	var wrong *pflag.InvalidValueError
	if errors.As(err, &wrong) {
		return usagef("--%s %q: %w; see `%s --help`", wrong.GetFlag().Name, wrong.GetValue(), valueError(wrong.Unwrap()), cmd.CommandPath())
	}
	return usagef("%w; see `%s --help`", err, cmd.CommandPath())
}

// valueError says in plain words what a number or a switch must be; the other kinds of flags do so themselves.
func valueError(err error) error {
	var number *strconv.NumError
	switch {
	case !errors.As(err, &number):
		return err
	case number.Func == "ParseBool":
		return errors.New("give true or false")
	case errors.Is(err, strconv.ErrRange):
		return errors.New("this number is too large or too small")
	}
	return errors.New("give a whole number")
}

func flagNames(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// nearest is the word closest to what was written, "" if none is close: at most a third of its letters may be wrong.
func nearest(written string, words []string) string {
	best, bestDistance := "", len(written)/3+1
	for _, w := range words {
		if d := distance(written, w); d < bestDistance || d == bestDistance && best != "" && w < best {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with their neighbour to get from a to b.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = old, row, older
	}
	return rows[1][len(b)]
}
