//go:build !linux

package beside

// giveWay does nothing where a single thread cannot be told to give way.
func giveWay() { _ = nice }
