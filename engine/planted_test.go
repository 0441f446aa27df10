//go:build planted

package engine

import (
	"fmt"
	"math/rand/v2"
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

// TestPlantedLeaves lets records leave memory that the store does not hold, and wants the runs with a memory budget to find it.
func TestPlantedLeaves(t *testing.T) {
	defer Plant("")
	for _, name := range []string{"leaves-dirty", "leaves-early"} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(plantedSeeds) {
				Plant("")
				set, lines := generate(seed, streamLength)
				s := newStream(t, set, lines, oracle.RandomOptions(seed))
				want := text(s.firings(t, run{shards: 1, batch: 1}))
				Plant(name)
				var got string
				err := withStore(func() error {
					got = text(s.firings(t, run{shards: 2, batch: 7, slow: true, memory: 1}))
					return nil
				})
				if err != nil || got != want {
					t.Logf("caught by seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("not caught by %d seeds", plantedSeeds)
		})
	}
}

// TestPlantedUnread breaks how a checkpoint is read after a restart, and wants the runs that read it piece by piece to find it.
func TestPlantedUnread(t *testing.T) {
	defer Plant("")
	for _, name := range []string{"hint-lost", "hint-late", "bin-twice", "known-late"} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(plantedSeeds) {
				Plant("")
				set, lines := generate(seed, streamLength)
				s := newStream(t, set, lines, oracle.RandomOptions(seed))
				want := text(s.firings(t, run{shards: 1, batch: 1}))
				Plant(name)
				v := unreadRun(rand.New(rand.NewPCG(seed, 97)), len(s.records))
				v.slow = v.slow && name != "bin-twice" // the proof of each checkpoint would find it before the firings do
				if got := s.orBug(t, v); got != want {
					t.Logf("caught by seed %d", seed)
					return
				}
			}
			t.Errorf("not caught by %d seeds", plantedSeeds)
		})
	}
}

// orBug is what fires in a run, or what a panic says.
func (s *stream) orBug(t *testing.T, r run) (got string) {
	defer func() {
		if v := recover(); v != nil {
			got = fmt.Sprint(v)
		}
	}()
	return text(s.firings(t, r))
}

// TestPlantedVanishes lets keys vanish too early, and wants the runs with keys that vanish to find it.
func TestPlantedVanishes(t *testing.T) {
	defer Plant("")
	for _, name := range []string{"vacant-early", "vacant-cooldown"} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(plantedSeeds) {
				Plant("")
				set, lines := generate(seed, streamLength)
				s := newStream(t, set, lines, oracle.RandomOptions(seed))
				want := text(s.firings(t, run{shards: 1, batch: 1}))
				Plant(name)
				if text(s.firings(t, run{shards: 2, batch: 1, vanish: true})) != want {
					t.Logf("caught by seed %d", seed)
					return
				}
			}
			t.Errorf("not caught by %d seeds", plantedSeeds)
		})
	}
}
