//go:build race

package engine

// defaultSeeds is fewer under the race detector, which is some ten times slower and looks for something else than answers.
const defaultSeeds = 12
