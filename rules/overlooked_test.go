package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What looks like a rule and is passed over is told, and nothing else is.
func TestOverlooked(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a.expr": "1", "a.test": "", "b.expr.txt": "", "c.test.TXT": "", "D.EXPR": "", "e.expr.bak": "", "f.expr~": "", "Big.expr": "", "notes.txt": "", ".g.expr.txt": "",
	})
	for _, folder := range [...]string{"more", "empty"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "more", "h.expr"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(strings.Join(Overlooked(dir), "\n"), dir, "rules")
	want := `rules/D.EXPR is not read: call it d.expr
rules/b.expr.txt is not read: call it b.expr
rules/c.test.TXT is not read: call it c.test
the folder more is not read: rules and tests stand in rules itself, or give that folder`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if got := Overlooked(filepath.Join(dir, "none")); got != nil {
		t.Fatal(got)
	}
}

// A link that leads nowhere is named once, with the reason.
func TestReadFolderNamesAFileOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("nowhere", filepath.Join(dir, "a.expr")); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFolder(dir); err == nil || strings.Count(err.Error(), "a.expr") != 1 {
		t.Fatal(err)
	}
}
