//go:build unix

package bench

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// cpuTime is how long this process has had a processor.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentBytes is how much memory this process has now; 0 where the system does not say.
func residentBytes() int64 {
	pages, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(pages), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// outside is n bytes that the garbage collector does not count. A stream on its heap would make it run less often than it does where events come and
// go, and the measured things look better than they are.
func outside(n int) (b []byte, free func() error, err error) {
	b, err = syscall.Mmap(-1, 0, max(n, 1), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	return b, func() error { return syscall.Munmap(b) }, err
}
