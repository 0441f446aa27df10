package nudge

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// NameID stands for the name of a field or of an event type. Ids below FirstFreeName mean the same in every process and in every
// log for ever; all others are given out by a process as it meets names, and are translated when records leave it.
type NameID uint32

// The names that every process knows. NameNone is no name. NameMailDomain has no text: it is the registrable domain of a work
// mail address, decided at ingest, which no sender may set. NameOther has none either: it stands for a name that the record itself spells out, because
// the process that wrote it had no room for an id.
const (
	NameNone NameID = iota
	NameID_         // "id", the sender's message id
	NameType
	NameTs
	NameAt
	NameVisitor
	NameUser
	NameEmail
	NameCompany
	NameMailDomain
	NameURL
	NamePath
	NameHost
	NameReferrer
	NameTitle
	NameUTMSource
	NameUTMMedium
	NameUTMCampaign
	NameUTMTerm
	NameUTMContent
	NameFired
	NameRule
	NamePopup
	NamePopupShown
	NamePopupClicked
	NamePopupDismissed
	NameKey
	NameSettings
	NameOther
	wellKnownNames

	// FirstFreeName is the first id that a process may give out. The gap is for well-known names to come.
	FirstFreeName NameID = 64
)

var wellKnown = [wellKnownNames]string{
	NameID_: "id", NameType: "type", NameTs: "ts", NameAt: "at", NameVisitor: "visitor", NameUser: "user", NameEmail: "email",
	NameCompany: "company", NameURL: "url", NamePath: "path", NameHost: "host", NameReferrer: "referrer", NameTitle: "title",
	NameUTMSource: "utm_source", NameUTMMedium: "utm_medium", NameUTMCampaign: "utm_campaign", NameUTMTerm: "utm_term",
	NameUTMContent: "utm_content", NameFired: "fired", NameRule: "rule", NamePopup: "popup", NamePopupShown: "popup_shown",
	NamePopupClicked: "popup_clicked", NamePopupDismissed: "popup_dismissed", NameKey: "key", NameSettings: "settings",
}

// Limits of the names of fields and event types that one process keeps.
const (
	// MaxMetNames bounds the table for names that come from outside, in events and in the log: anybody may send any number of them. Those beyond have
	// no id, and records spell them out. It is far above what a site has, and holds 30 MB of the longest names.
	MaxMetNames = 1 << 16

	// MaxNames bounds the table for the names that rules use: what lies above MaxMetNames is theirs alone.
	MaxNames = 1 << 20
)

// MaxNameBytes bounds the length of one name.
const MaxNameBytes = 256

// Names gives ids to names. Safe for concurrent use; reading takes no lock.
type Names struct {
	ids   sync.Map // string → NameID
	mu    sync.Mutex
	texts atomic.Pointer[[]string] // index is the id; replaced when it grows
	room  int                      // up to how many names Meet gives ids
	other atomic.Uint64
}

// NewNames returns a table that holds the well-known names.
func NewNames() *Names {
	n := &Names{room: MaxMetNames}
	texts := make([]string, FirstFreeName, 1024)
	for id, text := range wellKnown {
		texts[id] = text
		if text != "" {
			n.ids.Store(text, NameID(id))
		}
	}
	n.texts.Store(&texts)
	return n
}

// NewNamesWith returns a table that gives ids to names that it meets while it has fewer than room: any number where they are bounded otherwise.
func NewNamesWith(room int) *Names {
	n := NewNames()
	n.room = room
	return n
}

// ErrTooManyNames is returned by Intern when the table is full.
var ErrTooManyNames = fmt.Errorf("more than %d different names of fields and event types in all rules since the server was started: restart it, and it forgets those that no rule uses any more", MaxNames-MaxMetNames)

// Intern returns the id of a name that a rule uses, giving it one if it has none yet. The name is copied.
func (n *Names) Intern(name string) (NameID, error) {
	if id, ok := n.give(name, MaxNames); ok {
		return id, nil
	}
	return NameNone, ErrTooManyNames
}

// Meet is Intern for a name that comes from outside. Where it has no id and there is no room for one, it is NameOther, and ok is false: the record is to spell
// the name out. So nobody who may send events can take the room of rules, or keep the events of others from being taken.
func (n *Names) Meet(name string) (id NameID, ok bool) {
	if id, ok = n.give(name, n.room); !ok {
		n.other.Add(1)
		return NameOther, false
	}
	return id, true
}

// Other is how often Meet had no room.
func (n *Names) Other() uint64 { return n.other.Load() }

// give returns the id of name. ok is false if it has none and the table has so many already.
func (n *Names) give(name string, limit int) (id NameID, ok bool) {
	if id, ok := n.Find(name); ok || n.Len() >= limit {
		return id, ok
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if id, ok := n.Find(name); ok {
		return id, true
	}
	texts := *n.texts.Load()
	if len(texts) >= limit {
		return NameNone, false
	}
	id = NameID(len(texts))
	name = string([]byte(name))
	texts = append(texts, name) // readers hold older, shorter slices of the same array
	n.texts.Store(&texts)
	n.ids.Store(name, id)
	return id, true
}

// Find returns the id of name if it has one.
func (n *Names) Find(name string) (NameID, bool) {
	id, ok := n.ids.Load(name)
	if !ok {
		return NameNone, false
	}
	return id.(NameID), true
}

// Text returns the name of id, "" if there is none.
func (n *Names) Text(id NameID) string {
	texts := *n.texts.Load()
	if int(id) >= len(texts) {
		return ""
	}
	return texts[id]
}

// Len is one more than the largest id given out.
func (n *Names) Len() int { return len(*n.texts.Load()) }
