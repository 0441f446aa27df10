package state

import (
	"encoding/binary"
	"fmt"

	"nudge"
)

// A segment has name ids of its own: those below nudge.FirstFreeName mean the same everywhere, the others are given out from there in order of
// first use, and defined by the entry that uses them first. So a segment stands alone: it can be read, copied or rewritten without any other.

// nameWriter translates the process's ids to the segment's.
type nameWriter struct {
	names *nudge.Names
	ids   []nudge.NameID // by process id; NameNone: not used in this segment yet
	used  []nudge.NameID // process ids in order of their segment ids
	mark  int            // used[mark:] are the entry's own definitions
	err   error
	mapID func(nudge.NameID) nudge.NameID // toSegment, bound once
}

func (t *nameWriter) init(names *nudge.Names) {
	t.names = names
	t.mapID = t.toSegment
}

// reset begins a segment. used holds the process ids that it already defines.
func (t *nameWriter) reset(used []nudge.NameID) {
	clear(t.ids)
	t.used = t.used[:0]
	for _, id := range used {
		if id < otherNames {
			t.give(id)
		} else {
			t.used = append(t.used, id) // nothing that is to be written has it
		}
	}
	t.begin()
}

// begin begins an entry: what was used so far counts as defined.
func (t *nameWriter) begin() { t.mark, t.err = len(t.used), nil }

// undo takes the entry's own definitions back.
func (t *nameWriter) undo() {
	for _, id := range t.used[t.mark:] {
		t.ids[id] = nudge.NameNone
	}
	t.used = t.used[:t.mark]
}

func (t *nameWriter) fresh() bool { return len(t.used) > t.mark }

func (t *nameWriter) toSegment(id nudge.NameID) nudge.NameID {
	if id < nudge.FirstFreeName {
		return id
	}
	if int(id) < len(t.ids) && t.ids[id] != nudge.NameNone {
		return t.ids[id]
	}
	if text := t.names.Text(id); text == "" || len(text) > nudge.MaxNameBytes {
		t.err = fmt.Errorf("name id %d stands for %.300q: a name has 1 to %d bytes", id, text, nudge.MaxNameBytes)
		return id
	}
	return t.give(id)
}

func (t *nameWriter) give(id nudge.NameID) nudge.NameID {
	if need := int(id) + 1; need > len(t.ids) {
		t.ids = append(t.ids, make([]nudge.NameID, max(need, t.names.Len())-len(t.ids))...)
	}
	seg := nudge.FirstFreeName + nudge.NameID(len(t.used))
	t.ids[id] = seg
	t.used = append(t.used, id)
	return seg
}

// appendDefinitions appends: uvarint first segment id, uvarint how many, then of each uvarint length and text.
func (t *nameWriter) appendDefinitions(dst []byte) []byte {
	own := t.used[t.mark:]
	dst = binary.AppendUvarint(dst, uint64(nudge.FirstFreeName)+uint64(t.mark))
	dst = binary.AppendUvarint(dst, uint64(len(own)))
	for _, id := range own {
		text := t.names.Text(id)
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		dst = append(dst, text...)
	}
	return dst
}

// nameReader translates the segment's ids to the process's.
type nameReader struct {
	names *nudge.Names
	ids   []nudge.NameID // process ids in order of their segment ids
	other []string       // the names for which the process has no room; the first one's id is otherNames
	err   error
	mapID func(nudge.NameID) nudge.NameID // toProcess, bound once
	spell func(nudge.NameID) string       // otherName, bound once
}

// otherNames is the first of the ids that a reader gives to names for which the process has no room. No record leaves it with one.
const otherNames nudge.NameID = 1 << 31

func (t *nameReader) init(names *nudge.Names) {
	t.names = names
	t.mapID, t.spell = t.toProcess, t.otherName
}

// reset begins a segment.
func (t *nameReader) reset() {
	clear(t.other)
	t.ids, t.other, t.err = t.ids[:0], t.other[:0], nil
}

// otherName is the name of an id of otherNames, "" of every other id.
func (t *nameReader) otherName(id nudge.NameID) string {
	if id < otherNames {
		return ""
	}
	return t.other[id-otherNames]
}

func (t *nameReader) toProcess(id nudge.NameID) nudge.NameID {
	if id < nudge.FirstFreeName {
		return id
	}
	if i := int(id - nudge.FirstFreeName); i < len(t.ids) {
		return t.ids[i]
	}
	if t.err == nil {
		t.err = fmt.Errorf("name id %d is used before it is defined", id)
	}
	return id
}

// define reads the definitions at the start of b and returns what is behind them.
func (t *nameReader) define(b []byte) (rest []byte, err error) {
	first, b, ok1 := uvarint(b)
	count, b, ok2 := uvarint(b)
	if next := uint64(nudge.FirstFreeName) + uint64(len(t.ids)); !ok1 || !ok2 || first != next {
		return nil, fmt.Errorf("name definitions begin with id %d, %d is next", first, next)
	}
	for i := range count {
		var n uint64
		var ok bool
		if n, b, ok = uvarint(b); !ok || n == 0 || n > nudge.MaxNameBytes || n > uint64(len(b)) {
			return nil, fmt.Errorf("the definition of name id %d does not fit", first+i)
		}
		name := string(b[:n])
		id, ok := t.names.Meet(name)
		if !ok {
			id = otherNames + nudge.NameID(len(t.other))
			t.other = append(t.other, name)
		}
		t.ids = append(t.ids, id)
		b = b[n:]
	}
	return b, nil
}
