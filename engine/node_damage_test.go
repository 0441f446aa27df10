package engine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"nudge"
	"nudge/state"
)

// A flipped bit of the store's tables shows at the start, wherever it is: in what the start needs, and in old firings that only consumers read.
func TestFlippedBitOfTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := vfs.NewMem()
		l := begin(t, lifeOptions{fs: fs})
		l.deploy("each", `{per: visitor, when: on(page_view), then: alert("a", {n: n, url: url})}`)
		for n := range 300 {
			l.send(event("page_view", fmt.Sprint("v", n%7), fmt.Sprintf(`,"n":%d,"url":"https://www.acme.example/%x"`, n, n*n*7919)))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		l.end()
		table := "data/store/" + largest(t, fs, "data/store")
		b := readAll(t, fs, table)
		refused := 0
		for at := 3; at < len(b); at += 101 {
			b[at] ^= 1 << (at % 8)
			writeAll(t, fs, table, b)
			again, err := tryLife(t, lifeOptions{fs: fs, recall: 1000})
			var damage *state.StoreDamage
			switch {
			case err == nil:
				if got := len(again.walk(nudge.Cursor{}, 50)); got != 300 {
					t.Errorf("byte %d: %d firings", at, got)
				}
				again.closeDir()
			case !errors.As(err, &damage) || damage.File != table:
				t.Errorf("byte %d: %v", at, err)
			default:
				refused++
			}
			b[at] ^= 1 << (at % 8)
		}
		if refused*2 < len(b)/101 {
			t.Errorf("only %d of %d flipped bits showed", refused, len(b)/101)
		}
	})
}

func largest(t *testing.T, fs vfs.FS, dir string) (name string) {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, n := range names {
		if strings.HasSuffix(n, ".sst") {
			if b := readAll(t, fs, dir+"/"+n); len(b) > size {
				name, size = n, len(b)
			}
		}
	}
	return name
}

func readAll(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeAll(t *testing.T, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append([]byte(nil), b...)); err != nil {
		t.Fatal(err)
	}
}
