package engine

import (
	"strings"

	"nudge"
)

// notePosition keeps the newest position of its owner. A position is a record like any other: it is applied when it is durable, and a
// checkpoint holds it together with the state of the events that were logged with it (I3).
func (e *Engine) notePosition(rec nudge.Record) {
	name, place := rec.Position()
	e.positions[strings.Clone(name)] = strings.Clone(place)
}

// freezePositions puts all positions into a checkpoint; there are a handful.
//
//nudge:unordered every row has a key of its own
func (e *Engine) freezePositions(c *checkpoint) {
	for name, place := range e.positions {
		c.put(append([]byte{tablePositions}, name...), []byte(place))
	}
}

func (e *Engine) restorePositions(st Store) error {
	return st.Scan([]byte{tablePositions}, []byte{tablePositions + 1}, func(key, value []byte) error {
		e.positions[string(key[1:])] = string(value)
		return nil
	})
}

// Position is where name stands in the log, "" if it has never been anywhere. It may be asked between Recover and Run: afterwards its owner
// knows better.
func (n *Node) Position(name string) string { return n.engine.positions[name] }
