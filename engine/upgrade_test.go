package engine

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"nudge"
	"nudge/internal/oracle"
)

// byGroup makes the store one as format 3 had it.
func (m *memStore) byGroup(t *testing.T) {
	t.Helper()
	var was meta
	if err := json.Unmarshal(m.rows[string([]byte{tableMeta})], &was); err != nil {
		t.Fatal(err)
	}
	was.Format = formatByGroup
	m.rows[string([]byte{tableMeta})] = mustJSON(was)
	m.DeleteRange([]byte{tableHints}, []byte{tableHints + 1})
	old := map[byte]byte{tableKeys: tableKeysByGroup, tableVisitors: tableVisitorsByGroup, tableUsers: tableUsersByGroup}
	for key, row := range m.rows {
		table, ok := old[key[0]]
		if !ok {
			continue
		}
		rest, scope := key[1:], ""
		if key[0] == tableKeys {
			scope, rest = rest[:2], rest[2:]
		}
		group := binary.BigEndian.AppendUint16([]byte{table}, binary.BigEndian.Uint16([]byte(rest))>>4)
		m.rows[string(group)+scope+rest[hashBytes:]] = row
		delete(m.rows, key)
	}
}

// TestUpgrade restarts over stores of format 3, and wants the same firings; also where an upgrade had begun before and was not finished.
func TestUpgrade(t *testing.T) {
	upgraded := 0
	for seed := *firstSeed; seed < *firstSeed+20; seed++ {
		set, lines := generate(seed, streamLength)
		o := oracle.RandomOptions(seed)
		s := newStream(t, set, lines, o)
		want := text(s.firings(t, run{shards: 1, batch: 1, drain: o.Drain}))
		r := rand.New(rand.NewPCG(seed, 96))
		v := run{shards: 2, batch: 7, drain: o.Drain, restarts: randomRestarts(r, 3, len(s.records))}
		v.stopped = func(st *memStore) {
			st.byGroup(t)
			for key := range st.rows {
				if upgraded++; upgraded%3 == 0 && strings.IndexByte("kvu", key[0]) >= 0 {
					st.Put([]byte(strings.ToUpper(key[:1])+"left behind by an upgrade"), []byte("x"))
				}
			}
		}
		if got := text(s.firings(t, v)); got != want {
			t.Fatalf("%v differs from one engine\n%s\n%s", v, difference(got, want), repeat(t, seed, set, lines))
		}
	}
	if upgraded == 0 {
		t.Fatal("nothing was upgraded")
	}
}

// TestUpgradeIsTheServers: who only looks at a store of format 3 is told what to do.
func TestUpgradeIsTheServers(t *testing.T) {
	_, st := manyKeys(t, 10, 1)
	st.byGroup(t)
	if _, err := OpenCheckpoint(st, nudge.NewNames()); err == nil || !strings.Contains(err.Error(), "a server of this build") {
		t.Errorf("%v", err)
	}
}
