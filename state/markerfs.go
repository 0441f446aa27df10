package state

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markerFS syncs the folder before Pebble creates a file "marker.…" in it. Such a file names the manifest that is valid; Pebble syncs the folder once after
// creating both. On a file system that may write the two entries in either order, a crash before that sync can leave a marker that
// names a manifest that is not there, and the store does not open any more.
type markerFS struct{ vfs.FS }

func (fs markerFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(fs.PathBase(name), "marker.") {
		if err := syncDir(fs.FS, fs.PathDir(name)); err != nil {
			return nil, err
		}
	}
	return fs.FS.Create(name, category)
}

// Unwrap lets Pebble find the file system below.
func (fs markerFS) Unwrap() vfs.FS { return fs.FS }
