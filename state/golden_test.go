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

	"nudge"
)

var update = flag.Bool("update", false, "write the newest golden log anew: only after a change of the format with an RFC")

// The logs that testdata holds were written by this and older versions of the format: the first knew neither packed payloads nor rewritten segments. They must stay
// readable, to the byte of what they say.
func TestLogGolden(t *testing.T) {
	for _, name := range []string{"log-v1", "log-v2"} {
		t.Run(name, func(t *testing.T) { checkGolden(t, filepath.Join("testdata", name), *update && name == "log-v2") })
	}
}

func checkGolden(t *testing.T, dir string, update bool) {
	if update {
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
	want := dir + ".txt"
	if update {
		if err := os.WriteFile(want, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(want)
	if err != nil || string(b) != text.String() {
		t.Fatalf("%v: got\n%s\nwant\n%s", err, text.String(), b)
	}
	tl.append(t, 1) // and it can be gone on with
	tl.rewrite(t, RewriteOptions{Hurry: true})
	tl.reopen(t)
	again, err := tl.read(t, 0)
	if err != nil || !equalFacts(again[:len(got)], got) {
		t.Fatalf("rewritten: %d entries, %v", len(again), err)
	}
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
	tl.rewrite(t, RewriteOptions{Hurry: true, Through: 3, Drop: func(off nudge.Offset, _ nudge.Record) bool { return off == 2 }})
	tl.append(t, 12, 12, 12, 12, 12)
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
