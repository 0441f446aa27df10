package engine

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"nudge"
	"nudge/rules"
)

// restore loads the store's checkpoint into a new engine, for whatever number of shards this one has. Without a checkpoint it
// leaves the engine empty, to begin at offset 1.
func (e *Engine) restore(st Store) error {
	if found, err := e.restoreMeta(st); err != nil || !found {
		return err
	}
	if err := e.restoreDeploy(st); err != nil {
		return err
	}
	for _, load := range []func(Store) error{e.restorePositions, e.restoreIdentities, e.restoreDedup, e.restoreKeys} {
		if err := load(st); err != nil {
			return err
		}
	}
	return nil
}

// restoreMeta reads what the checkpoint covers. found is false where there is none.
func (e *Engine) restoreMeta(st Store) (found bool, err error) {
	value, ok, err := st.Get([]byte{tableMeta})
	if err != nil || !ok {
		e.next = 1
		return false, err
	}
	var m meta
	if err := json.Unmarshal(value, &m); err != nil {
		return false, fmt.Errorf("checkpoint: the meta row is not JSON: %w", err)
	}
	if m.Format != checkpointFormat {
		return false, fmt.Errorf("checkpoint: format %d, this build reads %d; where the log still begins at offset 1, move the store's folder away and start again: "+
			"the state is made anew from the log", m.Format, checkpointFormat)
	}
	e.next, e.clock, e.ordinal, e.forgotten = m.Next, m.Clock, m.Ordinal, m.Forgotten
	return true, nil
}

func (e *Engine) restoreDeploy(st Store) error {
	value, ok, err := st.Get([]byte{tableDeploy})
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("checkpoint: the row of the running rules is missing")
	}
	var d deployRow
	if err := json.Unmarshal(value, &d); err != nil {
		return fmt.Errorf("checkpoint: the row of the running rules is not JSON: %w", err)
	}
	plan, err := d.Settings.compile(d.Rules, e.options.Names, nil)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if planted(bugLiveEarly) {
		d.Cold, d.Held = nil, nil
	}
	e.dict = &dictionary{
		ops: d.Ops, scopes: d.Scopes, nextOp: d.NextOp, sizes: d.Sizes, cold: d.Cold, held: d.Held, sources: plan.Sources,
	}
	if e.dict.cold == nil {
		e.dict.cold = map[string]coldness{}
	}
	e.deployed = d.Deployed
	e.program = nil // its numbers are of another dictionary
	e.adopt(d.Settings)
	e.Deploy(plan)
	return nil
}

// restoreKeys loads the keys' records.
//
//nudge:unordered the loop turns a map around
func (e *Engine) restoreKeys(st Store) error {
	pers := map[uint16]string{}
	for per, num := range e.dict.scopes {
		pers[num] = per
	}
	return st.Scan([]byte{tableKeys}, []byte{tableKeys + 1}, func(key, rec []byte) error {
		if !isRecord(rec) {
			return fmt.Errorf("checkpoint: a key's record has layout %v, this build reads %d", rec[:min(1, len(rec))], layoutVersion)
		}
		num, text := identityOf(rec)
		hash := nudge.HashKey(pers[num], string(text))
		s := e.shards[hash.Shard(len(e.shards))]
		level := 2
		if num < rules.ScopeCompany {
			level = int(num)
		}
		t := &s.tables[level]
		i := t.load(hash, rec)
		if !planted(bugTimersLost) {
			t.arm(i, s.nextDue(t, i, e.clock))
		}
		s.restored(t, i, key)
		return nil
	})
}

func (e *Engine) restoreIdentities(st Store) error {
	err := st.Scan([]byte{tableVisitors}, []byte{tableVisitors + 1}, func(_, value []byte) error {
		text, value := readText(value)
		v := &visitorIdentity{}
		v.company.read(v.user.read(value))
		hash := nudge.HashKey(scopeVisitor, text)
		e.shards[hash.Shard(len(e.shards))].addVisitor(hash, text, v)
		return nil
	})
	if err != nil {
		return err
	}
	return st.Scan([]byte{tableUsers}, []byte{tableUsers + 1}, func(_, value []byte) error {
		text, value := readText(value)
		u := &userIdentity{}
		u.read(value)
		e.shards[nudge.HashKey("user", text).Shard(len(e.shards))].users[text] = u
		return nil
	})
}

// restoreDedup loads the ids that are remembered. Rows may hold others too, some of them twice: what was forgotten stays so.
func (e *Engine) restoreDedup(st Store) error {
	entries := make([][]dedupEntry, len(e.shards))
	err := st.Scan([]byte{tableDedup}, []byte{tableDedup + 1}, func(_, value []byte) error {
		for ; len(value) >= dedupEntryBytes; value = value[dedupEntryBytes:] {
			m := dedupEntry{
				fingerprint: binary.LittleEndian.Uint64(value),
				group:       binary.LittleEndian.Uint16(value[8:]),
				ordinal:     binary.LittleEndian.Uint64(value[10:]),
				at:          nudge.Millis(binary.LittleEndian.Uint64(value[18:])),
			}
			if m.ordinal >= e.forgotten && e.ordinal-m.ordinal < uint64(e.settings.DedupEvents) && e.clock-m.at < dedupAge {
				s := int(m.group) * len(e.shards) / nudge.Groups
				entries[s] = append(entries[s], m)
			}
		}
		return nil
	})
	for i, s := range e.shards {
		slices.SortFunc(entries[i], func(a, b dedupEntry) int { return cmp.Compare(a.ordinal, b.ordinal) })
		for _, m := range entries[i] {
			s.dedup.add(m)
		}
		s.dedup.fresh = s.dedup.queue.tail
	}
	return err
}
