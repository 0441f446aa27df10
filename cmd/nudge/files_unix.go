//go:build unix

package main

import (
	"math"
	"syscall"
)

// openFilesLimit is how many files the process may open, 0 where that is not limited. Go has raised it as far as it may.
func openFilesLimit() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || uint64(r.Cur) > math.MaxInt32 {
		return 0
	}
	return int(r.Cur)
}
