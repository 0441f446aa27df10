//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// smallDiskBytes holds a log of the least size that can be asked for, and as much of the store.
	smallDiskBytes = 1 << 30
	// bulkBytes of noise in each event fill a segment within seconds.
	bulkBytes = 4 << 10
)

// mountSmall mounts a file system of its own in memory on dir. unmount gives it back.
func mountSmall(dir string, bytes int64) (unmount func() error, err error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: only root may mount a small disk", errSkipped)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		return nil, fmt.Errorf("%w: mount a small disk: %w", errSkipped, err)
	}
	return func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) }, nil
}

// filler is a file that takes what room a disk has.
type filler struct{ path string }

// fill takes all that is free, again and again until nothing is: others give room back meanwhile.
func (f filler) fill() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for n := len(block); n > 0 && err == nil; {
		if _, err = file.Write(block[:n]); errors.Is(err, syscall.ENOSPC) {
			n, err = n/2, nil
		}
	}
	return errors.Join(err, file.Close())
}

// free gives the room back.
func (f filler) free() error { return os.Remove(f.path) }

// fullDisk fills the disk under a running server, until it refuses events, and frees it again: twice while the server runs on, once with a kill and
// a start on the full disk in between, once with a SIGTERM.
func fullDisk(ctx context.Context, o *options, dir string) (r *result, err error) {
	disk := filepath.Join(dir, "disk")
	unmount, err := mountSmall(disk, smallDiskBytes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unmount()) }()
	t, err := newTrial(ctx, o, dir, filepath.Join(disk, "data"), func(t *trial) {
		t.load.bulk = bulkBytes
		t.set.flags = []string{"--log-max", "256MiB"}
	})
	if err != nil {
		return nil, err
	}
	f := fillUp{trial: t, filler: filler{filepath.Join(disk, "filler")}}
	for _, meanwhile := range []func() error{f.nothing, f.killAndStart, f.nothing, f.terminate} {
		if err := f.round(meanwhile); err != nil {
			return nil, fmt.Errorf("%w; the server says: %s", err, excerpt(t.server.said.String()))
		}
	}
	r, err = t.end()
	if err == nil {
		r.more = fmt.Sprintf("%d requests refused with 503 disk_full, %d starts refused; events taken %v after there was room, at most",
			t.load.answers("503 disk_full"), f.refusals, f.resumed.Round(time.Millisecond))
	}
	return r, err
}

// fillUp is a trial whose disk is filled.
type fillUp struct {
	*trial
	filler
	refusals int
	resumed  time.Duration // from room to the first event that was taken, at most
}

// round fills the disk until events are refused, does something meanwhile, and wants events to be taken again once there is room.
func (f *fillUp) round(meanwhile func() error) error {
	if err := f.load.more(f.load.accepted() + betweenHarm/10); err != nil {
		return err
	}
	if err := f.fill(); err != nil {
		return err
	}
	before := f.load.answers("503 disk_full")
	err := f.load.until("events to be refused for want of room", waitTime, func() bool {
		return f.fill() == nil && f.load.answers("503 disk_full") > before+20
	})
	if err != nil {
		return err
	}
	seen := newReading()
	if err := seen.read(f.ctx, f.server.url); err != nil {
		return fmt.Errorf("on a full disk: %w", err)
	}
	if status, body, err := get(f.ctx, f.server.url+"/readyz"); err != nil || status != 503 {
		return fmt.Errorf("on a full disk /readyz answers %d %s (%w)", status, body, err)
	}
	if err := meanwhile(); err != nil {
		return err
	}
	taken := f.load.accepted()
	begun := time.Now()
	if err := f.free(); err != nil {
		return err
	}
	if f.server.ended() {
		if err := f.start(); err != nil {
			return err
		}
	}
	if err := f.load.more(taken + 1); err != nil {
		return err
	}
	f.resumed = max(f.resumed, time.Since(begun))
	return nil
}

func (f *fillUp) nothing() error { return nil }

// killAndStart kills the server on the full disk. What is started there refuses, or serves.
func (f *fillUp) killAndStart() error {
	if err := f.server.end(syscall.SIGKILL); err != nil {
		return err
	}
	return f.startFull()
}

// terminate stops the server on the full disk, which must end it in order though the last checkpoint finds no room.
func (f *fillUp) terminate() error {
	if err := f.server.stop(); err != nil {
		return err
	}
	return f.startFull()
}

func (f *fillUp) startFull() error {
	if err := f.fill(); err != nil {
		return err
	}
	p, err := f.set.start(f.ctx)
	if err != nil {
		return err
	}
	f.server = p
	if p.url != "" {
		f.load.move(p)
		return nil
	}
	f.refusals++
	return refused(p, f.set.data, "no space left on device", "make room")
}

// refused wants a server that did not start to say so as it should: with the exit code for it, a path below dir, and all of the words; and to have
// ended by itself, not by a panic.
func refused(p *server, dir string, words ...string) error {
	said := p.said.String()
	for _, w := range append(words, dir) {
		if !contains(said, w) {
			return fmt.Errorf("a refused start does not say %q: %s", w, excerpt(said))
		}
	}
	if p.code != 3 || contains(said, "goroutine ") {
		return fmt.Errorf("a refused start ends with code %d: %s", p.code, excerpt(said))
	}
	return nil
}
