package bench

import "github.com/cockroachdb/pebble/v2/vfs"

// unsynced is the machine's files without syncs, for data folders that are made before anything is measured: three million entries, one a
// millisecond, would be synced one by one for minutes.
type unsynced struct{ vfs.FS }

func (u unsynced) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return lazily(u.FS.Create(name, category))
}

func (u unsynced) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return lazily(u.FS.OpenReadWrite(name, category, opts...))
}

func (u unsynced) OpenDir(name string) (vfs.File, error) { return lazily(u.FS.OpenDir(name)) }

func lazily(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error     { return nil }
func (unsyncedFile) SyncData() error { return nil }

func (unsyncedFile) SyncTo(int64) (fullSync bool, err error) { return false, nil }
