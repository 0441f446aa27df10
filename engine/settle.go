package engine

import (
	"encoding/binary"

	"nudge"
	"nudge/rules"
)

// settled is a firing with its place in the order.
type settled struct {
	path   []byte
	firing nudge.Firing
}

// settle takes the rules that rose by one input in their order through unless, cooldown and limit, and then lets the key take what they
// fired, one after the other, each to its end.
func (s *shard) settle(b *Batch, w *scratch, k *keyRef, in *input, t *turn) {
	if t == nil {
		t = &turn{}
	}
	var own []*fired
	for _, ri := range w.rules {
		suppressed := s.suppression(w, k, ri, in.when.at, t)
		if suppressed != "" && s.engine.options.DropSuppressed {
			continue
		}
		c := s.causeOf(b, w, k, in, ri)
		f := s.firing(w, k, in, ri, &c)
		f.firing.Suppressed = suppressed
		r := &s.program.plan.Rules[ri]
		if suppressed == "" && r.Cooldown > 0 {
			s.noteDelivered(k, ri, in.when.at)
		}
		if r.Limit != nil && f.firing.Delivered() {
			s.fillPool(k, ri, in.when.at)
		}
		s.render(w, k, r, c.row, in.when.at, &f.firing)
		s.firings = append(s.firings, f)
		if f.firing.Delivered() && s.program.hasFired {
			if fd := s.fire(b, k, in, ri, &c, &f); fd != nil {
				t.pending = append(t.pending, fd)
				own = append(own, fd)
			}
		}
	}
	for _, fd := range own {
		t.taken(fd)
		next := input{when: in.when, scope: k.scope, hash: k.hash, key: k.text, entry: k.i, row: fd.row, met: fd.met, rec: in.rec, from: fd, source: fd.source}
		var same keyRef
		s.key(&same, &next)
		s.take(b, &same, &next, t)
	}
}

func (t *turn) taken(fd *fired) {
	for i, p := range t.pending {
		if p == fd {
			t.pending = append(t.pending[:i], t.pending[i+1:]...)
			return
		}
	}
}

// cause says where a firing comes from.
type cause struct {
	id, text               string // for the firing's id, and as it is printed
	visitor, user, company string // whom the cause is about
	popupTo                string
	row                    *rules.Row
	parent                 []byte // path
	source                 nudge.KeyHash
}

func (s *shard) causeOf(b *Batch, w *scratch, k *keyRef, in *input, ri int32) cause {
	kind, per := s.program.plan.Scopes[k.scope].Kind, s.program.plan.Scopes[k.scope].Per
	switch {
	case in.from != nil:
		f := in.from
		text := nudge.CauseFired(f.id)
		return cause{
			id: text, text: text, visitor: f.visitor, user: f.user, company: f.company, popupTo: f.visitor, row: in.row, parent: f.path,
			source: f.source,
		}
	case in.when.timer:
		c := cause{id: nudge.CauseTimer, text: nudge.CauseTimer, parent: s.rootPath(in.when, kind, per, k.text)}
		c.visitor, c.user, c.company = s.engine.knownThen(kind, k.text, in.when.off)
		kept := s.openedBy(w, k, ri)
		c.row, c.popupTo = s.program.keptRow(&w.row, kept, in.when.at)
		c.source = sourceOfTimer(k, kind, kept)
		if c.popupTo == "" {
			c.popupTo = c.visitor
		}
		return c
	}
	a, rec := &b.abouts[in.rec], &b.records[in.rec]
	c := cause{
		id: s.texts.number(nudge.CauseRecordPrefix, uint64(rec.off)), text: s.causeText(rec), visitor: a.visitor, user: a.user, company: a.company,
		popupTo: a.visitor, row: in.row, parent: s.rootPath(in.when, kind, "", ""), source: a.primary,
	}
	return c
}

// causeText is how a record is named as a cause: its id, else its place.
func (s *shard) causeText(r *stamped) string {
	if id := r.rec.Field(nudge.NameID_); id.Kind == nudge.Text && id.Text != "" {
		return s.texts.keep(id.Text)
	}
	if s.engine.options.Replay {
		return s.texts.number("line:", uint64(r.off))
	}
	return s.texts.number("offset:", uint64(r.off))
}

// sourceOfTimer is the source of what time brings: a person's key itself, else what the wait kept.
func sourceOfTimer(k *keyRef, kind nudge.Kind, kept []byte) nudge.KeyHash {
	switch {
	case levelOf(kind) < levels-1:
		return k.hash
	case kept == nil:
		return 0
	}
	return keptSource(kept)
}

// openedBy is what was kept of the event that opened the wait by which a rule fires: of several the one that stands first in its
// condition.
func (s *shard) openedBy(w *scratch, k *keyRef, ri int32) []byte {
	for _, u := range s.program.plan.Rules[ri].When.Uses {
		for _, p := range w.pulses {
			if p.op == u.Op {
				return wait(k.t.slot(k.i, s.program.nums[u.Op])).kept()
			}
		}
	}
	return nil
}

// firing makes the firing of a rule without its actions.
func (s *shard) firing(w *scratch, k *keyRef, in *input, ri int32, c *cause) settled {
	r, sc := &s.program.plan.Rules[ri], &s.program.plan.Scopes[k.scope]
	key := s.texts.keep(k.text)
	n := s.settling.next(in.when, s.program.scopeNums[k.scope], key)
	s.idText = nudge.AppendFiringID(s.idText[:0], r.ID, sc.Per, key, in.when.at, c.id)
	return settled{
		path: s.hopPath(c.parent, sc.Kind, sc.Per, key, n),
		firing: nudge.Firing{
			ID: s.texts.keepBytes(s.idText), Cursor: nudge.Cursor{Offset: in.when.off, N: n},
			Rule: r.ID, Kind: sc.Kind, Per: sc.Per, Key: key, At: in.when.at, Cause: c.text,
			Visitor: s.texts.keep(c.popupTo), Timer: in.when.timer, Shadow: r.Mode == rules.ModeShadow, Source: c.source,
		},
	}
}

// suppression says why a rule that rose may not fire: unless, then cooldown, then limit. "" if it may.
func (s *shard) suppression(w *scratch, k *keyRef, ri int32, at nudge.Millis, t *turn) string {
	r := &s.program.plan.Rules[ri]
	if r.Unless != nil && s.unless(w, k, ri, at, t) {
		return nudge.SuppressedUnless
	}
	if r.Cooldown > 0 {
		if slot := k.t.slot(k.i, s.program.rules[ri].cooldown); slot != nil {
			last := sinceNewest(slot)
			if last > s.program.above(s.program.rules[ri].cooldown, expiredAt(at, r.Cooldown)) || planted(bugCooldown) && at-last == r.Cooldown {
				return nudge.SuppressedCooldown
			}
		}
	}
	if r.Limit != nil && s.poolFull(k, ri, at) {
		return nudge.SuppressedLimit
	}
	return ""
}

// unless evaluates a rule's unless after the instant. It also sees the fired events that the key has not taken yet: they are tried on a
// copy of the key.
func (s *shard) unless(w *scratch, k *keyRef, ri int32, at nudge.Millis, t *turn) bool {
	seen := *k
	if s.program.rules[ri].unlessFired && len(t.pending) > 0 {
		s.tried.clear()
		seen.t, seen.i = &s.tried, noEntry
		if k.i != noEntry {
			seen.i = s.tried.load(k.hash, k.t.record(k.i))
		}
		for _, fd := range t.pending {
			v := s.enter()
			if r := fd.met.at(k.scope); r != nil {
				s.applyEvent(nil, v, &seen, &input{when: fd.when, scope: k.scope, row: fd.row, met: fd.met, rec: -1, from: fd}, r)
			}
			s.leave()
		}
	}
	s.observeUnless(w, &seen, ri, at)
	return s.holds(w, &seen, s.program.plan.Rules[ri].Unless, at)
}

// noteDelivered starts the rule's cooldown; the slot is i64 the instant.
func (s *shard) noteDelivered(k *keyRef, ri int32, at nudge.Millis) {
	s.ensure(k)
	num := s.program.rules[ri].cooldown
	slot := k.t.slot(k.i, num)
	if slot == nil {
		slot = k.t.grow(k.i, num, 8)
	}
	binary.LittleEndian.PutUint64(slot, uint64(at))
}

// render makes the firing's actions.
func (s *shard) render(w *scratch, k *keyRef, r *rules.Rule, row *rules.Row, at nudge.Millis, f *nudge.Firing) {
	f.Actions = s.roomForActions(len(r.Actions))
	for i := range r.Actions {
		a := &r.Actions[i]
		name, data := a.Render(s.data[:0], row, s.read(w, k, a.Uses, at))
		s.data = data
		f.Actions = append(f.Actions, nudge.Action{Kind: a.Kind, Name: s.texts.keep(name), Data: s.texts.keepRaw(data)})
		if levelOf(f.Kind) == levels-1 {
			f.Sources = s.appendSources(f.Sources, k, a.Uses, at)
		}
	}
}

// roomForActions is room for the actions of a firing, out of blocks like those of texts.
func (s *shard) roomForActions(n int) []nudge.Action {
	const block = 64
	if n > len(s.actions) {
		s.actions = make([]nudge.Action, max(block, n))
	}
	room := s.actions[:0:n]
	s.actions = s.actions[n:]
	return room
}

// counter numbers the firings of each key by one instant, in order of settling.
type counter struct {
	when instant
	few  []counted // the first keys; mostly they are all
	more map[countedKey]uint32
}

type countedKey struct {
	scope uint16
	key   string
}

type counted struct {
	countedKey
	n uint32
}

// fewKeys is how many keys are looked through.
const fewKeys = 8

// next is the number of the key's next firing. The key must outlive the batch.
func (c *counter) next(when instant, scope uint16, key string) uint32 {
	if c.when != when {
		c.when, c.few = when, c.few[:0]
		if len(c.more) > 0 {
			clear(c.more)
		}
	}
	id := countedKey{scope, key}
	for i := range c.few {
		if k := &c.few[i]; k.countedKey == id {
			k.n++
			return k.n
		}
	}
	if len(c.few) < fewKeys {
		c.few = append(c.few, counted{countedKey: id})
		return 0
	}
	if c.more == nil {
		c.more = map[countedKey]uint32{}
	}
	n := c.more[id]
	c.more[id] = n + 1
	return n
}
