package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"nudge"
	"nudge/internal/oracle"
)

// gone are those who are erased, in the order of the log, as far as the oracle knows who was whom.
type gone []oracle.Person

func (w *world) gone() (all gone) {
	if !w.erases {
		return nil
	}
	o := w.options
	o.Erased = (*[]oracle.Person)(&all)
	if _, err := oracle.Run(nil, w.stream(), o); err != nil {
		w.problem("the oracle: %v", err)
	}
	return all
}

// stream is the log as the oracle reads it.
func (w *world) stream() []string {
	lines := make([]string, len(w.ledger.facts))
	for i, f := range w.ledger.facts {
		switch {
		case f.event >= 0:
			lines[i] = fmt.Sprintf(`{"at":%d,%s`, f.at, strings.TrimPrefix(w.line(f.event), "{"))
		case f.kind == nudge.RecordErase:
			lines[i] = fmt.Sprintf(`{"at":%d,"erase":%q,"key":%q}`, f.at, f.erases.kind, w.asked[f.erases].id)
		}
	}
	return lines
}

// sent says whether the event at an offset is somebody's who was erased after it.
func (g gone) sent(off nudge.Offset, line string) bool {
	n := namesIn(line)
	return slices.ContainsFunc(g, func(p oracle.Person) bool {
		switch {
		case off >= p.Line:
			return false
		case n.visitor != "" && slices.Contains(p.Visitors, n.visitor):
			return true
		case n.user != "":
			return slices.Contains(p.Users, n.user)
		case n.mail != "":
			return slices.Contains(p.Users, strings.ToLower(n.mail))
		}
		return n.visitor == "" && n.company != "" && n.company == p.Company
	})
}

// hides says whether a firing is gone from the feed.
func (g gone) hides(f *nudge.Firing) bool {
	return slices.ContainsFunc(g, func(p oracle.Person) bool { return f.Cursor.Offset <= p.Line && isOf(f, &p) })
}

// isOf says whether a firing goes with a person or a company: it is of one of its keys, for one of its visitors, or an event of it is the cause.
func isOf(f *nudge.Firing, p *oracle.Person) bool {
	if brought(f.Source, p) || slices.Contains(p.Visitors, f.Visitor) {
		return true
	}
	switch f.Kind {
	case nudge.KindVisitor:
		return slices.Contains(p.Visitors, f.Key)
	case nudge.KindUser:
		return slices.Contains(p.Users, f.Key)
	case nudge.KindCompany:
		return f.Key == p.Company
	}
	isPersons := strings.Contains(f.Per, "visitor") || strings.Contains(f.Per, "user") || strings.Contains(f.Per, "email")
	return isPersons && slices.Contains(p.Forms, f.Key)
}

// brought says whether a source is an event of a person or a company.
func brought(source nudge.KeyHash, p *oracle.Person) bool {
	return slices.ContainsFunc(p.Sources, func(s string) bool {
		kind, id, _ := strings.Cut(s, ":")
		return nudge.HashKey(strings.Replace(kind, "mail", "email", 1), id) == source
	})
}

// shown is a firing as the feed shows it: without what it says of those who are gone, and without data that their events brought.
func (g gone) shown(f nudge.Firing) string {
	f.Actions = slices.Clone(f.Actions)
	for i := range f.Actions {
		a := &f.Actions[i]
		var data any
		if err := json.Unmarshal(a.Data, &data); err != nil {
			return fmt.Sprintf("%s: %v", a.Data, err)
		}
		for _, p := range g {
			isAlert := a.Kind == nudge.ActionAlert
			switch {
			case f.Cursor.Offset > p.Line:
			case slices.ContainsFunc(f.Sources, func(s nudge.KeyHash) bool { return brought(s, &p) }):
				data = map[string]any{}
				if isAlert {
					a.Name = ""
				}
			default:
				data = withoutNames(data, &p)
				if isAlert && says(a.Name, &p) {
					a.Name = ""
				}
			}
		}
		a.Data, _ = json.Marshal(data) // what was unmarshalled marshals
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// withoutNames makes null of the texts of an action's data that name a person.
func withoutNames(data any, p *oracle.Person) any {
	switch v := data.(type) {
	case string:
		if says(v, p) {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = withoutNames(v[i], p)
		}
	case map[string]any:
		for name := range v {
			v[name] = withoutNames(v[name], p)
		}
	}
	return data
}

// says says whether a text, or one of its words, names a person.
func says(text string, p *oracle.Person) bool {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@._-", r)
	})
	return slices.ContainsFunc(append(words, text), func(word string) bool { return word != "" && slices.Contains(p.Forms, word) })
}

// checkVoids wants the events of those who are gone to be gone from the log, and no others. It is for a log in which all erasures are complete.
func (l *life) checkVoids(g gone) {
	off := l.dir.Log.First()
	err := l.dir.Log.Read(0, func(e nudge.Entry) error {
		some, err := factsOf(e, l.names)
		for _, f := range some {
			if was := l.ledger.facts[off-1]; was.event >= 0 && (f.kind == nudge.RecordVoid) != g.sent(off, l.line(was.event)) {
				l.problem("the event at offset %d is gone: %v; it is %s", off, f.kind == nudge.RecordVoid, l.line(was.event))
			}
			off++
		}
		return err
	})
	if err != nil {
		l.problem("I7: the log cannot be read back: %v", err)
	}
}

// inOrder are all firings that there ever were: the deliverers are told of each.
func (w *world) inOrder() (all []nudge.Firing) {
	for _, f := range w.told {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b nudge.Firing) int {
		return cmp.Or(cmp.Compare(a.Cursor.Offset, b.Cursor.Offset), cmp.Compare(a.Cursor.N, b.Cursor.N))
	})
	return all
}

// checkHidden wants the feed to show what erasures left of all firings, to the byte, as far back as it goes.
func (l *life) checkHidden(feed []nudge.Firing, g gone) {
	if !l.erases {
		return
	}
	var got, want []string
	for _, f := range feed {
		got = append(got, gone(nil).shown(f))
	}
	for _, f := range l.inOrder() {
		if !g.hides(&f) && (!l.retains || len(feed) > 0 && !f.Cursor.Less(feed[0].Cursor)) {
			want = append(want, g.shown(f))
		}
	}
	if !slices.Equal(got, want) {
		l.problem("the feed behind %d erasures: %s", len(g), firstDifference(got, want))
	}
}
