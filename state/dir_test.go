package state

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
)

func TestOpenTwice(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			if err := fs.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			dir = filepath.Join(dir, "data")
			o := Options{FS: fs, Names: nudge.NewNames(), SegmentBytes: 1 << 16}
			d, err := Open(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, o); err == nil || !strings.Contains(err.Error(), "data folder "+dir+" is in use by another nudge process") {
				t.Fatalf("second open: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if d, err = Open(dir, o); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestOpenInAnotherProcess runs this test's binary as the process that has the folder open.
// A data folder that is made, and a copy of it, are their owner's alone; one that is there stays as it is.
func TestFoldersAreTheOwnersAlone(t *testing.T) {
	modeOf := func(dir string) os.FileMode {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	there := filepath.Join(t.TempDir(), "there")
	if err := os.Mkdir(there, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(there, 0o750); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	made, copied := filepath.Join(there, "data"), filepath.Join(there, "copy")
	for _, dir := range []string{made, there} {
		d, err := Open(dir, Options{FS: vfs.Default, Names: nudge.NewNames(), SegmentBytes: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		if dir == made {
			if _, err := d.Backup(t.Context(), copied); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for dir, want := range map[string]os.FileMode{made: 0o700, copied: 0o700, there: 0o750} {
		if got := modeOf(dir); got != want {
			t.Errorf("%s has the mode %o, want %o", dir, got, want)
		}
	}
}

func TestOpenInAnotherProcess(t *testing.T) {
	const env = "NUDGE_TEST_HOLD"
	if dir := os.Getenv(env); dir != "" {
		d, err := Open(dir, Options{Names: nudge.NewNames(), SegmentBytes: 1 << 16})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("holding\n")
		os.Stdin.Read(make([]byte, 1)) // until the parent closes it
		_ = d
		return
	}
	dir := t.TempDir()
	holder := exec.Command(os.Args[0], "-test.run=^TestOpenInAnotherProcess$")
	holder.Env = append(os.Environ(), env+"="+dir)
	stdin, _ := holder.StdinPipe()
	stdout, _ := holder.StdoutPipe()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, Options{Names: nudge.NewNames(), SegmentBytes: 1 << 16})
	stdin.Close()
	holder.Wait()
	if err == nil || !strings.Contains(err.Error(), "is in use by another nudge process") {
		t.Fatalf("open: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, dir, want string
		o               Options
	}{
		{"no names", t.TempDir(), "Names is missing", Options{}},
		{"tiny segments", t.TempDir(), "SegmentBytes is 511", Options{Names: nudge.NewNames(), SegmentBytes: MinSegmentBytes - 1}},
		{"negative", t.TempDir(), "must not be negative", Options{Names: nudge.NewNames(), LogMaxBytes: -1}},
		{"a file", file, file, Options{Names: nudge.NewNames()}},
	} {
		if d, err := Open(c.dir, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", c.name, d, err, c.want)
		}
	}
}
