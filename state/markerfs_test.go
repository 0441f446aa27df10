package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"nudge"
)

// Between two changes of a marker, and between that of a manifest and its marker's, the folder is synced: a crash may keep any of what is not.
func TestMarkersOneByOne(t *testing.T) {
	mem := vfs.NewMem()
	var unsynced []string // of the store's folder: manifests that came, markers that came and went
	check := func(op errorfs.Op) error {
		name := op.Path[strings.LastIndexByte(op.Path, '/')+1:]
		switch {
		case op.Kind == errorfs.OpFileSync && strings.HasSuffix(op.Path, "/store"):
			unsynced = nil
		case (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpRemove) && (strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "MANIFEST")):
			if strings.HasPrefix(name, "marker.") && len(unsynced) > 0 {
				t.Errorf("%s is changed while %q are not synced", name, unsynced)
			}
			unsynced = append(unsynced, name)
		}
		return nil
	}
	for range 4 {
		d, err := Open("data", Options{FS: errorfs.Wrap(mem, errorfs.InjectorFunc(check)), Names: nudge.NewNames()})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	names, _ := mem.List("data/store")
	if n := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "marker.manifest.000004.") }); n < 0 {
		t.Fatalf("the markers did not move: %s", fmt.Sprint(names))
	}
}
