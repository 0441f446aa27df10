//go:build race

package state

// Under the race detector, which is some ten times slower and looks for something else than answers, there are fewer crashes and damages.
const (
	crashSeeds = 1
	everyNth   = 7
)
