package engine

import (
	"nudge"
	"nudge/rules"
)

// The slot of a pool is a ring of the instants of the key's newest delivered firings, as many as the pool lets through. Its rules have
// one number and one window, and share it.

// limitText is under what a pool's slot is numbered: no operator is called limit.
func limitText(per string, c *rules.Cap) string { return per + "\x00limit\x00" + c.Pool }

// poolFull says whether a rule's pool has let through all that it may at an instant.
func (s *shard) poolFull(k *keyRef, ri int32, at nudge.Millis) bool {
	c := s.program.plan.Rules[ri].Limit
	num := s.program.rules[ri].limit
	slot := k.t.slot(k.i, num)
	return slot != nil && ring(slot).after(s.program.above(num, expiredAt(at, c.Window))) >= c.N
}

// fillPool counts a delivered firing.
func (s *shard) fillPool(k *keyRef, ri int32, at nudge.Millis) {
	c := s.program.plan.Rules[ri].Limit
	s.ensure(k)
	k.t.addTime(k.i, s.program.rules[ri].limit, c.N, at, expiredAt(at, c.Window))
}
