//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// fewFiles lets a server open few files, and others hold more connections than it may have; first, too few to start.
func fewFiles(ctx context.Context, o *options, dir string) (*result, error) {
	few := settings{bin: o.bin, rules: dir, data: dir + "/few", ulimit: "-n 100", started: &o.started}
	p, err := few.start(ctx)
	if err != nil {
		return nil, err
	}
	if p.url != "" || !contains(p.said.String(), "ulimit -n") || p.code != 3 {
		return nil, fmt.Errorf("with 100 files the server starts, or does not say what to do: code %d, %s", p.code, p.said)
	}
	t, err := newTrial(ctx, o, dir, "", func(t *trial) { t.set.ulimit = "-n 256" })
	if err != nil {
		return nil, err
	}
	held := 0
	for range 3 {
		if err := t.load.more(t.load.accepted() + betweenHarm/2); err != nil {
			return nil, err
		}
		var conns []net.Conn
		for range 300 {
			c, err := net.Dial("tcp", strings.TrimPrefix(t.server.url, "http://"))
			if err != nil {
				break
			}
			conns = append(conns, c)
		}
		held = max(held, len(conns))
		client.CloseIdleConnections() // the clients need new ones
		t.load.rest(2 * time.Second)
		for _, c := range conns {
			c.Close()
		}
	}
	if err := t.load.more(t.load.accepted() + betweenHarm); err != nil {
		return nil, err
	}
	r, err := t.end()
	if err == nil {
		r.more = fmt.Sprintf("%d connections held open by others; a start with 100 files is refused", held)
	}
	return r, err
}

// memoryLimits are tried one after the other, in KiB of address space, until one of them does not last.
var memoryLimits = []int{2500_000, 1800_000, 1500_000, 1300_000}

// littleMemory gives servers less and less memory, until one cannot go on, and then lets one with enough take over.
func littleMemory(ctx context.Context, o *options, dir string) (*result, error) {
	t, err := newTrial(ctx, o, dir, "", func(t *trial) { t.load.bulk = bulkBytes })
	if err != nil {
		return nil, err
	}
	lasted, died := 0, 0
	for _, kib := range memoryLimits {
		if err := t.load.more(t.load.accepted() + betweenHarm/2); err != nil {
			return nil, err
		}
		if err := t.server.stop(); err != nil {
			return nil, err
		}
		t.set.ulimit = fmt.Sprintf("-v %d", kib)
		p, err := t.set.start(ctx)
		if err != nil {
			return nil, err
		}
		if t.server = p; p.url != "" {
			t.load.move(p)
			t.load.until("the server to end for want of memory", 10*time.Second, p.ended)
		}
		early := p.ended()
		if !early {
			lasted = kib
			if err := p.end(syscall.SIGTERM); err != nil {
				return nil, err
			}
		}
		if early || p.code != 0 { // a last checkpoint may want more than there is, too
			if !p.lackedMemory() {
				return nil, fmt.Errorf("within %d MiB of address space serve ends with code %d: %s", kib>>10, p.code, p.said)
			}
			died = kib
		}
		t.set.ulimit = ""
		if err := t.start(); err != nil {
			return nil, err
		}
		if died > 0 {
			break
		}
	}
	if err := t.load.more(t.load.accepted() + betweenHarm); err != nil {
		return nil, err
	}
	r, err := t.end()
	if err == nil {
		r.more = fmt.Sprintf("worked 10 s within %d MiB of address space", lasted>>10)
		if died > 0 {
			r.more += fmt.Sprintf(", ended for want of memory within %d MiB", died>>10)
		}
	}
	return r, err
}

// wantOfMemory is what Go's runtime, or the system, says where there is no memory to be had, also for a thread.
var wantOfMemory = []string{"out of memory", "cannot allocate memory", "failed to create new OS thread", "pthread_create failed"}

// lackedMemory says whether the process, which has ended, says that it did for want of memory.
func (p *server) lackedMemory() bool {
	said := p.said.String()
	return slices.ContainsFunc(wantOfMemory, func(words string) bool { return contains(said, words) })
}
