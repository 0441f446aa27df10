package engine

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"

	"nudge"
	"nudge/rules"
)

// appendSources appends the sources of the values that uses read at an instant, each once.
func (s *shard) appendSources(dst []nudge.KeyHash, k *keyRef, uses []rules.Use, at nudge.Millis) []nudge.KeyHash {
	add := func(source nudge.KeyHash) {
		if source > noSource && !slices.Contains(dst, source) {
			dst = append(dst, source)
		}
	}
	for i := range uses {
		op := &s.program.plan.Ops[uses[i].Op]
		slot := k.t.slot(k.i, s.program.nums[uses[i].Op])
		switch {
		case slot == nil:
		case op.Kind == rules.OpLast:
			add(lastSource(slot))
		case op.Kind == rules.OpValues:
			header, expired := entryHeader(slot), expiredAt(at, uses[i].Window)
			for rest := valueEntries(slot); len(rest) > 0 && nudge.Millis(binary.LittleEndian.Uint64(rest)) > expired; {
				add(entrySource(rest, header))
				rest = rest[header+valueBytes(rest[header:]):]
			}
		}
	}
	return dst
}

// fired says whether a firing goes with the person, or the company: it is of one of its keys, for one of its visitors, or an event of it is the cause.
func (p *person) fired(f *nudge.Firing) bool {
	switch {
	case p.brought(f.Source), p.isVisitor(f.Visitor):
		return true
	case f.Kind == nudge.KindVisitor:
		return p.isVisitor(f.Key)
	case f.Kind == nudge.KindUser:
		return p.isUser(f.Key)
	case f.Kind == nudge.KindCompany:
		return p.isCompany(f.Key)
	case f.Kind == nudge.KindOther:
		return perNamesPersons(f.Per) && p.isForm(f.Key)
	}
	return false
}

// perNamesPersons says whether the keys of an other kind are texts of visitors, users or mail addresses.
func perNamesPersons(per string) bool {
	return slices.ContainsFunc([]string{scopeVisitor, scopeUser, scopeMail}, func(field string) bool { return strings.Contains(per, field) })
}

// redact takes what names the person, or was brought by one of its events, out of the actions of a firing that stays, and says whether there was
// anything. Which of an action's texts an event brought is not known: then all go.
func (p *person) redact(f *nudge.Firing) (changed bool) {
	all := slices.ContainsFunc(f.Sources, p.brought)
	actions := slices.Clone(f.Actions) // the firing's own may be read at this moment
	for i := range actions {
		a := &actions[i]
		if (all || p.names(a.Name)) && a.Kind == nudge.ActionAlert && a.Name != "" {
			a.Name, changed = "", true
		}
		if data, named := p.redactJSON(a.Data); all && string(a.Data) != "{}" {
			a.Data, changed = json.RawMessage("{}"), true
		} else if named {
			a.Data, changed = data, true
		}
	}
	if changed {
		f.Actions = actions
	}
	return changed
}

// names says whether a text, or one of its words, names the person.
func (p *person) names(text string) bool {
	return p.isForm(text) || slices.ContainsFunc(strings.FieldsFunc(text, isBetweenWords), func(word string) bool {
		return p.isForm(word) || p.isForm(strings.TrimRight(word, "."))
	})
}

func isBetweenWords(r rune) bool { return strings.ContainsRune(" \t\n,;:!()[]<>\"'/|=&?#", r) }

// redactJSON makes null of the texts of an action's data that name the person.
func (p *person) redactJSON(data []byte) (redacted []byte, named bool) {
	rest := data
	for {
		from := bytes.IndexByte(rest, '"')
		if from < 0 {
			break
		}
		size := stringBytes(rest[from:])
		quoted := rest[from : from+size]
		redacted, rest = append(redacted, rest[:from]...), rest[from+size:]
		var text string
		isKey := bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte{':'})
		if err := json.Unmarshal(quoted, &text); !isKey && err == nil && p.names(text) {
			redacted, named = append(redacted, "null"...), true
		} else {
			redacted = append(redacted, quoted...)
		}
	}
	return append(redacted, rest...), named
}

// stringBytes is the length of the JSON string at the beginning of b.
func stringBytes(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}
