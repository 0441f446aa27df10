//go:build !race

package engine

const defaultSeeds = 150
