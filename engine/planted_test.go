//go:build planted

package engine

import (
	"testing"

	"nudge/internal/oracle"
)

// plantedSeeds is how many random streams a planted bug may survive.
const plantedSeeds = 1000

// TestPlantedBugs plants one bug after the other and wants the comparison with the oracle to find it.
//
//	go test -tags planted ./engine -run TestPlantedBugs -v
func TestPlantedBugs(t *testing.T) {
	defer Plant("")
	for _, name := range []string{"window", "tie", "order", "cooldown"} {
		t.Run(name, func(t *testing.T) {
			Plant(name)
			for seed := range uint64(plantedSeeds) {
				set, lines := generate(seed, streamLength)
				o := oracle.RandomOptions(seed)
				if newStream(t, set, lines, o).printed(t, o) != oracled(t, set, lines, o) {
					t.Logf("caught by seed %d", seed)
					return
				}
			}
			t.Errorf("not caught by %d seeds", plantedSeeds)
		})
	}
}
