//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What the long run does.
const (
	hourPause = 20 * time.Millisecond // of each client between two requests
	killEvery = time.Minute
	lookEvery = 5 * time.Second
)

// watch is what was seen of a server and its folder from outside.
type watch struct {
	memory, memoryMax int64 // bytes of the process in memory
	disk, diskMax     int64 // bytes of the data folder on disk
	down, downMax     time.Duration
	kills             int
}

// longRun loads one data folder for the given time and kills its server every minute.
func longRun(ctx context.Context, o *options, dir string) (*result, error) {
	t, err := newTrial(ctx, o, dir, "", func(t *trial) { t.load.pause = hourPause })
	if err != nil {
		return nil, err
	}
	var w watch
	begun, killed := time.Now(), time.Now()
	for time.Since(begun) < o.hour && ctx.Err() == nil {
		t.load.rest(min(lookEvery, o.hour-time.Since(begun)))
		if err := w.look(t); err != nil {
			return nil, err
		}
		if time.Since(killed) < killEvery {
			continue
		}
		killed = time.Now()
		before := t.load.accepted()
		if err := w.kill(t); err != nil {
			return nil, err
		}
		if err := t.load.more(before + 1); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%v: %d events accepted, %d kills, down %v, memory %d MiB, disk %d MiB\n",
			time.Since(begun).Round(time.Second), before, w.kills, w.down.Round(time.Millisecond), w.memory>>20, w.disk>>20)
	}
	r, err := t.end()
	if err == nil {
		r.more = w.String() + fmt.Sprintf("; answered within p50 %v, p99 %v, p99.9 %v, over all kills", t.load.took.quantile(0.5).Round(10*time.Microsecond),
			t.load.took.quantile(0.99).Round(10*time.Microsecond), t.load.took.quantile(0.999).Round(10*time.Microsecond))
	}
	return r, err
}

// kill ends the server in the middle of things and starts the next one.
func (w *watch) kill(t *trial) error {
	begun := time.Now()
	if err := t.server.end(syscall.SIGKILL); err != nil {
		return err
	}
	w.kills++
	t.set.shards = 1 + w.kills%4
	if err := t.start(); err != nil {
		return err
	}
	w.down = time.Since(begun)
	w.downMax = max(w.downMax, w.down)
	return nil
}

// look measures memory and disk.
func (w *watch) look(t *trial) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", t.server.cmd.Process.Pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err != nil {
				return err
			}
			w.memory = kib << 10
		}
	}
	if w.disk, err = diskUsed(t.set.data); err != nil {
		return err
	}
	w.memoryMax, w.diskMax = max(w.memoryMax, w.memory), max(w.diskMax, w.disk)
	return nil
}

func (w *watch) String() string {
	return fmt.Sprintf("%d kills, down %v at most; memory at the end %d MiB, at most %d; disk %d MiB, at most %d",
		w.kills, w.downMax.Round(time.Millisecond), w.memory>>20, w.memoryMax>>20, w.disk>>20, w.diskMax>>20)
}

// diskUsed is what a folder takes on disk. Files come and go while it is looked at.
func diskUsed(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return nil // it has just gone
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			bytes += st.Blocks * 512
		}
		return nil
	})
	return bytes, err
}
