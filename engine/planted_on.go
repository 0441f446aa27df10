//go:build planted

package engine

// planted is set by TestPlantedBugs.
var planted = noBug
