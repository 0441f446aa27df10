package replay

import (
	"context"
	"io"
	"runtime"
	"sync/atomic"

	"nudge"
	"nudge/engine"
	"nudge/rules"
)

// Options of Run. All but Mapping, SkipBad and Counts have to be given.
type Options struct {
	Paths   []string  // read in this order; none: Stdin
	Stdin   io.Reader // where there are no paths
	Mapping Mapping   // given: the files are CSV; else one JSON event a line
	SkipBad bool      // lines that are refused are counted, and do not end the replay

	Names  *nudge.Names
	Plan   *rules.Plan
	Engine *engine.Engine // the plan is deployed
	Batch  int            // records that are applied at once

	Emit   func([]nudge.Firing) error // takes what fires; valid until it returns
	Counts *Counts                    // may be looked at while Run goes on; nil: nobody looks
}

// Counts is how far a replay is.
type Counts struct {
	Read   atomic.Int64 // bytes of the files, still packed
	Events atomic.Int64 // applied
}

// Skipped is what SkipBad passed over.
type Skipped struct {
	Lines int64
	First error // names file and line; nil where there was none
}

// Run applies all events of the files.
func Run(ctx context.Context, o *Options) (Skipped, error) {
	counts := o.Counts
	if counts == nil {
		counts = &Counts{}
	}
	src := &source{paths: o.Paths, stdin: o.Stdin, mapping: o.Mapping, names: o.Names, plan: o.Plan, read: &counts.Read}
	src.start(ctx, runtime.GOMAXPROCS(0))
	defer src.close()
	a := &applier{engine: o.Engine, size: o.Batch, skipBad: o.SkipBad, events: &counts.Events, emit: o.Emit, release: src.release}
	err := a.run(ctx, src)
	return a.skipped, err
}
