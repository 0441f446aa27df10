package engine

import (
	"nudge"
	"nudge/rules"
)

// shard is one slice of the key space. One goroutine at a time works on it, so it needs no lock; during a level it reads other
// shards' identities, which nobody writes then.
type shard struct {
	id      nudge.ShardID
	engine  *Engine
	at      nudge.Offset // of the record that is being applied; 0: none, or timers behind the last one
	program *program

	tables        [levels]table
	visitors      people[visitorIdentity]
	known         hashFilter // of the visitors
	added         bool       // a visitor, since the block that is being identified was read
	users         people[userIdentity]
	dirtyVisitors []keyText
	dirtyUsers    []keyText
	erased        [][]byte // rows of identities that were erased since the last checkpoint began
	dedup         dedup

	visitorsUnread, usersUnread *unread // identities that are in the store alone; nil: none
	dues                        []dueBin
	hints                       *hintMaker            // of the checkpoint that is being written, nil: none is
	hinted                      map[uint32]*hintBlock // of the checkpoint before

	out     [levels][][]input // what this shard sends to each shard of a level
	in      []input
	named   [lookAhead]named // of a block
	asked   [lookAhead]uint8 // places in a block
	ofUsers [][]int32        // per shard: this one's records of a batch that are about its users
	list    []int32          // records that are about this shard's users
	queries [lookAhead]query // of a block
	sets    metSets
	memo    memo
	longIDs longIDs
	matches rules.Matches // of a block
	matched []int32       // of a fired event
	ahead   ahead
	firings []settled
	stats   shardStats
	hand    hand
	early   early

	vanishing vanishing

	settling counter
	texts    texts
	idText   []byte         // scratch of firing
	data     []byte         // scratch of render
	actions  []nudge.Action // see roomForActions
	paths    []byte         // of the batch's firings
	tried    table          // a copy of one key, to try out fired events on
	scratch  []*scratch     // by depth: a fired event is taken while its cause is being settled
	depth    int
}

// shardStats are counted events: dropped as duplicates, not seen by company rules for want of a company, and those for which an operator
// whose very number is used had no more room.
type shardStats struct {
	duplicates, noCompany, overflows uint64
}

func newShard(id nudge.ShardID, e *Engine, shards int) *shard {
	s := &shard{id: id, engine: e, ofUsers: make([][]int32, shards)}
	for l := range levels {
		s.out[l] = make([][]input, shards)
		s.tables[l].shelf, s.tables[l].focus.ids = e.shelf, &s.longIDs
	}
	return s
}

// runVisitors is level 0: this shard's records, and the timers of its visitors.
func (s *shard) runVisitors(b *Batch, list []int32) {
	s.bringVisitors(b, list)
	s.paths = s.paths[:0]
	for l := range s.out {
		for i := range s.out[l] {
			s.out[l][i] = s.out[l][i][:0]
		}
	}
	t := &s.tables[0]
	for len(list) > 0 {
		block := list[:min(len(list), lookAhead)]
		list = list[len(block):]
		queries := s.askVisitors(b, block)
		t.findAll(queries)
		s.match(b, block)
		for j, i := range block { // duplicates too: they mean nothing to anybody
			r := &b.records[i]
			if s.at = r.off; t.mayBeDue(r.at) {
				s.runTimers(0, b, r.at)
			}
			s.takeRecord(b, i, queries[j].entry)
		}
	}
	s.at = 0
	s.runTimers(0, b, b.until)
}

// askVisitors asks for the visitors of a block of records. Records without one, and duplicates, ask for a key that nobody has: nothing is brought
// back for them.
func (s *shard) askVisitors(b *Batch, block []int32) []query {
	queries := s.queries[:len(block)]
	for j, i := range block {
		a, q := &b.abouts[i], &queries[j]
		q.hash, q.scope, q.key = a.primary, rules.ScopeVisitor, a.visitor // a duplicate's is not set
		if a.visitor == "" {
			q.hash = 0
		}
	}
	return queries
}

// match finds what the records of a block mean to each scope. Duplicates mean nothing.
func (s *shard) match(b *Batch, block []int32) {
	a := &s.ahead
	a.unknown = a.unknown[:0]
	for _, i := range block {
		r, who, row := &b.records[i], &b.abouts[i], &b.rows[i]
		if r.duplicate {
			b.met[i] = nothingMet
			continue
		}
		s.at = r.off
		s.program.plan.ReadFrom(r.rec, int(who.fields), r.at, row)
		s.program.fillIdentity(row, who.visitor, who.user, who.company)
		m, hash := s.memo.find(s.program, row)
		if b.met[i] = m; m == nil {
			a.hashes[len(a.unknown)] = hash
			a.unknown = append(a.unknown, i)
		}
	}
	s.matchAnew(b, a.unknown)
	s.lookAt(b, block)
}

// matchAnew matches the records of a block of which nobody remembers what they mean.
func (s *shard) matchAnew(b *Batch, unknown []int32) {
	if len(unknown) == 0 {
		return
	}
	defer func() {
		if at := s.matches.At(); at >= 0 { // it has panicked
			s.at = b.records[unknown[at]].off
		}
	}()
	s.program.plan.MatchBlock(b.rows, unknown, &s.matches)
	s.meetBlock(b, unknown)
	for j, i := range unknown {
		s.memo.note(s.program, &b.rows[i], s.ahead.hashes[j], b.met[i])
	}
}

// runLevel is level 1 or 2: what came up to this shard's keys, and their timers.
func (s *shard) runLevel(level int, b *Batch) {
	s.in = s.engine.gather(level, s.id, s.in[:0])
	t := &s.tables[level]
	s.bringKeys(t)
	for left := s.in; len(left) > 0; {
		block := left[:min(len(left), lookAhead)]
		left = left[len(block):]
		s.findKeys(t, block)
		for i := range block {
			in := &block[i]
			if s.at = in.when.off; t.mayBeDue(in.when.at) {
				s.runTimers(level, b, in.when.at)
			}
			var k keyRef
			s.key(&k, in)
			s.take(b, &k, in, nil)
		}
	}
	s.at = 0
	s.runTimers(level, b, b.until)
}

// findKeys looks up the keys of a block of inputs.
func (s *shard) findKeys(t *table, block []input) {
	queries := s.askKeys(block)
	t.findAll(queries)
	for i := range block {
		block[i].entry = queries[i].entry
	}
}

func (s *shard) askKeys(block []input) []query {
	queries := s.queries[:len(block)]
	for i := range block {
		in, q := &block[i], &queries[i]
		q.hash, q.scope, q.key = in.hash, s.program.scopeNums[in.scope], in.key
	}
	return queries
}

// takeRecord gives a record to its visitor and sends it up to the keys whose rules it concerns.
func (s *shard) takeRecord(b *Batch, i int32, visitor uint32) {
	g, a, row := s.program, &b.abouts[i], &b.rows[i]
	met := b.met[i]
	var past []byte
	if a.identifies {
		past = s.takePast(a.primary, a.visitor)
	}
	if !met.concerned() && past == nil {
		return
	}
	var in input // field by field: the compiler makes a literal elsewhere and copies it, wide loads right behind narrow stores, for which the processor waits
	in.when.at, in.when.off, in.row, in.met, in.rec, in.source = row.At, b.records[i].off, row, met, i, a.primary
	in.scope, in.key, in.hash, in.entry = rules.ScopeVisitor, a.visitor, a.primary, visitor
	if a.visitor != "" {
		var k keyRef
		k.t, k.i, k.hash, k.text = &s.tables[0], visitor, a.primary, a.visitor
		r := met.fixed[rules.ScopeVisitor]
		if visitor == noEntry { // an earlier record of the block may have made it
			k.i = k.t.find(k.hash, k.num, k.text)
		}
		switch {
		case a.user != "":
		case met.joint != nil:
			r = met.joint
		default: // before the visitor takes it: what its rules fire by it comes later in the past, too
			s.remember(b, &k, &in)
		}
		if r != nil {
			s.takeBy(b, &k, &in, r, nil)
		}
	}
	if a.user != "" {
		s.send(rules.ScopeUser, a.user, a.userHash, &in, past)
	}
	if concerned := met.at(rules.ScopeCompany) != nil; concerned && a.company == "" {
		s.stats.noCompany++
	} else if concerned {
		s.send(rules.ScopeCompany, a.company, a.companyKey(), &in, nil)
	}
	for j := range met.others {
		scope := met.others[j].scope
		sc := &g.plan.Scopes[scope]
		if key := sc.Key(row); key != "" {
			s.send(scope, key, nudge.HashKey(sc.Per, key), &in, nil)
		}
	}
}

// send passes an input up to the shard of a key, if any of the key's rules listens. A past goes up in any case.
func (s *shard) send(scope int, key string, hash nudge.KeyHash, in *input, past []byte) {
	if past == nil && in.met.at(scope) == nil {
		return
	}
	out := &s.out[levelOf(s.program.plan.Scopes[scope].Kind)][hash.Shard(len(s.engine.shards))]
	*out = append(*out, *in)
	up := &(*out)[len(*out)-1]
	up.scope, up.key, up.hash, up.entry, up.past = scope, key, hash, noEntry, past
}

func (g *program) fillIdentity(row *rules.Row, visitor, user, company string) {
	setText(row, g.slotOf.visitor, visitor)
	setText(row, g.slotOf.user, user)
	setText(row, g.slotOf.company, company)
}

// setText sets a slot, to missing if there is no text: there is no empty key.
func setText(row *rules.Row, slot int, text string) {
	if slot < 0 {
		return
	}
	v := &row.Vals[slot]
	v.Kind, v.Num, v.Text = nudge.Text, 0, text
	if text == "" {
		v.Kind = nudge.Missing
	}
}

// runTimers runs the level's timers that are due at or before until, each at its own instant.
func (s *shard) runTimers(level int, b *Batch, until nudge.Millis) {
	t := &s.tables[level]
	for t.mayBeDue(until) {
		i, due, ok := t.popDue(until)
		if !ok {
			return
		}
		if t.entry(i).ref.away() {
			t.bringDue(i, b.until)
		}
		s.runKeyTimers(b, t, i, due)
	}
}
