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

// catch plants a bug, and wants a run of some stream to fire otherwise than a plain one without it.
func catch(t *testing.T, name string, fired func(t *testing.T, seed uint64, s *stream) string) {
	t.Run(name, func(t *testing.T) {
		defer Plant("")
		for seed := range uint64(plantedSeeds) {
			Plant("")
			set, lines := generate(seed, streamLength)
			s := newStream(t, set, lines, oracle.RandomOptions(seed))
			want := text(s.firings(t, run{shards: 1, batch: 1}))
			Plant(name)
			s.removed = nil
			if fired(t, seed, s) != want {
				t.Logf("caught by seed %d", seed)
				return
			}
		}
		t.Errorf("not caught by %d seeds", plantedSeeds)
	})
}

// TestPlantedLeaves lets records leave memory that the store does not hold, or come back as it held them before, and wants the runs with a memory budget to
// find it.
func TestPlantedLeaves(t *testing.T) {
	for name, r := range map[string]run{
		"leaves-dirty": {shards: 2, batch: 7, slow: true, memory: 1},
		"leaves-early": {shards: 2, batch: 7, slow: true, memory: 1},
		"stale-early":  {shards: 2, batch: 1, slow: true, memory: 1, early: true},
	} {
		catch(t, name, func(t *testing.T, _ uint64, s *stream) (got string) {
			err := withStore(func() error {
				got = text(s.firings(t, r))
				return nil
			})
			if err != nil {
				return err.Error()
			}
			return got
		})
	}
}

// TestPlantedUnread breaks how a checkpoint is read after a restart, and wants the runs that read it piece by piece to find it.
func TestPlantedUnread(t *testing.T) {
	for _, name := range []string{"hint-lost", "hint-late", "bin-twice", "known-late"} {
		catch(t, name, func(t *testing.T, seed uint64, s *stream) string {
			v := unreadRun(rand.New(rand.NewPCG(seed, 97)), len(s.records))
			v.slow = v.slow && name != "bin-twice" // the proof of each checkpoint would find it before the firings do
			return s.orBug(t, v)
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
	for _, name := range []string{"vacant-early", "vacant-cooldown"} {
		catch(t, name, func(t *testing.T, _ uint64, s *stream) string {
			return text(s.firings(t, run{shards: 2, batch: 1, vanish: true}))
		})
	}
}
