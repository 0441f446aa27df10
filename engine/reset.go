package engine

import "nudge"

// Reset forgets every key, identity and id: the engine is as it was when its running rules were deployed into a new one. For those who run
// many short streams through the same rules; the rules stay compiled.
func (e *Engine) Reset() {
	if e.cold() { // rules of a new engine lack nothing
		e.release(noTime)
	}
	e.deployed = 0
	for i, old := range e.shards { // what is still to be taken over goes with the old tables
		s := newShard(nudge.ShardID(i), e, len(e.shards))
		s.program, s.sets, s.memo, s.scratch = e.program, old.sets, old.memo, old.scratch
		for l := range s.tables {
			s.tables[l].live, s.tables[l].entries = e.program.live, old.tables[l].entries // chunks of entries, which are written anew
		}
		e.shards[i] = s
	}
	e.ordinal, e.forgotten, e.next, e.clock = 0, 0, 0, 0
	clear(e.positions)
	e.adopt(e.settings)
}
