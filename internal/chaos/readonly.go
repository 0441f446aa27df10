//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const imageBytes = 512 << 20

// image is a file system of its own in a file, which can be told that its disk has failed.
type image struct{ file, dir string }

// newImage makes one and mounts it.
func newImage(dir string) (*image, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: only root may mount a disk", errSkipped)
	}
	m := &image{filepath.Join(dir, "image"), filepath.Join(dir, "mounted")}
	f, err := os.Create(m.file)
	if err == nil {
		err = errors.Join(f.Truncate(imageBytes), f.Close(), os.MkdirAll(m.dir, 0o755))
	}
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command("mkfs.ext4", "-q", m.file).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: make a file system: %w: %s", errSkipped, err, out)
	}
	if err := m.mount(); err != nil {
		return nil, fmt.Errorf("%w: %w", errSkipped, err)
	}
	return m, nil
}

func (m *image) mount() error {
	out, err := exec.Command("mount", "-o", "loop,errors=remount-ro", m.file, m.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount a file as a disk: %w: %s", err, out)
	}
	return nil
}

func (m *image) unmount() error {
	if err := syscall.Unmount(m.dir, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", m.dir, err)
	}
	return nil
}

// fail makes the file system take note of an error, as if its disk had failed: from then on it can only be read.
func (m *image) fail() error {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == m.dir {
			trigger := filepath.Join("/sys/fs/ext4", filepath.Base(f[0]), "trigger_fs_error")
			if err := os.WriteFile(trigger, []byte("planted"), 0); err != nil {
				return fmt.Errorf("%w: let a file system fail: %w", errSkipped, err)
			}
			return nil
		}
	}
	return fmt.Errorf("%s is not mounted", m.dir)
}

// mend brings it back as an operator does.
func (m *image) mend() error {
	if err := m.unmount(); err != nil {
		return err
	}
	if out, err := exec.Command("e2fsck", "-p", "-f", m.file).CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() > 1 { // 1: errors were corrected
			return fmt.Errorf("check the file system: %w: %s", err, out)
		}
	}
	return m.mount()
}

// readOnlyDisk lets the file system fail under a running server, twice. The server must end and say why; a start must be refused while nothing can be written;
// and once the file system is mended everything that was accepted must be there.
func readOnlyDisk(ctx context.Context, o *options, dir string) (r *result, err error) {
	m, err := newImage(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.unmount()) }()
	t, err := newTrial(ctx, o, dir, filepath.Join(m.dir, "data"), nil)
	if err != nil {
		return nil, err
	}
	defer func() { // what still runs would keep the file system in use
		if !t.server.ended() {
			err = errors.Join(err, t.server.end(syscall.SIGKILL))
		}
	}()
	for range 2 {
		if err := t.load.more(t.load.accepted() + betweenHarm/2); err != nil {
			return nil, err
		}
		if err := m.fail(); err != nil {
			return nil, err
		}
		if err := t.load.until("the server to end", waitTime, t.server.ended); err != nil {
			return nil, err
		}
		if err := refused(t.server, t.set.data, "file system"); err != nil {
			return nil, fmt.Errorf("the end on a disk that failed: %w", err)
		}
		p, err := t.set.start(ctx)
		if err != nil {
			return nil, err
		}
		if p.url != "" {
			return nil, errors.New("a server starts on a disk that can only be read")
		}
		if err := refused(p, t.set.data, "read-only file system", "mount it"); err != nil {
			return nil, err
		}
		if err := m.mend(); err != nil {
			return nil, err
		}
		if err := t.start(); err != nil {
			return nil, err
		}
	}
	if err := t.load.more(t.load.accepted() + betweenHarm); err != nil {
		return nil, err
	}
	r, err = t.end()
	if err == nil {
		r.more = "the server ended by itself with code 3, 2 starts refused"
	}
	return r, err
}
