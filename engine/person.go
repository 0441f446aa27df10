package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"nudge"
)

// digest stands for a text where the text itself must not be kept: 127 bits of its SHA-256, the same that stand for a long value of
// distinct. It cannot be turned back; who knows the text can find out whether it is the one.
type digest [16]byte

func digestOf(text string) digest { return hashOf(nudge.Text, text) }

// hashOf is the hash of a text of some kind. Its first bit is set, which tells it from values that stand for themselves.
func hashOf(kind nudge.ValueKind, text string) (id [16]byte) {
	var short [64]byte
	sum := sha256.Sum256(append(append(short[:0], byte(kind)), text...))
	copy(id[:], sum[:])
	id[0] |= 0x80
	return id
}

// MarshalText and UnmarshalText are the digest in hexadecimal.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

func (d *digest) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(d[:], text); err != nil || n != len(d) || len(text) != 2*len(d) {
		return fmt.Errorf("%q is not a digest of %d hexadecimal digits", text, 2*len(d))
	}
	return nil
}

// known is a text known by its hashes: the quick one, under its scope, is looked up, the long one confirms it.
type known struct {
	Hash   nudge.KeyHash `json:"hash"`
	Digest digest        `json:"digest"`
}

func knownAs(scope, text string) known { return known{nudge.HashKey(scope, text), digestOf(text)} }

// person is whom an erasure is about: visitors and users, all of them one person, or a company.
type person struct {
	visitors, users map[nudge.KeyHash]digest
	companies       map[nudge.KeyHash]digest
	forms           map[nudge.KeyHash]digest // the texts by which others may know them, as written and in other letters
	formDigests     map[digest]bool
	sources         map[nudge.KeyHash]bool // hashes of the primary keys of their events
}

func newPerson() *person {
	return &person{
		visitors: map[nudge.KeyHash]digest{}, users: map[nudge.KeyHash]digest{}, companies: map[nudge.KeyHash]digest{}, forms: map[nudge.KeyHash]digest{},
		formDigests: map[digest]bool{}, sources: map[nudge.KeyHash]bool{},
	}
}

// Scopes under which the texts of a person are hashed.
const (
	scopeVisitor = "visitor"
	scopeUser    = "user"
	scopeCompany = "company"
	scopeMail    = "email" // of the primary key of an event that has only a mail address
	scopeForm    = ""
)

// addVisitor and addUser add a key whose text is at hand.
func (p *person) addVisitor(text string) {
	p.addKnownVisitor(knownAs(scopeVisitor, text))
	p.addForms(text)
}

func (p *person) addUser(text string) {
	p.addKnownUser(knownAs(scopeUser, text), nudge.HashKey(scopeMail, text))
	p.addForms(text)
}

func (p *person) addKnownVisitor(k known) {
	p.visitors[k.Hash], p.sources[k.Hash] = k.Digest, true
}

// addKnownUser adds a user, which may be a mail address: that has a hash of its own as a primary key.
func (p *person) addKnownUser(k known, mail nudge.KeyHash) {
	p.users[k.Hash], p.sources[k.Hash], p.sources[mail] = k.Digest, true, true
}

// addKnownCompany adds a company, which is the primary key of events that have nothing else.
func (p *person) addKnownCompany(k known) { p.companies[k.Hash], p.sources[k.Hash] = k.Digest, true }

func (p *person) addForms(text string) {
	for _, form := range formsOf(text) {
		p.addForm(knownAs(scopeForm, form))
	}
}

func (p *person) addForm(k known) { p.forms[k.Hash], p.formDigests[k.Digest] = k.Digest, true }

// formsOf are the spellings under which rules may keep a text: lower, upper and trim make them.
func formsOf(text string) []string {
	trimmed := strings.TrimSpace(text)
	forms := []string{text}
	for _, form := range []string{trimmed, strings.ToLower(text), strings.ToUpper(text), strings.ToLower(trimmed), strings.ToUpper(trimmed)} {
		if form != "" && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

func (p *person) isVisitor(text string) bool { return holds(p.visitors, scopeVisitor, text) }
func (p *person) isUser(text string) bool    { return holds(p.users, scopeUser, text) }
func (p *person) isCompany(text string) bool { return holds(p.companies, scopeCompany, text) }

// isForm says whether a text names the person.
func (p *person) isForm(text string) bool { return holds(p.forms, scopeForm, text) }

// isFormDigest is isForm for a text of which only the hash is kept.
func (p *person) isFormDigest(d digest) bool { return p.formDigests[d] }

// brought says whether something comes from an event of the person.
func (p *person) brought(source nudge.KeyHash) bool { return p.sources[source] }

func holds(set map[nudge.KeyHash]digest, scope, text string) bool {
	if text == "" || len(set) == 0 {
		return false
	}
	d, ok := set[nudge.HashKey(scope, text)]
	return ok && d == digestOf(text)
}

// sent says whether an event is the person's: its visitor is, or its user, or, where it names no user, its mail address. A company's are those that
// name nobody.
func (p *person) sent(rec nudge.Record) bool {
	if rec.Kind() != nudge.RecordEvent {
		return false
	}
	var n nudge.Who
	rec.Who(&n)
	switch {
	case p.isVisitor(n.Visitor):
		return true
	case n.User != "":
		return p.isUser(n.User)
	case n.Email != "":
		return p.isUser(n.Email)
	}
	return n.Visitor == "" && p.isCompany(n.Company)
}

// personRow is a person as it is stored.
type personRow struct {
	Visitors []known         `json:"visitors,omitempty"`
	Users    []known         `json:"users,omitempty"`
	Company  []known         `json:"company,omitempty"`
	Forms    []known         `json:"forms,omitempty"`
	Sources  []nudge.KeyHash `json:"sources,omitempty"`
}

// MarshalJSON and UnmarshalJSON are the person's hashes.
func (p *person) MarshalJSON() ([]byte, error) {
	list := func(set map[nudge.KeyHash]digest) (all []known) {
		for _, hash := range slices.Sorted(maps.Keys(set)) {
			all = append(all, known{hash, set[hash]})
		}
		return all
	}
	return json.Marshal(personRow{list(p.visitors), list(p.users), list(p.companies), list(p.forms), slices.Sorted(maps.Keys(p.sources))})
}

func (p *person) UnmarshalJSON(b []byte) error {
	var row personRow
	if err := json.Unmarshal(b, &row); err != nil {
		return err
	}
	*p = *newPerson()
	for _, k := range row.Visitors {
		p.visitors[k.Hash] = k.Digest
	}
	for _, k := range row.Users {
		p.users[k.Hash] = k.Digest
	}
	for _, k := range row.Company {
		p.companies[k.Hash] = k.Digest
	}
	for _, k := range row.Forms {
		p.addForm(k)
	}
	for _, hash := range row.Sources {
		p.sources[hash] = true
	}
	return nil
}
