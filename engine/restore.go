package engine

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"nudge"
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
	e.leaveUnread(st)
	for _, load := range []func(Store) error{e.restorePositions, e.restoreDedup, e.restoreHints} {
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
	if m.Format < oldestFormat || m.Format > checkpointFormat {
		return false, fmt.Errorf("checkpoint: format %d, this build reads %d and %d; where the log still begins at offset 1, move the store's folder away and start again: "+
			"the state is made anew from the log", m.Format, oldestFormat, checkpointFormat)
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
		ops: d.Ops, scopes: d.Scopes, nextOp: d.NextOp, sizes: d.Sizes, cold: d.Cold, held: d.Held, sources: plan.Sources, floors: d.Floors,
	}
	if e.dict.floors == nil {
		e.dict.floors = map[string]nudge.Millis{}
	}
	e.lateBefore = d.LateBefore
	if e.dict.cold == nil {
		e.dict.cold = map[string]coldness{}
	}
	e.deployed = d.Deployed
	e.program = nil // its numbers are of another dictionary
	e.adopt(d.Settings)
	e.Deploy(plan)
	return nil
}

// restoreIdentities loads all identities at once.
func (e *Engine) restoreIdentities(st Store) error {
	err := st.Scan([]byte{tableVisitors}, []byte{tableVisitors + 1}, func(_, row []byte) error {
		text, v := readVisitor(row)
		hash := nudge.HashKey(scopeVisitor, text)
		e.shards[hash.Shard(len(e.shards))].addVisitor(hash, text, v)
		return nil
	})
	if err != nil {
		return err
	}
	return st.Scan([]byte{tableUsers}, []byte{tableUsers + 1}, func(_, row []byte) error {
		text, u := readUser(row)
		hash := nudge.HashKey(scopeUser, text)
		e.shards[hash.Shard(len(e.shards))].users.put(hash, text, u)
		return nil
	})
}

func readVisitor(row []byte) (text string, v *visitorIdentity) {
	text, row = readText(row)
	v = &visitorIdentity{}
	v.company.read(v.user.read(row))
	return text, v
}

func readUser(row []byte) (text string, u *userIdentity) {
	text, row = readText(row)
	u = &userIdentity{}
	u.read(row)
	return text, u
}

// restoreDedup loads the ids that are remembered. Rows may hold others too, some of them twice: what was forgotten stays so.
func (e *Engine) restoreDedup(st Store) error {
	rows := make([][][]byte, len(e.shards)) // each shard's share of every row
	ids := make([]int, len(e.shards))
	err := st.Scan([]byte{tableDedup}, []byte{tableDedup + 1}, func(_, value []byte) error {
		parts := make([][]byte, len(e.shards))
		for ; len(value) >= dedupEntryBytes; value = value[dedupEntryBytes:] {
			if m := readDedupEntry(value); m.ordinal >= e.forgotten && e.ordinal-m.ordinal < uint64(e.settings.DedupEvents) && e.clock-m.at < dedupAge {
				i := int(m.group) * len(e.shards) / nudge.Groups
				if parts[i] == nil {
					parts[i] = make([]byte, 0, len(value))
				}
				parts[i] = append(parts[i], value[:dedupEntryBytes]...)
				ids[i]++
			}
		}
		for i, part := range parts {
			if part != nil {
				rows[i] = append(rows[i], part)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	e.onEveryShard(smallBatch, func(s *shard) { s.restoreIDs(rows[s.id], ids[s.id]) })
	return nil
}

// restoreIDs loads a shard's ids. They come in the order in which they were applied, if the shards were the same before.
func (s *shard) restoreIDs(rows [][]byte, ids int) {
	entries, sorted, newest := make([]dedupEntry, 0, ids), true, uint64(0)
	for i, row := range rows {
		for ; len(row) > 0; row = row[dedupEntryBytes:] {
			m := readDedupEntry(row)
			sorted, newest = sorted && m.ordinal >= newest, m.ordinal
			entries = append(entries, m)
		}
		rows[i] = nil
	}
	if !sorted {
		slices.SortFunc(entries, func(a, b dedupEntry) int { return cmp.Compare(a.ordinal, b.ordinal) })
	}
	s.dedup.index.reserve(ids)
	for _, m := range entries {
		s.dedup.add(m)
	}
	s.dedup.fresh = s.dedup.queue.tail
}

func readDedupEntry(src []byte) dedupEntry {
	return dedupEntry{
		fingerprint: binary.LittleEndian.Uint64(src),
		group:       binary.LittleEndian.Uint16(src[8:]),
		ordinal:     binary.LittleEndian.Uint64(src[10:]),
		at:          nudge.Millis(binary.LittleEndian.Uint64(src[18:])),
	}
}
