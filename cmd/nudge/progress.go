package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"nudge/internal/replay"
)

// progress draws a bar on a terminal while long work runs, and nothing in a pipe.
type progress struct {
	out   io.Writer
	begun time.Time
	total int64 // bytes to read; 0: not known
	replay.Counts
	firings atomic.Int64
	done    chan struct{}
	wg      sync.WaitGroup
}

const (
	progressEvery = 200 * time.Millisecond
	barCells      = 24
)

// startProgress begins to draw if out is a terminal. Its owner calls stop.
func startProgress(out io.Writer, total int64) *progress {
	p := &progress{out: out, begun: time.Now(), total: total, done: make(chan struct{})}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.wg.Add(1)
		go p.draw()
	}
	return p
}

func (p *progress) draw() {
	defer p.wg.Done()
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			fmt.Fprint(p.out, "\r\x1b[K")
			return
		case <-ticker.C:
			fmt.Fprint(p.out, "\r\x1b[K"+p.line())
		}
	}
}

func (p *progress) line() string {
	var b strings.Builder
	if p.total > 0 {
		part := min(1, float64(p.Read.Load())/float64(p.total))
		full := int(part * barCells)
		fmt.Fprintf(&b, "[%s%s] %3.0f%%  ", strings.Repeat("=", full), strings.Repeat(" ", barCells-full), part*100)
	}
	fmt.Fprintf(&b, "%s events  %s/s  %s firings", grouped(p.Events.Load()), grouped(p.rate()), grouped(p.firings.Load()))
	return b.String()
}

// rate is in events a second.
func (p *progress) rate() int64 {
	return int64(float64(p.Events.Load()) / max(p.seconds(), 1e-6))
}

func (p *progress) seconds() float64 { return time.Since(p.begun).Seconds() }

// stop ends the drawing and clears the line.
func (p *progress) stop() {
	close(p.done)
	p.wg.Wait()
}

// grouped is n with commas between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is "1 line", "2 lines".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}
