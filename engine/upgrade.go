package engine

import (
	"fmt"

	"nudge"
)

// Format 3 had its keys and identities ordered by group alone, and no hints. A store of it is made one of today's before it is restored.
const (
	formatByGroup = 3

	tableKeysByGroup     = 'k' // group, scope number, digest
	tableVisitorsByGroup = 'v' // group, digest
	tableUsersByGroup    = 'u' // group, digest

	groupBytes   = 2
	upgradeBytes = 32 << 20 // of rows in one commit
)

// upgrade makes a store of format 3 one of today's. The old rows go, and the version changes, with the last commit: until then the store is as it was, and
// whoever begins anew begins from the beginning.
func upgrade(st Store) error {
	m, ok, err := readMeta(st)
	if err != nil || !ok || m.Format != formatByGroup {
		return err
	}
	d, err := readDeployRow(st)
	if err != nil {
		return err
	}
	u, pers := &upgrader{store: st, bins: map[uint32]bool{}}, d.pers()
	err = st.Commit(func(w Writer) error {
		for _, table := range []byte{tableKeys, tableVisitors, tableUsers, tableHints} {
			w.DeleteRange([]byte{table}, []byte{table + 1})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, from := range []struct {
		table byte
		row   func(key, row []byte) (newKey []byte, err error)
	}{
		{tableKeysByGroup, func(key, row []byte) ([]byte, error) {
			if len(row) < keyHeader || row[0] != layoutVersion || len(key) < 1+groupBytes+2 {
				return nil, fmt.Errorf("checkpoint: a key's record has layout %v, this build reads %d", row[:min(1, len(row))], layoutVersion)
			}
			scope, text := identityOf(row)
			hash := nudge.HashKey(pers[scope], string(text))
			u.bins[hintPlace(scope, hash.Group())] = true
			return rowKey(hash, scope, string(text)), nil
		}},
		{tableVisitorsByGroup, func(_, row []byte) ([]byte, error) {
			text, _ := readText(row)
			return identityKey(tableVisitors, scopeVisitor, text), nil
		}},
		{tableUsersByGroup, func(_, row []byte) ([]byte, error) {
			text, _ := readText(row)
			return identityKey(tableUsers, scopeUser, text), nil
		}},
	} {
		err := st.Scan([]byte{from.table}, []byte{from.table + 1}, func(key, row []byte) error {
			newKey, err := from.row(key, row)
			if err != nil {
				return err
			}
			return u.put(newKey, row)
		})
		if err != nil {
			return err
		}
	}
	return u.finish(m)
}

// upgrader collects rows for the next commit.
type upgrader struct {
	store Store
	rows  []row
	bytes int
	bins  map[uint32]bool // by scope's number and group: where there are keys
}

func (u *upgrader) put(key, value []byte) error {
	u.rows = append(u.rows, row{key, append([]byte{}, value...)})
	if u.bytes += len(key) + len(value); u.bytes < upgradeBytes {
		return nil
	}
	return u.commit(func(Writer) {})
}

func (u *upgrader) commit(more func(Writer)) error {
	err := u.store.Commit(func(w Writer) error {
		for _, r := range u.rows {
			w.Put(r.key, r.value)
		}
		more(w)
		return nil
	})
	u.rows, u.bytes = u.rows[:0], 0
	return err
}

// finish commits what is left. When the timers are is not known: each bin is to be read at once.
//
//nudge:unordered every row has a key of its own
func (u *upgrader) finish(m meta) error {
	m.Format = checkpointFormat
	return u.commit(func(w Writer) {
		for place := range u.bins {
			w.Put(hintKey(place), new(hintBlock).append(nil))
		}
		w.Put([]byte{tableMeta}, mustJSON(m))
		for _, table := range []byte{tableKeysByGroup, tableVisitorsByGroup, tableUsersByGroup} {
			w.DeleteRange([]byte{table}, []byte{table + 1})
		}
	})
}

// pers are the kinds of keys by their numbers.
//
//nudge:unordered the loop turns a map around
func (d *deployRow) pers() map[uint16]string {
	pers := map[uint16]string{}
	for per, num := range d.Scopes {
		pers[num] = per
	}
	return pers
}
