//go:build !unix

package bench

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

// residentBytes is not known here.
func residentBytes() int64 { return 0 }

// outside is on the heap here: collections are fewer than they would be.
func outside(n int) (b []byte, free func() error, err error) {
	return make([]byte, n), func() error { return nil }, nil
}
