//go:build skewed

package main

import (
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// skewFile, an environment variable, names a file with the seconds by which the clock on the wall is wrong. It is read with every look at the clock, so
// that somebody outside can set the clock of a running server. Only builds with the tag "skewed" know it: `make chaos` makes one.
const skewFile = "NUDGE_SKEW_FILE"

// wallClock is the machine's clock, set by so many seconds; the monotonic clock in its readings goes on as if nothing had happened.
func wallClock() func() time.Time {
	path := os.Getenv(skewFile)
	return func() time.Time {
		now := time.Now()
		text, err := os.ReadFile(path)
		if err != nil {
			return now
		}
		seconds, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32)
		if err != nil {
			return now
		}
		return setWall(now, seconds)
	}
}

// setWall changes what a reading says of the wall clock and not what it says of the monotonic one. Package time has no way to: its packed form holds
// the wall clock's seconds from bit 30 of its first word on.
func setWall(t time.Time, seconds int64) time.Time {
	word := (*uint64)(unsafe.Pointer(&t))
	*word = uint64(int64(*word) + seconds<<30)
	return t
}
