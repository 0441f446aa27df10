package sim

import (
	"fmt"
	"strings"

	"nudge"
	"nudge/rules"
)

// ledger is what the log holds as the world knows it: it is written before each append, and what a crash took is struck out.
type ledger struct {
	facts []fact // at index offset − 1
}

// fact is what matters of one record.
type fact struct {
	at     nudge.Millis
	kind   nudge.RecordKind
	event  int      // its u; −1 for any other record
	rules  []string // of a deployment: ids of its rules, ascending
	goLive nudge.Offset
	erases erasure
}

// field names of ours, beside those of the generated events.
const (
	fieldUnique = "u"
)

func (f fact) same(g fact) bool {
	return f.at == g.at && f.kind == g.kind && f.event == g.event && fmt.Sprint(f.rules, f.goLive, f.erases) == fmt.Sprint(g.rules, g.goLive, g.erases)
}

// factsOf reads an entry of the log.
func factsOf(e nudge.Entry, names *nudge.Names) (facts []fact, err error) {
	unique, _ := names.Find(fieldUnique)
	rest := e.Records
	for range e.Count {
		var rec nudge.Record
		if rec, rest, err = nudge.NextRecord(rest); err != nil {
			return nil, err
		}
		f := fact{at: e.At, kind: rec.Kind(), event: -1}
		switch f.kind {
		case nudge.RecordEvent:
			u := rec.Field(unique)
			if u.Kind != nudge.Number {
				return nil, fmt.Errorf("the event at offset %d has lost its number", e.First+nudge.Offset(len(facts)))
			}
			f.event = int(u.Num)
		case nudge.RecordDeploy:
			sources, err := rules.DecodeSources(strings.Clone(rec.Field(nudge.NameRule).Text)) // the record goes with its buffer
			if err != nil {
				return nil, err
			}
			for _, s := range sources {
				f.rules = append(f.rules, ruleID(s.File))
			}
		case nudge.RecordErase:
			if f.erases, err = erasureOf(rec); err != nil {
				return nil, err
			}
		case nudge.RecordLive:
			if f.goLive, err = deploymentOf(rec); err != nil {
				return nil, err
			}
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// append notes an entry that is about to be appended.
func (l *ledger) append(first nudge.Offset, facts []fact) error {
	if int(first) != len(l.facts)+1 {
		return fmt.Errorf("offset %d is appended behind offset %d", first, len(l.facts))
	}
	l.facts = append(l.facts, facts...)
	return nil
}

// cut strikes out what the log does not hold any more from next on.
func (l *ledger) cut(next nudge.Offset) { l.facts = l.facts[:min(len(l.facts), int(next)-1)] }

// events counts the records that are events.
func (l *ledger) events() (n int) {
	for _, f := range l.facts {
		if f.event >= 0 {
			n++
		}
	}
	return n
}

// offsets are where an event stands, each time that it was taken.
func (l *ledger) offsets(event int) (at []nudge.Offset) {
	for i, f := range l.facts {
		if f.event == event {
			at = append(at, nudge.Offset(i+1))
		}
	}
	return at
}
