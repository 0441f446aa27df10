package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"nudge"
	"nudge/rules"
)

// readRules reads a rules folder. A folder that is not there keeps the command from running; a file in it that cannot be taken is
// something wrong in what was given.
func readRules(dir string) ([]rules.Source, error) {
	sources, err := rules.ReadFolder(dir)
	if err == nil {
		return sources, nil
	}
	if _, statErr := os.Stat(dir); errors.Is(statErr, fs.ErrNotExist) || errors.Is(statErr, fs.ErrPermission) {
		return nil, err
	}
	return nil, &exitError{exitFound, err}
}

// tellOverlooked says which files of a folder look like rules and are not read.
func tellOverlooked(dir string, stderr io.Writer) {
	for _, remark := range rules.Overlooked(dir) {
		fmt.Fprintf(stderr, "nudge: %s\n", remark)
	}
}

// loadPlan reads and compiles a rules folder. Remarks about the rules go to stderr.
func loadPlan(dir string, f *replayFlags, names *nudge.Names, stderr io.Writer) (*rules.Plan, error) {
	sources, err := readRules(dir)
	if err != nil {
		return nil, err
	}
	loc, err := f.location()
	if err != nil {
		return nil, err
	}
	plan, remarks := rules.Compile(sources, rules.Options{Names: names, Location: loc, LogRetention: f.logKeep})
	fmt.Fprint(stderr, inFolder(dir, remarks).Text())
	if remarks.HasErrors() {
		return nil, &reported{exitFound}
	}
	return plan, nil
}

// inFolder is remarks with the folder in front of the file names, so that a terminal or an editor can open them.
func inFolder(dir string, remarks rules.Diagnostics) rules.Diagnostics {
	out := make(rules.Diagnostics, len(remarks))
	for i, d := range remarks {
		d.File = filepath.Join(dir, d.File)
		out[i] = d
	}
	return out
}
