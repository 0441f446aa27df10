//go:build !skewed

package main

import "time"

// wallClock is the machine's clock.
func wallClock() func() time.Time { return time.Now }
