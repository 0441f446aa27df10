package engine

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"nudge"
	"nudge/rules"
)

// instant places what happens in time: timers of a millisecond before its records, records by offset.
type instant struct {
	at    nudge.Millis
	timer bool
	off   nudge.Offset // the record's; of a timer that of the record that makes it run
}

// stamp places what an event brings among what other keys took: of those that share an instant none is before the other.
type stamp uint64

func (a instant) stamp() stamp {
	if a.timer {
		return stamp(2 * a.off)
	}
	return stamp(2*a.off + 1)
}

func (a instant) compare(b instant) int {
	if c := cmp.Compare(a.at, b.at); c != 0 {
		return c
	}
	if a.timer != b.timer {
		if a.timer {
			return -1
		}
		return 1
	}
	return cmp.Compare(a.off, b.off)
}

// input is one thing that a key takes: a record, or a fired event of a rule below. Derived from the log, never logged.
type input struct {
	when  instant
	scope int
	hash  nudge.KeyHash
	key   string
	row   *rules.Row
	met   *met   // what the row means to each scope
	entry uint32 // the key's entry if it was looked up before, else noEntry
	rec   int32  // index of the record in the batch; of a fired event of a timer's chain -1
	from  *fired // nil: the record itself

	source nudge.KeyHash // of the primary key of the event that brought it, see Firing.Source
	past   []byte        // of a user at an identifying event: what the visitor did before, a record of table.go; else nil
}

// compareInputs orders what comes up to a level: by instant, the record itself before what was fired by it, and that by kind, key
// and order of settling at the key below (I2, I4).
func compareInputs(a, b input) int {
	if c := a.when.compare(b.when); c != 0 {
		return c
	}
	if a.from == nil || b.from == nil {
		switch {
		case a.from == nil && b.from == nil:
			return 0
		case a.from == nil:
			return -1
		}
		return 1
	}
	if planted(bugAddress) {
		return strings.Compare(fmt.Sprintf("%p", a.row), fmt.Sprintf("%p", b.row))
	}
	if c := cmp.Compare(a.from.kind, b.from.kind); c != 0 {
		return c
	}
	if c := strings.Compare(a.from.key, b.from.key); c != 0 {
		if planted(bugOrder) {
			return -c
		}
		return c
	}
	return cmp.Compare(a.from.n, b.from.n)
}

// gather collects what the shards sent to one shard of a level, in order. Between inputs of one record for different keys the
// order does not matter.
func (e *Engine) gather(level int, to nudge.ShardID, dst []input) []input {
	for _, s := range e.shards {
		dst = append(dst, s.out[level][to]...)
	}
	if !e.unsorted && !planted(bugUnsorted) && !inOrder(dst) {
		slices.SortStableFunc(dst, compareInputs)
	}
	return dst
}

// inOrder says whether inputs are sorted as they are, as those of one shard mostly are.
func inOrder(in []input) bool {
	for i := 1; i < len(in); i++ {
		a, b := &in[i-1], &in[i]
		if c := a.when.compare(b.when); c > 0 || c == 0 && compareInputs(*a, *b) > 0 {
			return false
		}
	}
	return true
}

// fired is a delivered firing as an event for other rules.
type fired struct {
	kind nudge.Kind
	key  string
	n    uint32 // order of settling at the key
	path []byte
	id   string

	rule                   string
	visitor, user, company string // of its first cause
	row                    *rules.Row
	met                    *met
	when                   instant
	source                 nudge.KeyHash
}

// A path is a firing's place among all firings: the instant, for a timer its key, then kind, key, order of settling for each
// firing on the way. Paths are compared as bytes, so that a line is followed by those that its fired caused.

// Paths are needed until the batch's firings are merged, so they lie in one buffer for each batch.

func (s *shard) rootPath(w instant, kind nudge.Kind, per, key string) []byte {
	from := len(s.paths)
	p := binary.BigEndian.AppendUint64(s.paths, uint64(w.at)^1<<63)
	if w.timer {
		p = append(p, 0, byte(kind))
		p = appendOrdered(appendOrdered(p, per), key)
	} else {
		p = append(p, 1)
		p = binary.BigEndian.AppendUint64(p, uint64(w.off))
	}
	s.paths = p
	return p[from:len(p):len(p)]
}

func (s *shard) hopPath(parent []byte, kind nudge.Kind, per, key string, n uint32) []byte {
	from := len(s.paths)
	p := append(s.paths, parent...)
	p = append(p, byte(kind))
	p = appendOrdered(p, per) // an other key is the per as written and the text, in this order
	p = appendOrdered(p, key)
	p = binary.BigEndian.AppendUint32(p, n)
	s.paths = p
	return p[from:len(p):len(p)]
}

// appendOrdered appends a text so that a shorter one comes before those that begin with it, whatever follows.
func appendOrdered(p []byte, s string) []byte {
	for {
		zero := strings.IndexByte(s, 0)
		if zero < 0 {
			return append(append(p, s...), 0, 0)
		}
		p = append(append(p, s[:zero+1]...), 0xff)
		s = s[zero+1:]
	}
}
