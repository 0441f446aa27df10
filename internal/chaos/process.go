//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// betweenHarm is how many events, about, are accepted between two blows.
const betweenHarm = 3000

// killed kills the server again and again; each time another number of shards goes on.
func killed(ctx context.Context, o *options, dir string) (*result, error) {
	return blows(ctx, o, dir, syscall.SIGKILL, []int{1, 5, 3, 8, 2})
}

// terminated stops the server in order again and again.
func terminated(ctx context.Context, o *options, dir string) (*result, error) {
	return blows(ctx, o, dir, syscall.SIGTERM, []int{4, 1, 2})
}

func blows(ctx context.Context, o *options, dir string, sig syscall.Signal, shards []int) (*result, error) {
	rng := rand.New(rand.NewPCG(o.seed, uint64(sig)))
	t, err := newTrial(ctx, o, dir, "", nil)
	if err != nil {
		return nil, err
	}
	var longest, down time.Duration
	for _, t.set.shards = range shards {
		if err := t.load.more(t.load.accepted() + betweenHarm/2 + rng.IntN(betweenHarm)); err != nil {
			return nil, err
		}
		begun := time.Now()
		if sig == syscall.SIGTERM {
			err = t.server.stop()
		} else {
			err = t.server.end(sig)
		}
		longest = max(longest, time.Since(begun))
		if err == nil {
			err = t.start()
		}
		if err != nil {
			return nil, err
		}
		down = max(down, time.Since(begun))
	}
	if err := t.load.more(t.load.accepted() + betweenHarm); err != nil {
		return nil, err
	}
	r, err := t.end()
	if err == nil {
		r.more = fmt.Sprintf("no server for %v at most", down.Round(time.Millisecond))
		if sig == syscall.SIGTERM {
			r.more += fmt.Sprintf(", %v of it to stop", longest.Round(time.Millisecond))
		}
	}
	return r, err
}

// stopped halts the process for longer than clients wait and than stays last, and lets it go on.
func stopped(ctx context.Context, o *options, dir string) (*result, error) {
	t, err := newTrial(ctx, o, dir, "", nil)
	if err != nil {
		return nil, err
	}
	for range 3 {
		if err := t.load.more(t.load.accepted() + betweenHarm/2); err != nil {
			return nil, err
		}
		if err := t.server.signal(syscall.SIGSTOP); err != nil {
			return nil, err
		}
		t.load.rest(client.Timeout + stayTime)
		if err := t.server.signal(syscall.SIGCONT); err != nil {
			return nil, err
		}
	}
	if err := t.load.more(t.load.accepted() + betweenHarm); err != nil {
		return nil, err
	}
	r, err := t.end()
	if err == nil {
		r.more = fmt.Sprintf("%d requests without an answer, sent again", t.load.answers("no answer"))
	}
	return r, err
}
