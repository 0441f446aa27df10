//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// options of a run.
type options struct {
	bin    string
	skewed string // the binary whose clock can be set
	dir    string // of everything that is made
	seed   uint64
	flips  int
	hour   time.Duration
	only   string

	started processes
}

// A fault is done to servers by run. Its line says what came of it.
type fault struct {
	name string
	run  func(ctx context.Context, o *options, dir string) (*result, error)
}

// faults in the order in which they are tried.
var faults = []fault{
	{"kill -9 under load, five times, other shards each time", killed},
	{"kill -9 behind erasures of persons, four times", erased},
	{"SIGSTOP and SIGCONT under load", stopped},
	{"SIGTERM under load, three times", terminated},
	{"SIGTERM behind a million changed keys", stopDirty},
	{"a flood on 600 connections beside the load", overloaded},
	{"a full disk, four times: server goes on, kill -9, server goes on, SIGTERM", fullDisk},
	{"a disk that fails and can only be read, twice", readOnlyDisk},
	{"the clock on the wall set by an hour, forward and back, running and between processes", clockSet},
	{"few files: ulimit -n, and more connections than there may be", fewFiles},
	{"little memory: ulimit -v", littleMemory},
	{"a flipped bit in the log or the store", flipped},
	{"a file that is cut short or missing", cut},
}

// errSkipped is returned, wrapped, where a fault cannot be tried here.
var errSkipped = errors.New("left out")

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/nudge", "the binary")
	flag.StringVar(&o.skewed, "skewed", "", "the binary built with -tags skewed; empty: the clock's faults are left out")
	flag.Uint64Var(&o.seed, "seed", 0, "of what is random; 0: another one each time")
	flag.IntVar(&o.flips, "flips", 400, "bits to flip, one at a time")
	flag.DurationVar(&o.hour, "for", 0, "instead of the faults, one run for so long with a kill -9 every minute")
	flag.StringVar(&o.only, "only", "", "try only faults whose name matches this expression")
	flag.Parse()
	log.SetOutput(io.Discard) // what the HTTP client has to say of a server that refuses connections
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &o)
	cancel()
	os.Exit(code)
}

// run tries the faults one after the other and returns the exit code.
func run(ctx context.Context, o *options) int {
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	only, err := regexp.Compile(o.only)
	if err == nil {
		o.bin, err = filepath.Abs(o.bin)
	}
	if err == nil {
		o.dir, err = os.MkdirTemp("", "nudge-chaos-*")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	defer os.RemoveAll(o.dir)
	fmt.Printf("seed %d\n", o.seed)
	failed := 0
	all := faults
	if o.hour > 0 {
		all = []fault{{fmt.Sprintf("%v of load, kill -9 every minute", o.hour), longRun}}
	}
	for i, f := range all {
		if !only.MatchString(f.name) {
			continue
		}
		dir := filepath.Join(o.dir, fmt.Sprint(i))
		if !f.try(ctx, o, dir) {
			failed++
		}
		if ctx.Err() != nil {
			return 2
		}
	}
	if failed > 0 {
		fmt.Printf("%d faults were not survived; seed %d\n", failed, o.seed)
		return 1
	}
	fmt.Println("all faults were survived")
	return 0
}

// try does one fault in a folder of its own and prints its line.
func (f *fault) try(ctx context.Context, o *options, dir string) (ok bool) {
	begun := time.Now()
	err := os.MkdirAll(dir, 0o755)
	var r *result
	if err == nil {
		ctx, cancel := context.WithCancel(ctx)
		r, err = f.run(ctx, o, dir)
		cancel() // ends what a failed trial has left running
		o.started.wait()
	}
	took := time.Since(begun).Round(100 * time.Millisecond)
	err = errors.Join(err, os.RemoveAll(dir))
	switch {
	case errors.Is(err, errSkipped):
		fmt.Printf("-     %s: %v\n", f.name, err)
	case err != nil:
		fmt.Printf("WRONG %s (%v): %v\n", f.name, took, err)
		return false
	default:
		fmt.Printf("ok    %s (%v): %s\n", f.name, took, r)
	}
	return true
}

// result is what a fault's line says.
type result struct {
	tally *tally
	seen  *reading
	more  string
}

func (r *result) String() string {
	if r.tally == nil {
		return r.more
	}
	applied := 0
	for _, marks := range r.seen.marks {
		applied += len(marks)
	}
	s := fmt.Sprintf("%d events accepted, %d marked ones among them applied; firings: %d expected, %d seen", r.tally.accepted, applied, r.tally.expected(), r.seen.alerts)
	if r.more != "" {
		s += "; " + r.more
	}
	return s
}
