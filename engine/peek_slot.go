package engine

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"time"

	"nudge"
	"nudge/rules"
)

// Instant is a time that is written for people.
type Instant nudge.Millis

// MarshalText writes it as RFC 3339.
func (i Instant) MarshalText() ([]byte, error) {
	return time.UnixMilli(int64(i)).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z07:00"), nil
}

// slot makes a slot readable. text is what its number stands for: "" where no rule that runs uses it.
func (c *Checkpoint) slot(text, per string, b []byte) SlotState {
	st := SlotState{What: "nothing that runs", Bytes: len(b), Holds: hex.EncodeToString(b)}
	parts := strings.SplitN(text, "\x00", 3)
	switch len(parts) {
	case 2: // a cooldown belongs to a rule, whatever its keys are
		st.What, st.Of = parts[0], parts[1]
		st.Holds = newestState{Instant(sinceNewest(b))}
	case 3:
		st.What, st.Of, st.Past = parts[1], parts[2], parts[0] != per
		st.Holds = c.holds(st.What, b)
	}
	return st
}

type (
	newestState struct {
		Newest Instant `json:"newest"`
	}
	timesState struct {
		Times []Instant `json:"times"` // oldest first
	}
	valueState struct {
		At    Instant `json:"at"`
		Value any     `json:"value"`
	}
	valuesState struct {
		Values []valueState `json:"values"` // newest first
	}
	totalState struct {
		Events uint64 `json:"events"`
	}
	tallyState struct {
		Numbers uint64  `json:"numbers"`
		Sum     float64 `json:"sum"`
		Least   float64 `json:"least"`
		Most    float64 `json:"most"`
	}
	numbersState struct {
		Numbers []valueState `json:"numbers"` // oldest first
		Dropped *Instant     `json:"newest_dropped,omitempty"`
	}
	scoreState struct {
		At     Instant `json:"at"`
		Points float64 `json:"points"`
	}
	waitingState struct {
		State     string         `json:"state"` // idle, open, pulsed
		NewestEnd *Instant       `json:"newest_end,omitempty"`
		Started   *Instant       `json:"started,omitempty"`
		Deadline  *Instant       `json:"deadline,omitempty"`
		Visitor   string         `json:"visitor,omitempty"`
		Kept      map[string]any `json:"kept,omitempty"` // fields of the event that started it
	}
	partialState struct {
		Step   int     `json:"step"` // from 1: the last one that has happened
		First  Instant `json:"first"`
		Newest Instant `json:"newest"`
	}
	sequenceState struct {
		Partials []partialState `json:"partials"`
	}
)

// holds is what the slot of an operator, or of a pool, holds.
func (c *Checkpoint) holds(what string, b []byte) any {
	switch what {
	case opName[rules.OpCount], "limit":
		st := timesState{}
		for i := range ring(b).len() {
			st.Times = append(st.Times, Instant(ring(b).at(i)))
		}
		return st
	case opName[rules.OpTotal]:
		return totalState{readTotal(b)}
	case opName[rules.OpDistinct]:
		st := valuesState{}
		for i := range distinctSet(b).len() {
			id := [16]byte(distinctSet(b).value(i))
			st.Values = append(st.Values, valueState{Instant(distinctSet(b).at(i)), valueOfID(id)})
		}
		return st
	case opName[rules.OpValues]:
		st, header := valuesState{}, entryHeader(b)
		for rest := valueEntries(b); len(rest) > 0; {
			at := Instant(binary.LittleEndian.Uint64(rest))
			var v nudge.Value
			v, rest = readValue(rest[header:])
			st.Values = append(st.Values, valueState{at, readable(v)})
		}
		return st
	case opName[rules.OpFirst], opName[rules.OpSince]:
		return newestState{Instant(sinceNewest(b))}
	case opName[rules.OpLast]:
		return valueState{Instant(lastTime(b)), readable(lastValue(b))}
	case opName[rules.OpScore]:
		return scoreState{Instant(score(b).at()), score(b).sum()}
	case opName[rules.OpNumbers]:
		return numbersHolds(b)
	case opName[rules.OpTally]:
		return tallyHolds(b)
	case opName[rules.OpAbsent], opName[rules.OpDwell]:
		return c.waitHolds(b)
	case opName[rules.OpSequence]:
		return sequenceHolds(b)
	}
	return hex.EncodeToString(b)
}

// readable is a value as JSON has it.
func readable(v nudge.Value) any { return json.RawMessage(v.AppendJSON(nil)) }

// valueOfID is the value that an entry of a distinct stands for; of a long one, and of one that was erased, only a hash is known.
func valueOfID(id [16]byte) any {
	switch n := id[0]; {
	case n == 0x20:
		return readable(nudge.NumberValue(math.Float64frombits(binary.LittleEndian.Uint64(id[1:]))))
	case n == 0x30:
		return id[1] != 0
	case n <= shortText && allZero(id[1+n:]):
		return string(id[1 : 1+n])
	}
	return "hash " + hex.EncodeToString(id[:])
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func numbersHolds(n numbers) any {
	st := numbersState{}
	for i := range n.len() {
		v := float64(int64(binary.LittleEndian.Uint64(n.entry(i)[8:]))) / rules.Micro
		st.Numbers = append(st.Numbers, valueState{Instant(n.at(i)), v})
	}
	if at, ok := n.dropped(); ok {
		dropped := Instant(at)
		st.Dropped = &dropped
	}
	return st
}

func tallyHolds(b []byte) any {
	var sum totals
	sum.read(b)
	return tallyState{sum.n, sum.sum.over(rules.Micro), float64(sum.least) / rules.Micro, float64(sum.most) / rules.Micro}
}

func sequenceHolds(q sequence) any {
	st := sequenceState{}
	for i := range (len(q) - sequenceHeader) / partialBytes {
		if q.stands(i) {
			st.Partials = append(st.Partials, partialState{i + 1, Instant(q.first(i)), Instant(q.newest(i))})
		}
	}
	return st
}

func (c *Checkpoint) waitHolds(w wait) any {
	st := waitingState{State: map[byte]string{waitIdle: "idle", waitOpen: "open", waitPulsed: "pulsed"}[w[0]]}
	if w[1]&flagEnd != 0 {
		end := Instant(w.newestEnd())
		st.NewestEnd = &end
	}
	if w[0] == waitIdle {
		return st
	}
	started, deadline := Instant(w.startTs()), Instant(w.deadline())
	st.Started, st.Deadline = &started, &deadline
	st.Visitor, st.Kept = c.kept(w.kept())
	return st
}

// kept is what a wait keeps of the event that opened it; a field that no rule uses any more has no name.
func (c *Checkpoint) kept(b []byte) (visitor string, fields map[string]any) {
	n := 2 + int(binary.LittleEndian.Uint16(b))
	visitor, b = string(b[2:n]), b[n:]
	for len(b) > 0 {
		hash := binary.LittleEndian.Uint64(b)
		var v nudge.Value
		v, b = readValue(b[8:])
		if slot, ok := c.plan.program.fieldSlots[hash]; ok {
			if fields == nil {
				fields = map[string]any{}
			}
			fields[c.plan.options.Names.Text(c.plan.program.plan.Fields[slot])] = readable(v)
		}
	}
	return visitor, fields
}
