package state

// bug is a mistake that can be planted, in builds with the tag "planted" only: a test that never fails proves nothing.
type bug int

const (
	_               bug = iota // none
	bugSegmentNames            // a new segment goes on with the name ids of the one before
	bugDropsAny                // opening drops any flawed last entry, and a checkpoint that points beyond the end is none of its affair
	bugSyncAgain               // a sync that failed is tried once more, and believed
	bugNoRewrite               // opening does not write the last entry once more
	bugLooseFolder             // opening does not sync the folder that it reads
	bugTailStays               // what opening drops is not overwritten
	bugLooseRoll               // the manifest names a new segment whose place in the folder is not synced
	bugLooseRewrite            // a segment that was written anew is not synced before the manifest names it
	bugTrimsAll                // trimming does not ask what a checkpoint still needs
	bugLooseMarker             // the store's folder is not synced between two changes of its markers
	bugNoFlush                 // a commit returns before it is flushed
)
