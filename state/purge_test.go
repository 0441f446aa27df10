package state

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeHolds says whether any file of the store holds a text.
func storeHolds(t *testing.T, fs vfs.FS, text string) bool {
	t.Helper()
	for {
		holds, merged := filesHold(t, fs, text)
		if holds || !merged {
			return holds
		}
	}
}

// filesHold is storeHolds for the files that there are when it begins; merged says that Pebble has made others of some of them meanwhile, which may hold it.
func filesHold(t *testing.T, fs vfs.FS, text string) (holds, merged bool) {
	t.Helper()
	names, err := fs.List("data/store")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin("data/store", name))
		if errors.Is(err, errNotExist) {
			merged = true
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			return true, merged
		}
	}
	return false, merged
}

// After a purge no file holds what rows were before: deleted, replaced, or both.
func TestPurge(t *testing.T) {
	fs := vfs.NewMem()
	s := openTestStore(t, fs)
	gone := []string{"8b1f0c", "77de21", "02c4aa", "e95b06"}
	isThere := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !storeHolds(t, fs, text) {
				t.Fatalf("the test tests nothing: no file holds %s", text)
			}
		}
	}
	put(t, s, "a", "deleted: 8b1f0c", "b", "replaced: 77de21", "c", "kept: 5e0a93")
	isThere(gone[:2]...)
	put(t, s, "a", "deleted: 02c4aa", "b", "replaced: e95b06") // Pebble may forget what was before by itself, or not
	isThere(gone[2:]...)
	err := s.Commit(func(w Writer) error {
		w.Delete([]byte("a"))
		w.Put([]byte("b"), nil)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, text := range gone {
		if storeHolds(t, fs, text) {
			t.Errorf("a file still holds %s", text)
		}
	}
	if got := contents(t, s); len(got) != 2 || got["b"] != "" || got["c"] != "kept: 5e0a93" {
		t.Errorf("the store holds %v", got)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// A scan under way holds its files back, and a purge waits for it.
func TestPurgeWaitsForScans(t *testing.T) {
	fs := vfs.NewMem()
	s := openTestStore(t, fs)
	put(t, s, "a", "secret", "b", "x")
	done := make(chan error, 1)
	err := s.Scan(nil, nil, func(key, _ []byte) error {
		if string(key) == "b" {
			return nil
		}
		if err := s.Commit(func(w Writer) error { w.Delete([]byte("a")); return nil }); err != nil {
			return err
		}
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer stop()
		if err := s.Purge(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a purge did not wait for the scan: %v", err)
		}
		go func() { done <- s.Purge(t.Context()) }()
		return nil
	})
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if storeHolds(t, fs, "secret") {
		t.Error("a file still holds the secret")
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
}

// A store that has failed is not purged, and says why.
func TestPurgeOfAFailedStore(t *testing.T) {
	s := openTestStore(t, vfs.NewMem())
	put(t, s, "a", "1")
	s.fail(errors.New("planted"))
	if err := s.Purge(t.Context()); err == nil || !strings.Contains(err.Error(), "planted") {
		t.Errorf("the purge says %v", err)
	}
	if err := s.waitForCleaning(t.Context()); err != nil && !strings.Contains(err.Error(), "planted") {
		t.Errorf("waiting says %v", err)
	}
	if err := s.db.Close(); err != nil {
		t.Error(err)
	}
}
