package state

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var update = flag.Bool("update", false, "write the golden log anew: only after a change of the format with an RFC")

// The log that testdata holds was written by the first version of the format. It must stay readable, to the byte of what it says.
func TestLogGolden(t *testing.T) {
	dir := filepath.Join("testdata", "log-v1")
	if *update {
		writeGolden(t, dir)
	}
	fm := files{}
	for _, path := range globGolden(t, dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fm[filepath.Base(path)] = b
	}
	tl := openTest(t, fm.put(t, "", nil), Options{SegmentBytes: 1024})
	got, err := tl.read(t, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range got {
		fmt.Fprintf(&text, "%d at %d\n\t%s\n", f.First, f.At, strings.Join(f.Lines, "\n\t"))
	}
	want := filepath.Join("testdata", "log-v1.txt")
	if *update {
		if err := os.WriteFile(want, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(want)
	if err != nil || string(b) != text.String() {
		t.Fatalf("%v: got\n%s\nwant\n%s", err, text.String(), b)
	}
	tl.append(t, 1) // and it can be gone on with
}

func globGolden(t *testing.T, dir string) []string {
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("%s: %v, %v", dir, paths, err)
	}
	return paths
}

func writeGolden(t *testing.T, dir string) {
	tl := openTest(t, vfs.NewMem(), Options{SegmentBytes: 1024})
	tl.append(t, 1, 20, 3, 1, 1, 4)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range filesOf(t, tl.fs) {
		if name == spareName {
			continue
		}
		b = bytes.TrimRight(b, "\x00") // what is missing at its end reads as zeros
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
