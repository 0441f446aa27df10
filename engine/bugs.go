package engine

// bug is a mistake that can be planted, in builds with the tag "planted" only: a test that never fails proves nothing.
type bug int

const (
	_ bug = iota // none

	// What rules mean.
	bugWindow       // a window holds the instant at its beginning
	bugTie          // of two values that share a time, the one stamped first counts as newer
	bugOrder        // what comes up from two keys at one instant is taken in the wrong order
	bugCooldown     // a firing at exactly the end of the cooldown is held back
	bugUnsorted     // what comes up to a level is taken shard by shard
	bugAddress      // what comes up from two keys at one instant is ordered by where it lies in memory
	bugFiredVisitor // a fired event loses the visitor that an other key's per reads
	bugDedupShard   // the de-duplication window counts the events that one shard remembers

	// What a process leaves to the next.
	bugEarlyAnswer    // a request is answered before the sync
	bugLooseTick      // a tick is not synced, so that a checkpoint can be ahead of the log
	bugShardBehind    // one shard is left out of a checkpoint, and stays where the one before was
	bugLateKey        // a key that changes while a checkpoint is written is stored as it is then
	bugTimersLost     // the keys of a checkpoint come back without their timers
	bugRowsLater      // the feed's rows are committed behind their checkpoint, not with it
	bugClockAnew      // log time begins with the wall clock at each start
	bugNumbering      // firings are numbered through their batch
	bugSeenLast       // after a restart deliverers are told of popups that were seen when all has been published
	bugWarmsShort     // the record behind a deployment is not read back for its rules
	bugLiveEarly      // a checkpoint forgets that rules are warming
	bugLeavesDirty    // a record leaves memory though it has changed since the last checkpoint
	bugLeavesEarly    // a record leaves memory before the checkpoint that holds it is committed
	bugStaleEarly     // a row that was read early counts although its key has come back and changed since
	bugHintLost       // a checkpoint's keys have no hints that their timers are due
	bugHintLate       // a hint is as late as a key's timer was when the sweep came by
	bugBinTwice       // what has been read of a checkpoint is read again by the steps in the background
	bugKnownLate      // who somebody is counts as unknown while it is in the store alone
	bugErasedBack     // a checkpoint keeps who an erased person was
	bugVeilLost       // a restart forgets whose firings the store still has, though they were erased
	bugVacantEarly    // a key vanishes a millisecond early
	bugVacantCooldown // a key vanishes while a cooldown holds
)
