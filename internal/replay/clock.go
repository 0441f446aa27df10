package replay

import (
	"errors"

	"nudge"
)

// clock gives each line of a replay its log time (I6): at = max(clock, the line's own at, or else its ts). Every line that
// is not refused moves it, one that is dropped as a duplicate too.
type clock struct {
	now     nudge.Millis
	started bool
}

// errNoClock refuses a line that no time is known for.
var errNoClock = errors.New(`the event has no "ts" and no "at", and no line before it has one; give the first event a "ts"`)

// stamp returns the log time of a line and moves the clock to it.
func (c *clock) stamp(at nudge.Millis, hasAt bool, ts nudge.Millis, hasTs bool) (nudge.Millis, error) {
	own, has := ts, hasTs
	if hasAt {
		own, has = at, true
	}
	if !has && !c.started {
		return 0, errNoClock
	}
	if has && (!c.started || own > c.now) {
		c.now, c.started = own, true
	}
	return c.now, nil
}
