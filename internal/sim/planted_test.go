//go:build planted

package sim

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"nudge/engine"
	"nudge/state"
)

var plantedBug = flag.String("bug", "", "the bug that TestBug plants")

// plantedSeeds is how many seeds a planted bug may survive.
const plantedSeeds = 2000

// bugs are what is planted, each with the promise that it breaks.
var bugs = []struct{ name, promise, what string }{
	{"early-answer", "I1", "a request is answered before the sync"},
	{"loose-tick", "I1", "a tick is not synced: a checkpoint can be ahead of the log"},
	{"no-flush", "I1", "a commit of the store returns before it is flushed, and the log is trimmed for it"},
	{"trims-all", "I1", "the log is trimmed further than the checkpoint reaches"},
	{"unsorted", "I2", "what comes up to a level is taken shard by shard, not in order"},
	{"address", "I2", "a tie between two keys is broken by memory address"},
	{"order", "I2", "a tie between two keys is broken the wrong way round"},
	{"dedup-shard", "I2", "the de-duplication window counts the events of one shard"},
	{"timers-lost", "I2", "a checkpoint's keys come back without their timers"},
	{"segment-names", "I2", "a segment goes on with the name ids of the one before"},
	{"warms-short", "I2", "a rule that warms misses one record of its past"},
	{"live-early", "I2", "a checkpoint forgets that rules are warming"},
	{"shard-behind", "I3", "one shard is checkpointed at another offset than the others"},
	{"late-key", "I3", "a key that changes while a checkpoint is written is stored as it is then"},
	{"leaves-dirty", "I2", "a record leaves memory though it has changed since the last checkpoint"},
	{"leaves-early", "I2", "a record leaves memory before the checkpoint that holds it is committed"},
	{"stale-early", "I2", "a row that was read early counts although its key has come back and changed since"},
	{"hint-lost", "I2", "a checkpoint's keys have no hints that their timers are due"},
	{"hint-late", "I2", "a hint is as late as a key's timer was when the sweep came by"},
	{"bin-twice", "I2", "what has been read of a checkpoint is read again by the steps in the background"},
	{"known-late", "I2", "who somebody is counts as unknown while it is in the store alone"},
	{"erased-back", "erasure", "a checkpoint keeps who an erased person was"},
	{"veil-lost", "erasure", "a restart forgets whose firings the store still has, though they were erased"},
	{"rows-later", "I3", "the feed's rows are not in the commit of their checkpoint"},
	{"numbering", "I4", "firings are numbered through their batch"},
	{"clock-anew", "I6", "log time begins with the wall clock at each start"},
	{"drops-any", "I7", "a damaged last entry is dropped, though somebody was told of it"},
	{"loose-roll", "I7", "the manifest names a segment whose place in the folder is not synced"},
	{"loose-folder", "I7", "opening does not sync the folder of the log, which a killed process may have left unsynced"},
	{"loose-marker", "I7", "the store's folder is not synced between two changes of its markers"},
	{"loose-rewrite", "I7", "a segment that was written anew is not synced before the manifest names it"},
	{"tail-stays", "I7", "what opening drops is not overwritten"},
	{"sync-again", "I9", "a failed sync is tried once more, and believed"},
	{"no-rewrite", "I9", "opening trusts a last entry that the system's memory may hold alone"},
	{"seen-last", "popups", "after a restart popups that were seen crowd out others"},
	{"window", "meaning", "a window holds the instant at its beginning"},
	{"tie", "meaning", "of two values that share a time the older counts as newer"},
	{"cooldown", "meaning", "a firing at the very end of the cooldown is held back"},
	{"fired-visitor", "meaning", "a fired event loses the visitor that its rule's per reads"},
}

// TestBugs plants one bug after the other, each in a process of its own, as one may end it, and wants the simulation to find it. It prints the rows of
// the table in docs/ROBUSTNESS.md.
//
//	go test -tags planted ./internal/sim -run TestBugs -v -timeout 0
func TestBugs(t *testing.T) {
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			seed, how := hunt(t, b.name)
			if seed < 0 {
				t.Fatalf("not caught by %d seeds: %s", plantedSeeds, how)
			}
			t.Logf("| %s | %s | `%s` | %d | %s |", b.promise, b.what, b.name, seed, how)
		})
	}
}

// hunt runs TestBug in a process of its own and returns the seed that caught the bug, −1 if none did, and the first words of how.
func hunt(t *testing.T, bug string) (seed int, how string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestBug$", "-test.v", "-test.timeout", "0", "-bug", bug, "-seed", "1", "-seeds", strconv.Itoa(plantedSeeds))
	out, err := cmd.CombinedOutput()
	seed = -1
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if n, found := strings.CutPrefix(line, "seed "); found {
			if at, err := strconv.Atoi(n); err == nil {
				seed = at // so far it has survived
			}
		}
		for _, end := range []string{"caught: ", "panic: ", "fatal error: "} {
			if what, found := strings.CutPrefix(line, end); found {
				return seed, fmt.Sprintf("%.120s", what)
			}
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return -1, "it survives"
}

// TestBug simulates seeds with a bug until one of them finds it.
func TestBug(t *testing.T) {
	deterministic(t)
	if *plantedBug == "" {
		t.Skip("plants what -bug names")
	}
	if inEngine, inState := engine.Plant(*plantedBug), state.Plant(*plantedBug); !inEngine && !inState {
		t.Fatalf("no package knows a bug %q", *plantedBug)
	}
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		fmt.Printf("\nseed %d\n", seed)
		if r := simulate(t, seed); len(r.Problems) > 0 {
			fmt.Printf("\ncaught: %s\n", strings.ReplaceAll(r.Problems[0], "\n", " "))
			return
		}
	}
}
