//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"
)

// trial is a server under load, or several in turn on one data folder.
type trial struct {
	ctx    context.Context
	set    settings
	load   *load
	server *server
	walked chan error
	walker *reading
	over   atomic.Bool // the walker ends at the feed's end
}

// newTrial starts a server and its load in dir. data is its data folder, "" for one in dir.
func newTrial(ctx context.Context, o *options, dir, data string, change func(*trial)) (*trial, error) {
	t := &trial{
		ctx: ctx, load: newLoad(ctx, o.seed), walked: make(chan error, 1), walker: newReading(),
		set: settings{bin: o.bin, rules: filepath.Join(dir, "rules"), data: data, shards: 2, started: &o.started},
	}
	if data == "" {
		t.set.data = filepath.Join(dir, "data")
	}
	more := ""
	if change != nil {
		change(t)
	}
	if t.load.bulk > 0 {
		more = ", noise: noise"
	}
	if err := writeRules(t.set.rules, more); err != nil {
		return nil, err
	}
	if err := t.start(); err != nil {
		return nil, err
	}
	t.load.begin()
	go func() { t.walked <- t.walk() }()
	return t, nil
}

// start starts the next server on the folder.
func (t *trial) start() (err error) {
	if t.server, err = t.set.mustStart(t.ctx); err == nil {
		t.load.move(t.server)
	}
	return err
}

// walk goes through the feed as it grows, whatever server there is.
func (t *trial) walk() error {
	for {
		over := t.over.Load()
		base, moved := t.load.where()
		before := t.walker.alerts
		err := t.walker.read(t.ctx, base)
		if err == nil && over && t.walker.alerts == before {
			return nil
		}
		if t.ctx.Err() != nil || over && err != nil {
			return errors.Join(err, t.ctx.Err())
		}
		select {
		case <-moved:
		case <-time.After(100 * time.Millisecond):
		case <-t.ctx.Done():
		}
	}
}

// end lets the clients finish, and compares what the feed says with what was accepted and with what the walker saw.
func (t *trial) end() (*result, error) {
	if err := t.load.finish(); err != nil {
		return nil, err
	}
	seen, err := t.settled()
	if err != nil {
		return nil, err
	}
	t.over.Store(true)
	if err := <-t.walked; err != nil {
		return nil, fmt.Errorf("the walk through all servers: %w", err)
	}
	if !bytes.Equal(t.walker.sum.Sum(nil), seen.sum.Sum(nil)) {
		return nil, fmt.Errorf("a walk through all servers saw %d alerts, one at the end %d, or others", t.walker.alerts, seen.alerts)
	}
	if err := t.server.stop(); err != nil {
		return nil, err
	}
	return &result{tally: &t.load.tally, seen: seen}, nil
}

// settled reads the whole feed once everything that is to come by time alone has come.
func (t *trial) settled() (*reading, error) {
	var seen *reading
	var err error
	begun := time.Now()
	for begun.Add(waitTime).After(time.Now()) && t.ctx.Err() == nil {
		seen = newReading()
		if err = seen.read(t.ctx, t.server.url); err == nil {
			err = seen.compare(&t.load.tally)
		}
		if err == nil && time.Since(begun) > 2*stayTime { // a stay that has ended must have had the time to fire
			return seen, nil
		}
		t.load.rest(500 * time.Millisecond)
	}
	return nil, errors.Join(err, t.ctx.Err())
}
