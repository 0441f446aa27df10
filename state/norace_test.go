//go:build !race

package state

const (
	crashSeeds = 3
	everyNth   = 1
)
