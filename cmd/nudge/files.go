package main

import "fmt"

// How the files that the process may open are shared out: connections are files, and so are the tables that the store reads and the log's segments. A
// server that ran out of them could not go on writing.
const (
	filesKept       = 64 // the log, the rules, what the system needs
	filesStoreLeast = 80 // below, Pebble opens more than it is told
	filesStoreMost  = 1000
	filesConnsLeast = 48
	filesLeast      = filesKept + filesStoreLeast + filesConnsLeast
)

// fileShares are how many files the store and the connections may take.
type fileShares struct{ store, conns int }

// shareFiles shares out what the process may open; limit is 0 where the system sets none.
func shareFiles(limit, maxConns int) (fileShares, error) {
	if limit == 0 {
		return fileShares{filesStoreMost, maxConns}, nil
	}
	if limit < filesLeast {
		return fileShares{}, fmt.Errorf("this process may open %d files, connections among them, and needs %d at least: raise the limit (ulimit -n, or LimitNOFILE of the service)", limit, filesLeast)
	}
	store := min(max(limit/4, filesStoreLeast), filesStoreMost)
	return fileShares{store, min(limit-filesKept-store, maxConns)}, nil
}
