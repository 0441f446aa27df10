package engine

import (
	"math"

	"nudge"
)

// A deployment may ask for more than was kept: a window, a cooldown or a pool's window becomes longer. Keys may still hold what the old one had done
// with, or may have vanished (vanish.go). So that no answer depends on which, what the old window had left behind at the deployment counts for
// nothing, however long the new one is: that instant is the floor of its number. Operators that read the log back have none: what they lack is read.
//
// For the same reason an event that was history before lateness became longer stays history.

// raiseFloor notes that what a text stands for has another window than before. newest is where its window ends: now, or where events begin to be history.
func (c *change) raiseFloor(text string, was, is, newest nudge.Millis) {
	floors := c.dict.floors
	if floor, has := floors[text]; has && floor <= expiredAt(newest, is) {
		delete(floors, text)
	}
	if is <= was || c.isNew[text] {
		return
	}
	left := expiredAt(newest, was)
	if floor, has := floors[text]; !has || left > floor {
		floors[text] = left
	}
}

// noteSpans notes the windows of the cooldowns and pools of rules that are new.
func (c *change) noteSpans(added []int) {
	note := func(text string, is nudge.Millis) {
		c.raiseFloor(text, c.dict.sizes[text].Window, is, c.clock)
		c.dict.sizes[text] = size{Window: is}
	}
	for _, i := range added {
		r := &c.plan.Rules[i]
		note(cooldownText(r), r.Cooldown)
		if r.Limit != nil {
			note(limitText(c.plan.Scopes[r.Scope].Per, r.Limit), r.Limit.Window)
		}
	}
}

// placeFloors puts the floors beside the numbers. There are seldom any.
//
//nudge:unordered each has a place of its own
func (g *program) placeFloors() {
	g.floors = nil
	for text, floor := range g.dict.floors {
		for len(g.floors) < len(g.live) {
			g.floors = append(g.floors, math.MinInt64)
		}
		g.floors[g.dict.ops[text]] = floor
	}
}

// above is an instant, or the floor of a number where that is later: what is not newer counts for nothing.
func (g *program) above(num uint32, instant nudge.Millis) nudge.Millis {
	if g.floors == nil {
		return instant
	}
	return max(instant, g.floors[num])
}
