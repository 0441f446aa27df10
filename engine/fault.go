package engine

import (
	"fmt"
	"runtime/debug"

	"nudge"
)

// Fault is a panic while a batch was applied: our bug, which a start would meet again at the same place. It names the record, so that whoever runs the
// server can take that one out of the log and go on.
type Fault struct {
	Offset nudge.Offset // of the record; 0 where timers ran behind the last one, or where it is not known
	Value  any          // what the panic said
	Stack  []byte       // of the goroutine
}

func (f *Fault) Error() string {
	if f.Offset == 0 {
		return fmt.Sprintf("BUG: applying a batch failed: %v\n\n%s", f.Value, f.Stack)
	}
	return fmt.Sprintf("BUG: applying the record at offset %d failed: %v. Every start would fail there; to start without this record, "+
		"make it a void: nudge log void %d --data DIR\n\n%s", f.Offset, f.Value, f.Offset, f.Stack)
}

// guarded runs f on the shard, and notes where it panics.
func (s *shard) guarded(f func(*shard)) {
	defer func() {
		v := recover()
		if f, ok := v.(*storeFault); ok {
			s.engine.failed.CompareAndSwap(nil, f)
		} else if v != nil {
			s.engine.fault.CompareAndSwap(nil, &Fault{Offset: s.at, Value: v, Stack: debug.Stack()})
		}
	}()
	f(s)
}

// passOn lets a shard's panic be the engine's: whatever it was in the middle of, nothing may be done with it any more.
func (e *Engine) passOn() {
	if f := e.failed.Load(); f != nil {
		panic(f)
	}
	if f := e.fault.Load(); f != nil {
		panic(f)
	}
}
