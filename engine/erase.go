package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nudge"
	"nudge/rules"
)

// An erase record removes a person: one visitor, or a user and every visitor that it is known to have been; or a company's key, whose people
// stay. It has its instant like every other record. Timers that are due by then run before, what comes after is about somebody new, and nothing fires by it: a condition
// that an erasure makes true is one that was true all along. docs/ERASURE.md says what goes and what stays.
//
// The record does not hold who it is, only hashes: it stays in the log when the person has gone from there.

// MaxIDBytes bounds the id of whom to erase: no event has a longer one.
const MaxIDBytes = 256

// eraseRecord is what an erase record holds.
type eraseRecord struct {
	Kind  string     `json:"kind"`  // "visitor", "user" or "company"
	Keys  []eraseKey `json:"keys"`  // of a user that may be a mail address also the one in the form that mail addresses have
	Forms []known    `json:"forms"` // under which others may have kept its texts; none of a company: its people may say where they are
}

// eraseKey is a key to erase. Mail is, of a user, its hash as the primary key of events that have nothing but a mail address.
type eraseKey struct {
	known
	Mail nudge.KeyHash `json:"mail,omitempty"`
}

// ErrErase is wrapped by the errors about whom to erase.
var ErrErase = errors.New("cannot erase")

// newEraseRecord makes the record that erases a visitor, a user or a company.
func newEraseRecord(kind, id string) ([]byte, error) {
	switch {
	case kind != scopeVisitor && kind != scopeUser && kind != scopeCompany:
		return nil, fmt.Errorf("%w a %.40q: it can be a visitor, a user or a company", ErrErase, kind)
	case id == "":
		return nil, fmt.Errorf("%w a %s without an id: say which one", ErrErase, kind)
	case len(id) > MaxIDBytes:
		return nil, fmt.Errorf("%w a %s whose id has %d bytes: no event has one longer than %d", ErrErase, kind, len(id), MaxIDBytes)
	}
	r := eraseRecord{Kind: kind}
	for _, text := range keysOf(kind, id) {
		k := eraseKey{known: knownAs(kind, text)}
		if kind == scopeUser {
			k.Mail = nudge.HashKey(scopeMail, text)
		}
		r.Keys = append(r.Keys, k)
	}
	if kind != scopeCompany {
		for _, form := range formsOf(id) {
			r.Forms = append(r.Forms, knownAs(scopeForm, form))
		}
	}
	var b nudge.RecordBuilder
	b.Begin(nudge.RecordErase, nudge.NameNone)
	b.Text(nudge.NameSettings, string(mustJSON(r)))
	b.End(r.Keys[0].Hash)
	return b.Buf, nil
}

// keysOf are the keys that an id may mean. A mail address is a key in lower case without space around it.
func keysOf(kind, id string) []string {
	mail := strings.ToLower(strings.TrimSpace(id))
	if kind != scopeUser || !strings.Contains(id, "@") || mail == id {
		return []string{id}
	}
	return []string{id, mail}
}

func readErase(rec nudge.Record) (r eraseRecord, err error) {
	if err := json.Unmarshal([]byte(rec.Field(nudge.NameSettings).Text), &r); err != nil {
		return r, fmt.Errorf("an erase record: %w", err)
	}
	if len(r.Keys) == 0 {
		return r, errors.New("an erase record names nobody")
	}
	return r, nil
}

// person is whom the record names, as far as it says so itself.
func (r *eraseRecord) person() *person {
	p := newPerson()
	for _, k := range r.Keys {
		switch r.Kind {
		case scopeUser:
			p.addKnownUser(k.known, k.Mail)
		case scopeCompany:
			p.addKnownCompany(k.known)
		default:
			p.addKnownVisitor(k.known)
		}
	}
	for _, form := range r.Forms {
		p.addForm(form)
	}
	return p
}

// erased is what an erase record has removed from the state.
type erased struct {
	off    nudge.Offset
	at     nudge.Millis
	record eraseRecord
	hints  []string // texts of the record's keys, nil: not known
	person *person
	counts eraseCounts
}

// eraseCounts are the numbers of a receipt that the state alone decides: the same on any number of shards, and after a crash. What is vacant (vacant.go)
// goes like the rest, but does not count: nobody can tell whether it has vanished already. Nor does an identity in which nothing is known.
type eraseCounts struct {
	Visitors  int `json:"visitors"` // a visitor's key, past and identity count as one
	Users     int `json:"users"`
	Companies int `json:"companies"`
	Others    int `json:"others"` // keys of other kinds whose text names the person
	Values    int `json:"values"` // texts and values at the keys that stay
}

// erase applies the erase record that was the last of the batch that has just been applied. hint is the id that the record names, where it is known;
// without it everybody is looked at.
func (e *Engine) erase(rec nudge.Record, hint string) (*erased, error) {
	record, err := readErase(rec)
	if err != nil {
		return nil, err
	}
	e.finishTakeOver()
	e.readAll()
	e.noteMeaning()
	x := &erased{off: e.next - 1, at: e.clock, record: record, person: record.person()}
	if hint != "" {
		x.hints = keysOf(record.Kind, hint)
	}
	found := newFindings(len(e.shards))
	e.onEveryShard(smallBatch, func(s *shard) { s.findUsers(x, &found[s.id]) })
	users := found.union(func(f *finding) map[string]bool { return f.users })
	e.onEveryShard(smallBatch, func(s *shard) { s.findDevices(users, &found[s.id]) })
	devices := found.union(func(f *finding) map[string]bool { return f.devices })
	if slices.ContainsFunc(found, func(f finding) bool { return f.many }) {
		devices = nil // nobody knows them all
	}
	e.onEveryShard(smallBatch, func(s *shard) { s.findBound(x, users, devices, &found[s.id]) })
	visitors := found.union(func(f *finding) map[string]bool { return f.visitors })
	for _, text := range users {
		x.person.addUser(text)
	}
	for _, text := range visitors {
		x.person.addVisitor(text)
	}
	e.onEveryShard(smallBatch, func(s *shard) { s.eraseKeys(users, visitors, &found[s.id]); s.eraseCompany(x, &found[s.id]) })
	knew := found.union(func(f *finding) map[string]bool { return f.knew })
	if slices.ContainsFunc(found, func(f finding) bool { return f.shared }) {
		knew = nil
	}
	e.onEveryShard(smallBatch, func(s *shard) { s.forgetVisitors(knew, visitors, &found[s.id]) })
	knew = found.union(func(f *finding) map[string]bool { return f.knew })
	e.onEveryShard(smallBatch, func(s *shard) { s.scrub(x, knew, &found[s.id].counts) })
	for i := range found {
		x.counts.add(&found[i].counts)
	}
	return x, nil
}

func (c *eraseCounts) add(d *eraseCounts) {
	c.Visitors += d.Visitors
	c.Users += d.Users
	c.Companies += d.Companies
	c.Others += d.Others
	c.Values += d.Values
}

// finding is what one shard found. The shards share nothing while they look.
type finding struct {
	users    map[string]bool // texts of users that are the person
	devices  map[string]bool // of visitors that were ever one of them, unless
	many     bool            // one of them had more than are kept
	visitors map[string]bool // of visitors that are the person
	knew     map[string]bool // of users that are somebody else and were one of them once, unless
	shared   bool            // one of them was more users than are kept
	counts   eraseCounts
}

type findings []finding

func newFindings(shards int) findings {
	f := make(findings, shards)
	for i := range f {
		f[i] = finding{users: map[string]bool{}, devices: map[string]bool{}, visitors: map[string]bool{}, knew: map[string]bool{}}
	}
	return f
}

// union is what all shards found together. It is never nil.
func (f findings) union(of func(*finding) map[string]bool) []string {
	all := map[string]bool{}
	for i := range f {
		maps.Copy(all, of(&f[i]))
	}
	return append([]string{}, slices.Sorted(maps.Keys(all))...)
}

// findUsers finds the texts of the users to erase, and the mail addresses that are theirs.
//
//nudge:unordered what is found is a set
func (s *shard) findUsers(x *erased, found *finding) {
	if x.record.Kind != scopeUser {
		return
	}
	note := func(text string) {
		u := s.userAt(text)
		if u == nil || !x.person.isUser(text) {
			return
		}
		found.users[text] = true
		for _, mail := range u.mails {
			found.users[mail] = true
		}
	}
	for _, k := range x.record.Keys {
		if text, ok := s.tables[1].textOf(k.known, rules.ScopeUser); ok && s.owns(k.Hash) {
			found.users[text] = true
		}
	}
	for _, text := range x.hints {
		note(text)
	}
	if x.hints != nil {
		return
	}
	for key := range s.users.all() {
		note(key.text)
	}
}

// visitorAt and userAt are what is known of somebody by the text alone.
func (s *shard) visitorAt(text string) *visitorIdentity {
	return s.visitors.get(nudge.HashKey(scopeVisitor, text), text)
}

func (s *shard) userAt(text string) *userIdentity {
	return s.users.get(nudge.HashKey(scopeUser, text), text)
}

func (s *shard) owns(hash nudge.KeyHash) bool { return hash.Shard(len(s.engine.shards)) == s.id }

// findDevices finds the visitors that were ever one of the users: each binding is noted on both sides.
func (s *shard) findDevices(users []string, found *finding) {
	for _, text := range users {
		u := s.userAt(text)
		if u == nil {
			continue
		}
		found.many = found.many || !u.visitor.isWhole()
		for b := range u.visitor.kept {
			found.devices[b.text] = true
		}
	}
}

// findBound finds the texts of the visitors to erase: those that were bound to one of the users, of the devices, or, where devices is nil,
// of all; or the one that the record names.
//
//nudge:unordered what is found is a set
func (s *shard) findBound(x *erased, users, devices []string, found *finding) {
	if x.record.Kind != scopeUser {
		s.findVisitor(x, found)
		return
	}
	for _, text := range devices {
		if v := s.visitorAt(text); v != nil && v.user.hasAny(users) {
			found.visitors[text] = true
		}
	}
	if devices != nil {
		return
	}
	for key, v := range s.visitors.all() {
		if v.user.hasAny(users) {
			found.visitors[key.text] = true
		}
	}
}

// findVisitor finds the text of the one visitor that the record names, wherever something is known of it.
//
//nudge:unordered what is found is a set
func (s *shard) findVisitor(x *erased, found *finding) {
	k := x.record.Keys[0].known
	if x.record.Kind != scopeVisitor || !s.owns(k.Hash) {
		return
	}
	if text, ok := s.tables[0].textOf(k, rules.ScopeVisitor); ok {
		found.visitors[text] = true
	}
	for _, text := range x.hints {
		if s.visitorAt(text) != nil && x.person.isVisitor(text) {
			found.visitors[text] = true
		}
	}
	if x.hints != nil {
		return
	}
	for key := range s.visitors.all() {
		if x.person.isVisitor(key.text) {
			found.visitors[key.text] = true
		}
	}
}

// eraseKeys forgets the person's keys, a visitor's past with them, and who they were; and what is recalled of rows and texts, which may be anybody's.
func (s *shard) eraseKeys(users, visitors []string, found *finding) {
	s.memo, s.longIDs = memo{}, longIDs{}
	for _, text := range visitors {
		if hash := nudge.HashKey(scopeVisitor, text); s.owns(hash) {
			key := s.forgetKey(0, hash, rules.ScopeVisitor, text)
			if s.forgetVisitor(text, found) || key {
				found.counts.Visitors++
			}
		}
	}
	for _, text := range users {
		if hash := nudge.HashKey(scopeUser, text); s.owns(hash) {
			key := s.forgetKey(1, hash, rules.ScopeUser, text)
			if s.forgetUser(text) || key {
				found.counts.Users++
			}
		}
	}
}

// eraseCompany forgets a company's key. Who belongs to it stays known: that is its people's.
func (s *shard) eraseCompany(x *erased, found *finding) {
	if x.record.Kind != scopeCompany {
		return
	}
	k := x.record.Keys[0].known
	if text, ok := s.tables[levels-1].textOf(k, rules.ScopeCompany); ok && s.forgetKey(levels-1, k.Hash, rules.ScopeCompany, text) {
		found.counts.Companies++
	}
}

// forgetVisitor forgets who a visitor is, and notes who knew it. It says whether anything was known.
func (s *shard) forgetVisitor(text string, found *finding) bool {
	hash := nudge.HashKey(scopeVisitor, text)
	v := s.visitors.get(hash, text)
	if v == nil {
		return false
	}
	for b := range v.user.kept {
		found.knew[b.text] = true
	}
	found.shared = found.shared || !v.user.isWhole()
	s.visitors.remove(hash, text)
	s.erased = append(s.erased, identityKey(tableVisitors, scopeVisitor, text))
	return true
}

// forgetUser forgets who a user is, and says whether anything was known.
func (s *shard) forgetUser(text string) bool {
	hash := nudge.HashKey(scopeUser, text)
	u := s.users.get(hash, text)
	if u == nil {
		return false
	}
	s.users.remove(hash, text)
	s.erased = append(s.erased, identityKey(tableUsers, scopeUser, text))
	return !u.isEmpty()
}

// forgetVisitors takes the visitors out of what the users that stay remember: those that knew them, all where that is nil.
//
//nudge:unordered each user by itself
func (s *shard) forgetVisitors(knew, visitors []string, found *finding) {
	forget := func(key keyText, u *userIdentity) {
		if u.visitor.hasAny(visitors) {
			u.visitor.forget(visitors)
			s.markUser(key, u)
			found.knew[key.text] = true
		}
	}
	for _, text := range knew {
		key := keyText{nudge.HashKey(scopeUser, text), text}
		if u := s.users.get(key.hash, key.text); u != nil {
			forget(key, u)
		}
	}
	if knew != nil {
		return
	}
	for key, u := range s.users.all() {
		forget(key, u)
	}
}

// textOf is the text of a key that is known by its hashes, if the table has it.
func (t *table) textOf(k known, scope uint16) (text string, ok bool) {
	part := t.index.part(k.Hash)
	if len(part.slots) == 0 {
		return "", false
	}
	for pos := part.home(k.Hash); part.slots[pos] != 0; pos = part.after(pos) {
		i := part.slots[pos] - 1
		e := t.entry(i)
		if e.hash != k.Hash {
			continue
		}
		if e.ref.away() {
			t.recall(i)
		}
		if s, key := t.identity(i); s == scope && digestOf(string(key)) == k.Digest {
			return string(key), true
		}
	}
	return "", false
}

// forgetKey removes a key with its timers, and says whether it held anything that mattered.
func (s *shard) forgetKey(level int, hash nudge.KeyHash, scope uint16, text string) bool {
	t := &s.tables[level]
	i := t.lookup(hash, scope, text)
	if i == noEntry {
		return false
	}
	mattered := !s.isVacant(t, i)
	t.remove(i)
	return mattered
}
