//go:build planted

package state

import "sync/atomic"

// current is the bug that is planted.
var current = new(atomic.Int64)

func planted(b bug) bool { return bug(current.Load()) == b }

// bugNames are the bugs by the names under which tests plant them.
var bugNames = map[string]bug{
	"": 0, "segment-names": bugSegmentNames, "drops-any": bugDropsAny, "sync-again": bugSyncAgain, "no-rewrite": bugNoRewrite, "loose-folder": bugLooseFolder, "tail-stays": bugTailStays,
	"loose-roll": bugLooseRoll, "loose-rewrite": bugLooseRewrite, "trims-all": bugTrimsAll, "loose-marker": bugLooseMarker, "no-flush": bugNoFlush,
}

// Plant plants the bug of a name, and takes out the one before; with "" there is none. It says whether the name is known.
func Plant(name string) bool {
	b, known := bugNames[name]
	current.Store(int64(b))
	return known
}
