package state

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markerFS syncs the folder before Pebble creates or removes a file "marker.…" in it. Such a file names the manifest that is valid. Pebble syncs the
// folder once: after it has created a manifest and its marker, and has removed the marker before. A file system may write these entries in any
// order. So a crash before that sync could leave a marker that names a manifest that is not there, and the store would not open any more; or no
// marker at all, and Pebble would take the folder for a new one and begin an empty store without a word.
//
// In the store's own folder a marker is created only after its manifest's place there was synced, with the manifest's note (sums.go): there the sync before a
// removal is what keeps the marker. In a backup's copy nothing is removed and no note comes first: there it is the one before a creation.
type markerFS struct{ vfs.FS }

func (fs markerFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.before(name); err != nil {
		return nil, err
	}
	return fs.FS.Create(name, category)
}

func (fs markerFS) Remove(name string) error {
	if err := fs.before(name); err != nil {
		return err
	}
	return fs.FS.Remove(name)
}

func (fs markerFS) before(name string) error {
	if !strings.HasPrefix(fs.PathBase(name), "marker.") || planted(bugLooseMarker) {
		return nil
	}
	return syncDir(fs.FS, fs.PathDir(name))
}

// Unwrap lets Pebble find the file system below.
func (fs markerFS) Unwrap() vfs.FS { return fs.FS }
