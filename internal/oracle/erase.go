package oracle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// Beside events a stream may hold two kinds of lines: {"erase": "visitor", "user" or "company", "key": ID} erases a person or a company, and {"void": true} stands
// where an event was that is gone. Both have the ts or at of an event.

// keepBindings is how many users a visitor, visitors a user, and mail addresses a user is known to have had.
const keepBindings = 4

// special is a line that is no event.
type special struct {
	Erase, Key string
	Void       bool
	Ts, At     any
}

// readSpecial reads a line that is no event; nil if it is one.
func readSpecial(text string) (*special, *line, error) {
	var s special
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Erase == "" && !s.Void {
		return nil, nil, nil // an event, or nothing that can be read: its reader says so
	}
	if !s.Void && s.Erase != "visitor" && s.Erase != "user" && s.Erase != "company" || !s.Void && s.Key == "" {
		return nil, nil, fmt.Errorf("erase: want a visitor, a user or a company, and its key")
	}
	l := &line{fields: map[string]nudge.Value{}}
	var err error
	if l.ts, l.hasTs, err = instant("ts", s.Ts); err != nil {
		return nil, nil, err
	}
	l.at, l.hasAt, err = instant("at", s.At)
	return &s, l, err
}

// special takes such a line in: an instant at which the timers that are due have run, and nothing fires.
func (r *run) special(n nudge.Offset, s *special, l *line) error {
	e, err := r.stamp(n, l)
	if err != nil {
		return err
	}
	r.timers(e.at)
	if s.Void {
		r.events++
	} else {
		p := r.world.erase(n, s.Erase, s.Key)
		if r.Erased != nil {
			*r.Erased = append(*r.Erased, p)
		}
	}
	return nil
}

// Person is who is erased: visitors and users, all of them one person, or a company.
type Person struct {
	Line            nudge.Offset // of the erasure
	Company         string
	Users, Visitors []string
	Forms           []string // the texts that name it
	Sources         []string // of its events: "visitor:", "user:", "mail:" or "company:", and the key
}

// personOf finds a person's keys: a user's mail addresses are users, too, and the visitors that were bound to one of them are the user.
func (id *identity) personOf(kind, key string) (p Person) {
	switch kind {
	case "company":
		p.Company, p.Sources = key, []string{"company:" + key}
	case "visitor":
		p.Visitors = []string{key}
	default:
		p.Users = []string{key}
		if mail := strings.ToLower(strings.TrimSpace(key)); strings.Contains(key, "@") && mail != key {
			p.Users = append(p.Users, mail)
		}
		for _, u := range p.Users {
			p.Users = append(p.Users, id.mails[u]...)
		}
		for visitor, users := range id.usersOf {
			if slices.ContainsFunc(newest(users), func(u string) bool { return slices.Contains(p.Users, u) }) {
				p.Visitors = append(p.Visitors, visitor)
			}
		}
	}
	for _, v := range p.Visitors {
		p.Sources = append(p.Sources, "visitor:"+v)
		p.Forms = append(p.Forms, formsOf(v)...)
	}
	for _, u := range p.Users {
		p.Sources = append(p.Sources, "user:"+u, "mail:"+u)
		p.Forms = append(p.Forms, formsOf(u)...)
	}
	return p
}

func formsOf(text string) []string {
	trimmed := strings.TrimSpace(text)
	return []string{text, trimmed, strings.ToLower(text), strings.ToUpper(text), strings.ToLower(trimmed), strings.ToUpper(trimmed)}
}

func newest(list []string) []string { return list[max(len(list)-keepBindings, 0):] }

// erase takes a person out of the world: its keys go, and from the others its texts.
func (w *world) erase(n nudge.Offset, kind, key string) Person {
	p := w.identity.personOf(kind, key)
	p.Line = n
	knew := w.identity.forget(&p)
	for _, v := range p.Visitors {
		delete(w.keys, [2]string{"visitor", v})
		delete(w.anonymous, v)
	}
	for _, u := range p.Users {
		delete(w.keys, [2]string{"user", u})
	}
	if p.Company != "" {
		delete(w.keys, [2]string{"company", p.Company})
	}
	for at, k := range w.keys {
		switch {
		case k.kind == nudge.KindOther && w.namesPersons(k) && slices.Contains(p.Forms, k.text):
			delete(w.keys, at)
		case k.kind >= nudge.KindCompany:
			w.scrub(k, n, &p, p.Sources)
		case k.kind == nudge.KindUser && slices.Contains(knew, k.text):
			w.scrub(k, n, &p, nil)
		}
	}
	return p
}

// forget drops what is known of a person, and returns the users who are somebody else and knew one of its visitors.
func (id *identity) forget(p *Person) (knew []string) {
	for _, v := range p.Visitors {
		knew = append(knew, newest(id.usersOf[v])...)
		delete(id.userOf, v)
		delete(id.usersOf, v)
		delete(id.companyOf, v)
	}
	for _, u := range p.Users {
		delete(id.companyOfUser, u)
		delete(id.mails, u)
		delete(id.visitorsOf, u)
	}
	isPersons := func(v string) bool { return slices.Contains(p.Visitors, v) }
	for u, visitors := range id.visitorsOf {
		if visitors = newest(visitors); slices.ContainsFunc(visitors, isPersons) {
			knew = append(knew, u)
			id.visitorsOf[u] = slices.DeleteFunc(slices.Clone(visitors), isPersons)
		}
	}
	return knew
}

// namesPersons says whether the keys of an other kind are texts of persons.
func (w *world) namesPersons(k *key) (found bool) {
	walk(w.rules[k.per][0].perNode, func(n ast.Node) {
		if id, ok := n.(*ast.IdentifierNode); ok {
			found = found || id.Value == "visitor" || id.Value == "user" || id.Value == "email"
		}
	})
	return found
}

// part is one operator's view of one row.
type part struct {
	call *ast.CallNode
	row  *row
}

// scrub takes a person's texts out of a key that stays. sources are those whose events count as the person's here.
func (w *world) scrub(k *key, n nudge.Offset, p *Person, sources []string) {
	rows := k.past.rows()
	names := func(v nudge.Value) bool { return v.Kind == nudge.Text && slices.Contains(p.Forms, v.Text) }
	for _, r := range w.rules[k.per] {
		r.eachCall(func(call *ast.CallNode) {
			s := state{rule: r, rows: rows, erased: k.erased}
			switch callee(call) {
			case "values":
				s.hide(k, call, func(e *row, v nudge.Value) bool { return slices.Contains(sources, e.source) || names(v) }, unknown)
			case "distinct":
				s.hide(k, call, func(_ *row, v nudge.Value) bool { return names(v) }, nudge.Value{Kind: nudge.JSON, Text: fmt.Sprint("erased by ", n)})
			case "last":
				if e := s.newest(call); e != nil && (slices.Contains(sources, e.source) || names(s.valueOf(call, e))) {
					k.hide(part{call, e}, unknown)
				}
			}
		})
	}
	for _, e := range rows {
		k.forgetCause(e, slices.Contains(sources, e.source), names)
	}
}

// hide replaces the values that are to go. A value goes with all rows that have it: of those only the newest is known.
func (s *state) hide(k *key, call *ast.CallNode, goes func(*row, nudge.Value) bool, by nudge.Value) {
	newest := map[nudge.Value]*row{}
	for _, e := range s.rows {
		if v := s.valueOf(call, e); v.Present() && s.rule.test(e, call.Arguments[0]) && (newest[v] == nil || e.ts >= newest[v].ts) {
			newest[v] = e
		}
	}
	replaced := map[part]nudge.Value{}
	for _, e := range s.rows {
		if v := s.valueOf(call, e); newest[v] != nil && goes(newest[v], v) {
			x := by
			if x.Kind == nudge.JSON {
				x.Text += ": " + v.Text // different ones stay different
			}
			replaced[part{call, e}] = x
		}
	}
	for at, x := range replaced {
		k.hide(at, x)
	}
}

func (k *key) hide(at part, by nudge.Value) {
	if k.erased == nil {
		k.erased = map[part]nudge.Value{}
	}
	k.erased[at] = by
}

// valueOf is the value of an operator for a row, as far as it is not erased.
func (s *state) valueOf(call *ast.CallNode, e *row) nudge.Value {
	if v, ok := s.erased[part{call, e}]; ok {
		return v
	}
	v := s.rule.eval(e, call.Arguments[1])
	if v.Kind == nudge.JSON { // of an array nothing is known but that it is there
		return unknown
	}
	return v
}

// forgetCause makes a row say less as what opened a wait: nothing, or not the texts that name the person.
func (k *key) forgetCause(e *row, all bool, names func(nudge.Value) bool) {
	was := k.causeOf(e)
	less := &row{line: e.line, firing: e.firing, ts: e.ts, at: e.at, history: e.history, fields: map[string]nudge.Value{}}
	if !all {
		less.source = was.source
		for name, v := range was.fields {
			if !names(v) {
				less.fields[name] = v
			}
		}
	}
	if k.causes == nil {
		k.causes = map[*row]*row{}
	}
	k.causes[e] = less
}

// causeOf is what a row says as what opened a wait.
func (k *key) causeOf(e *row) *row {
	if less := k.causes[e]; less != nil {
		return less
	}
	return e
}

// eachCall walks all calls of a rule over the key's rows.
func (r *rule) eachCall(f func(*ast.CallNode)) {
	visit := func(n ast.Node) {
		if n != nil {
			walk(n, func(n ast.Node) {
				if call, ok := n.(*ast.CallNode); ok {
					f(call)
				}
			})
		}
	}
	visit(r.when)
	if r.unless != nil {
		visit(r.unless)
	}
	for _, a := range r.then {
		if a.data != nil {
			visit(a.data)
		}
	}
}
