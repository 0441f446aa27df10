package engine

// bug is a mistake that can be planted, in builds with the tag "planted" only: a test that never fails proves nothing.
type bug int

const (
	noBug       bug = iota
	bugWindow       // a window holds the instant at its beginning
	bugTie          // of two values that share a time, the one stamped first counts as newer
	bugOrder        // what comes up from two keys at one instant is taken in the wrong order
	bugCooldown     // a firing at exactly the end of the cooldown is held back
)
