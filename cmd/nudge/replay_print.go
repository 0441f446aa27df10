package main

import (
	"fmt"
	"io"
	"sync/atomic"

	"nudge"
)

// printBuffer is how much text is handed to the writer at once.
const printBuffer = 64 << 10

// firingWriter prints firings, one JSON line each, in the order in which they come. Writing happens beside applying.
type firingWriter struct {
	suppressed bool // print these too
	printed    *atomic.Int64
	buf        []byte
	full       chan []byte
	written    chan writtenBuffer // to be filled again
	err        error              // the first of writing
}

type writtenBuffer struct {
	buf []byte
	err error
}

// newFiringWriter starts the goroutine that writes to out. Its owner calls close.
func newFiringWriter(out io.Writer, suppressed bool, printed *atomic.Int64) *firingWriter {
	w := &firingWriter{
		suppressed: suppressed,
		printed:    printed,
		full:       make(chan []byte),
		written:    make(chan writtenBuffer, 2),
	}
	w.written <- writtenBuffer{}
	go w.write(out)
	return w
}

func (w *firingWriter) write(out io.Writer) {
	defer close(w.written)
	for buf := range w.full {
		_, err := out.Write(buf)
		w.written <- writtenBuffer{buf[:0], err}
	}
}

// add prints those of the firings that are asked for. They are not kept.
func (w *firingWriter) add(firings []nudge.Firing) error {
	for i := range firings {
		f := &firings[i]
		if f.Suppressed != "" && !w.suppressed {
			continue
		}
		w.printed.Add(1)
		w.buf = append(f.AppendJSON(w.buf), '\n')
		if len(w.buf) >= printBuffer {
			w.hand()
		}
	}
	return w.err
}

// hand gives the full buffer to the writer and takes the one that it wrote before.
func (w *firingWriter) hand() {
	w.full <- w.buf
	w.take(<-w.written)
}

func (w *firingWriter) take(b writtenBuffer) {
	w.buf = b.buf
	if b.err != nil && w.err == nil {
		w.err = fmt.Errorf("print firings: %w", b.err)
	}
}

// close prints what is left and reports what went wrong, unless add has.
func (w *firingWriter) close() error {
	reported := w.err != nil
	if len(w.buf) > 0 && !reported {
		w.hand()
	}
	close(w.full)
	for b := range w.written {
		w.take(b)
	}
	if reported {
		return nil
	}
	return w.err
}
