package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"nudge"
	"nudge/rules"
)

// Checkpoint is the newest checkpoint of a store, for people who want to look at it. Nothing is applied to it.
type Checkpoint struct {
	store Store
	plan  *Engine // only its rules and dictionary are loaded

	Next     nudge.Offset // offset of the first record that it does not cover
	Clock    nudge.Millis // log time of the last one that it does
	Events   uint64       // covered, since the log began
	Deployed nudge.Offset // of the rules that run
	Rules    []string     // their ids
	Warming  []string     // of them, those that wait for their past
}

// OpenCheckpoint reads which checkpoint a store holds, nil if none.
func OpenCheckpoint(st Store, names *nudge.Names) (*Checkpoint, error) {
	e, err := New(Options{Names: names, Shards: 1})
	if err != nil {
		return nil, err
	}
	if found, err := e.restoreMeta(st); err != nil || !found {
		return nil, err
	}
	if err := e.restoreDeploy(st); err != nil {
		return nil, err
	}
	c := &Checkpoint{store: st, plan: e, Next: e.next, Clock: e.clock, Events: e.ordinal, Deployed: e.deployed}
	for i := range e.program.plan.Rules {
		id := e.program.plan.Rules[i].ID
		c.Rules = append(c.Rules, id)
		if e.dict.held[id] {
			c.Warming = append(c.Warming, id)
		}
	}
	return c, nil
}

// KeyCount is how many keys of one kind there are.
type KeyCount struct {
	Per   string // "visitor", "user", "company", or a per expression
	Keys  int
	Bytes int
	Timed int // keys that wait for an instant
}

// countMemory is how much of the keys Counts has in memory.
const countMemory = 64 << 20

// Counts are how many keys there are, in the order of their scopes' numbers, and the earliest instant that one of them waits for, 0 if none does. It reads
// all of them, as a server does that starts.
func (c *Checkpoint) Counts() (counts []KeyCount, due nudge.Millis, visitors, users int, err error) {
	e, err := New(Options{Names: c.plan.options.Names, Shards: 1})
	if err != nil {
		return nil, 0, 0, 0, err
	}
	e.keepWithin(countMemory, c.store, nil)
	err = withStore(func() error {
		err := e.restore(c.store)
		if err == nil {
			e.readAll()
		}
		return err
	})
	if err != nil {
		return nil, 0, 0, 0, err
	}
	pers, byScope, due := e.scopeNames(), map[uint16]*KeyCount{}, never
	var order []uint16
	for l := range e.shards[0].tables {
		t := &e.shards[0].tables[l]
		for i := range t.count {
			scope := t.entry(i).scope
			k := byScope[scope]
			if k == nil {
				k = &KeyCount{Per: pers[scope]}
				byScope[scope] = k
				order = append(order, scope)
			}
			k.Keys++
			k.Bytes += int(t.entry(i).used)
			if at := t.entry(i).due; at != never {
				k.Timed++
				due = min(due, at)
			}
		}
	}
	if due == never {
		due = 0
	}
	slices.Sort(order)
	for _, scope := range order {
		counts = append(counts, *byScope[scope])
	}
	return counts, due, e.shards[0].visitors.len(), e.shards[0].users.len(), nil
}

// scopeNames are the kinds of keys by their numbers.
//
//nudge:unordered the loop turns a map around
func (e *Engine) scopeNames() map[uint16]string {
	pers := map[uint16]string{}
	for per, num := range e.dict.scopes {
		pers[num] = per
	}
	return pers
}

// Pers are the kinds of keys there can be.
func (c *Checkpoint) Pers() []string { return slices.Sorted(maps.Keys(c.plan.dict.scopes)) }

// KeyState is what a checkpoint holds of one key.
type KeyState struct {
	Per     string      `json:"per"`
	Key     string      `json:"key"`
	Stored  bool        `json:"stored"`            // whether operators hold anything for it
	Due     Instant     `json:"due,omitempty"`     // when its next timer is
	User    []Binding   `json:"user,omitempty"`    // of a visitor: who it was, oldest first
	Company []Binding   `json:"company,omitempty"` // of a visitor or user
	Visitor []Binding   `json:"visitor,omitempty"` // of a user: where it was seen last
	Mails   []string    `json:"mails,omitempty"`   // of a user
	Slots   []SlotState `json:"slots,omitempty"`
}

// Binding is a value of a key's identity and the record that set it.
type Binding struct {
	From nudge.Offset `json:"from"`
	To   string       `json:"to"`
}

// SlotState is what one operator, cooldown or pool of a limit holds.
type SlotState struct {
	What  string `json:"what"`           // as count, cooldown, limit
	Of    string `json:"of"`             // an operator's text, the rule of a cooldown, the name of a pool
	Past  bool   `json:"past,omitempty"` // it is the user's, and waits for the visitor to become one
	Bytes int    `json:"bytes"`
	Holds any    `json:"holds"`
}

// Key is what the checkpoint holds of a key. ok is false if it knows nothing of it.
func (c *Checkpoint) Key(per, text string) (k KeyState, ok bool, err error) {
	num, known := c.plan.dict.scopes[per]
	if !known {
		return k, false, fmt.Errorf("there is no kind of key %q; there are %s", per, strings.Join(c.Pers(), ", "))
	}
	k = KeyState{Per: per, Key: text}
	if k.Stored, err = c.slots(&k, num); err != nil {
		return k, false, err
	}
	switch num {
	case rules.ScopeVisitor:
		err = c.visitor(&k)
	case rules.ScopeUser:
		err = c.user(&k)
	}
	return k, k.Stored || len(k.User)+len(k.Company)+len(k.Visitor)+len(k.Mails) > 0, err
}

// visitor reads who a visitor is.
func (c *Checkpoint) visitor(k *KeyState) error {
	value, ok, err := c.store.Get(identityKey(tableVisitors, scopeVisitor, k.Key))
	if err != nil || !ok {
		return err
	}
	_, v := readVisitor(value)
	k.User, k.Company = v.user.bindings(), v.company.bindings()
	return nil
}

// user reads who a user is.
func (c *Checkpoint) user(k *KeyState) error {
	value, ok, err := c.store.Get(identityKey(tableUsers, scopeUser, k.Key))
	if err != nil || !ok {
		return err
	}
	_, u := readUser(value)
	k.Company, k.Visitor, k.Mails = u.company.bindings(), u.visitor.bindings(), u.mails
	return nil
}

func (h *history) bindings() (all []Binding) {
	for b := range h.kept {
		all = append(all, Binding{From: b.from, To: b.text})
	}
	return all
}

// slots reads the row of a key, if there is one.
func (c *Checkpoint) slots(k *KeyState, scope uint16) (found bool, err error) {
	hash := nudge.HashKey(k.Per, k.Key)
	rec, ok, err := c.store.Get(rowKey(hash, scope, k.Key))
	if err != nil || !ok {
		return false, err
	}
	if !isRecord(rec) {
		return false, fmt.Errorf("checkpoint: the key's record has layout %v, this build reads %d", rec[:min(1, len(rec))], layoutVersion)
	}
	s := c.plan.shards[0]
	t := &s.tables[min(int(scope), levels-1)]
	t.clear()
	defer t.clear()
	i := t.load(hash, rec)
	if due := s.nextDue(t, i, c.Clock); due != never {
		k.Due = Instant(due)
	}
	texts := c.texts()
	d := directoryOf(rec)
	for j := range d.len() {
		num, slot := d.slot(j)
		k.Slots = append(k.Slots, c.slot(texts[num], k.Per, slot))
	}
	return true, nil
}

// texts are what numbers of slots stand for.
//
//nudge:unordered the loop turns a map around
func (c *Checkpoint) texts() map[uint32]string {
	texts := map[uint32]string{}
	for text, num := range c.plan.dict.ops {
		texts[num] = text
	}
	return texts
}

// Firings calls fn with the stored firings behind a cursor, in order; suppressed and shadow ones too. An error of fn ends it and is returned.
func (c *Checkpoint) Firings(after nudge.Cursor, fn func(nudge.Firing) error) error {
	return c.store.Scan(append(firingKey(after), 0), []byte{tableFirings + 1}, func(key, value []byte) error {
		f, err := readFiring(cursorOf(key), value)
		if err != nil || isErased(&f) {
			return err
		}
		return fn(f)
	})
}

// FeedCounts are how many firings are stored, how many of them were delivered, and the oldest and the newest cursor.
func (c *Checkpoint) FeedCounts() (firings, delivered int, oldest, newest nudge.Cursor, err error) {
	err = c.Firings(nudge.Cursor{}, func(f nudge.Firing) error {
		if firings == 0 {
			oldest = f.Cursor
		}
		firings++
		newest = f.Cursor
		if f.Delivered() {
			delivered++
		}
		return nil
	})
	return firings, delivered, oldest, newest, err
}
