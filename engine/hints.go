package engine

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"nudge"
)

// Timers are not stored, as a key's next one follows from its slots. A bin that nobody has read after a restart has some all the same. So a checkpoint
// holds a hint for each bin: an instant before which none of its keys has anything due. A hint may be too early, and is then found to be
// nothing; it is never too late. A restarted node has read a bin before log time gets to its hint (readDue).
//
// Hints are worked out afresh for each checkpoint, in steps between batches, by a sweep over all entries. What changes an entry's timer meanwhile
// notes first what it was: the checkpoint is about the instant at which it began (I3).

// hintBlock are the hints of the bins of one group and one scope: never where no key waits.
type hintBlock [groupBins]nudge.Millis

const hintBytes = 8 * groupBins

// hintMaker works out the hints of a shard's bins.
type hintMaker struct {
	blocks map[uint32]*hintBlock // by scope's number << 16 | group
	level  int                   // where the sweep is
	at     uint32
}

func hintPlace(scope uint16, group int) uint32 { return uint32(scope)<<16 | uint32(group) }

// note makes the hint of a key's bin no later than an instant.
func (m *hintMaker) note(hash nudge.KeyHash, scope uint16, due nudge.Millis) {
	if due == never {
		return
	}
	place := hintPlace(scope, hash.Group())
	b := m.blocks[place]
	if b == nil {
		b = new(hintBlock)
		for i := range b {
			b[i] = never
		}
		m.blocks[place] = b
	}
	b[binOf(hash)] = min(b[binOf(hash)], due)
}

// noteDue is called before an entry's timer becomes another.
func (t *table) noteDue(e *entry) {
	if t.hints != nil && !planted(bugHintLate) {
		t.hints.note(e.hash, e.scope, e.due)
	}
}

// beginHints begins to work out the hints of a checkpoint. Those of bins that nobody has read stay.
func (s *shard) beginHints() {
	s.hints = &hintMaker{blocks: map[uint32]*hintBlock{}}
	for i := range s.dues {
		if d := &s.dues[i]; d.of.has(d.hash) {
			s.hints.note(d.hash, d.scope, d.due)
		}
	}
	for l := range s.tables {
		s.tables[l].hints = s.hints
	}
}

// hintStep is how many entries the sweep passes for each key that a step may serialise: it looks at no more than a cache line of each.
const hintStep = 32

// sweepHints goes on with up to n entries, and says whether it has passed all.
func (s *shard) sweepHints(n int) (done bool) {
	m := s.hints
	if m == nil {
		return true
	}
	for ; m.level < levels; m.level, m.at = m.level+1, 0 {
		t := &s.tables[m.level]
		for ; m.at < t.count; m.at++ {
			if n--; n < 0 {
				return false
			}
			e := t.entry(m.at)
			m.note(e.hash, e.scope, e.due)
		}
	}
	return true
}

// takeHints are the rows of the hints that are others than before. A row without a value goes.
//
//nudge:unordered a checkpoint sorts its rows
func (s *shard) takeHints() (rows []row) {
	if s.hints == nil {
		return nil
	}
	for place := range s.hinted {
		if s.hints.blocks[place] == nil {
			rows = append(rows, row{key: hintKey(place)})
		}
	}
	for place, b := range s.hints.blocks {
		if was := s.hinted[place]; was == nil || *was != *b {
			rows = append(rows, row{hintKey(place), b.append(nil)})
		}
	}
	s.hinted, s.hints = s.hints.blocks, nil
	for l := range s.tables {
		s.tables[l].hints = nil
	}
	if planted(bugHintLost) {
		return nil
	}
	return rows
}

func hintKey(place uint32) []byte { return binary.BigEndian.AppendUint32([]byte{tableHints}, place) }

func (b *hintBlock) append(dst []byte) []byte {
	for _, due := range b {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(due))
	}
	return dst
}

// dueBin is a bin that has to be read before log time gets to an instant.
type dueBin struct {
	due   nudge.Millis
	hash  nudge.KeyHash // of the bin, with zeros behind its bits
	scope uint16
	of    *unread
}

// restoreHints reads which bins have to be read when.
func (e *Engine) restoreHints(st Store) error {
	for _, s := range e.shards {
		s.hinted = map[uint32]*hintBlock{}
	}
	err := st.Scan([]byte{tableHints}, []byte{tableHints + 1}, func(key, value []byte) error {
		if len(key) != 5 || len(value) != hintBytes {
			return fmt.Errorf("checkpoint: the row of hints %x has %d bytes, not %d", key, len(value), hintBytes)
		}
		place := binary.BigEndian.Uint32(key[1:])
		scope, group := uint16(place>>16), nudge.KeyHash(uint16(place))
		s := e.shards[(group << 52).Shard(len(e.shards))]
		t, b := &s.tables[levelOfNumber(scope)], new(hintBlock)
		for i := range b {
			if b[i] = nudge.Millis(binary.LittleEndian.Uint64(value[8*i:])); b[i] != never && int(scope) < len(t.unread) {
				s.dues = append(s.dues, dueBin{b[i], group<<52 | nudge.KeyHash(i)<<(64-binBits), scope, t.unread[scope]})
			}
		}
		s.hinted[place] = b
		return nil
	})
	for _, s := range e.shards {
		slices.SortFunc(s.dues, func(a, b dueBin) int { return cmp.Compare(a.due, b.due) })
	}
	return err
}

// dueSoon is how far ahead of log time bins are read for their timers, before others.
const dueSoon = nudge.Millis(2000)

// readDue reads the bins that may have a timer due by then, up to limit, and says whether there were any.
func (s *shard) readDue(until nudge.Millis, limit int) (some bool) {
	n := 0
	for ; n < len(s.dues) && s.dues[n].due <= until && limit > 0; n++ {
		if d := &s.dues[n]; d.of.has(d.hash) {
			d.of.want(d.hash)
			some = true
			limit--
		}
	}
	if s.dues = s.dues[n:]; some {
		for l := range s.tables {
			s.tables[l].readWantedBins()
		}
	}
	return some
}

// readDue reads the bins of all shards that may have a timer due by then.
func (e *Engine) readDue(until nudge.Millis) {
	if e.unread == nil {
		return
	}
	n := 0
	for _, s := range e.shards {
		for i := 0; i < len(s.dues) && s.dues[i].due <= until && n < smallBatch; i++ {
			n++
		}
	}
	if n > 0 {
		e.onEveryShard(n*fewReads, func(s *shard) { s.readDue(until, groupBins<<binBits) })
	}
}

// nextTimer is the earliest due time of the shard. Bins that may have an earlier one than is in memory are read.
func (s *shard) nextTimer() nudge.Millis {
	for {
		due := never
		for l := range s.tables {
			due = min(due, s.tables[l].nextDue())
		}
		if len(s.dues) == 0 || s.dues[0].due >= due {
			return due
		}
		s.readDue(max(s.dues[0].due, s.engine.clock), binsAtOnce)
	}
}
