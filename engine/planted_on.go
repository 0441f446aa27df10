//go:build planted

package engine

import "sync/atomic"

// current is the bug that is planted.
var current = new(atomic.Int64)

func planted(b bug) bool { return bug(current.Load()) == b }

// bugNames are the bugs by the names under which tests plant them.
var bugNames = map[string]bug{
	"": 0, "window": bugWindow, "tie": bugTie, "order": bugOrder, "cooldown": bugCooldown, "unsorted": bugUnsorted, "address": bugAddress,
	"fired-visitor": bugFiredVisitor, "dedup-shard": bugDedupShard, "early-answer": bugEarlyAnswer, "loose-tick": bugLooseTick,
	"shard-behind": bugShardBehind, "late-key": bugLateKey, "timers-lost": bugTimersLost, "rows-later": bugRowsLater,
	"clock-anew": bugClockAnew, "numbering": bugNumbering, "seen-last": bugSeenLast, "warms-short": bugWarmsShort, "live-early": bugLiveEarly,
	"leaves-dirty": bugLeavesDirty, "leaves-early": bugLeavesEarly, "stale-early": bugStaleEarly,
	"vacant-early": bugVacantEarly, "vacant-cooldown": bugVacantCooldown,
	"hint-lost": bugHintLost, "hint-late": bugHintLate, "bin-twice": bugBinTwice, "known-late": bugKnownLate,
	"erased-back": bugErasedBack, "veil-lost": bugVeilLost,
}

// Plant plants the bug of a name, and takes out the one before; with "" there is none. It says whether the name is known.
func Plant(name string) bool {
	b, known := bugNames[name]
	current.Store(int64(b))
	return known
}
