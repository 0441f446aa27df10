//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

const (
	dirtyKeys  = 1_000_000 // visitors, each of whom an event has changed
	dirtyBatch = 1000      // events in one request

	// stopMost is how long an orderly end may take.
	stopMost = 5 * time.Second
)

// stopDirty changes a million keys as fast as it can, and wants a SIGTERM right behind it to end the server soon, and the next start to serve.
func stopDirty(ctx context.Context, o *options, dir string) (*result, error) {
	set := settings{bin: o.bin, rules: filepath.Join(dir, "rules"), data: filepath.Join(dir, "data"), shards: 2, started: &o.started}
	if err := writeRules(set.rules, ""); err != nil {
		return nil, err
	}
	p, err := set.mustStart(ctx)
	if err != nil {
		return nil, err
	}
	if err := sendVisitors(ctx, p.url); err != nil {
		return nil, err
	}
	behind, err := p.behind(ctx)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := p.stop(); err != nil {
		return nil, err
	}
	took := time.Since(begun)
	if took > stopMost {
		return nil, fmt.Errorf("the end took %v, at most %v are allowed: %s", took, stopMost, p.said)
	}
	begun = time.Now()
	if p, err = set.mustStart(ctx); err != nil {
		return nil, err
	}
	restart := time.Since(begun)
	left, err := p.behind(ctx)
	if err != nil {
		return nil, err
	}
	what := "the last checkpoint held everything"
	if left > 0 {
		what = fmt.Sprintf("%.0f records were left to the log", left)
	}
	return &result{more: fmt.Sprintf("%d events of as many visitors; %.0f not in a checkpoint yet at the signal; stopped after %v, %s; the next start took %v",
		dirtyKeys, behind, took.Round(10*time.Millisecond), what, restart.Round(10*time.Millisecond))}, p.stop()
}

// sendVisitors sends an event of each visitor.
func sendVisitors(ctx context.Context, base string) error {
	errs := make([]error, loadClients)
	var wg sync.WaitGroup
	for c := range loadClients {
		wg.Go(func() {
			for from := c * dirtyBatch; from < dirtyKeys && errs[c] == nil; from += loadClients * dirtyBatch {
				var b bytes.Buffer
				for n := from; n < from+dirtyBatch; n++ {
					fmt.Fprintf(&b, `{"type":"seen","id":"e%d","visitor":"visitor-%d","company":"company-%d.example"}`+"\n", n, n, n%1000)
				}
				errs[c] = post(ctx, base, b.Bytes())
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// behind is how many records no checkpoint holds.
func (p *server) behind(ctx context.Context) (float64, error) {
	next, err1 := p.metric(ctx, "nudge_engine_log_next_offset")
	from, err2 := p.metric(ctx, "nudge_engine_checkpoint_next_offset")
	return next - from, errors.Join(err1, err2)
}
