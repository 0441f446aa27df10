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
// mail address, decided at ingest, which no sender may set.
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

// MaxNames bounds the different names of fields and event types one process keeps. Names come from outside, so they must be bounded;
// a million is far above any real site.
const MaxNames = 1 << 20

// MaxNameBytes bounds the length of one name.
const MaxNameBytes = 256

// Names gives ids to names. Safe for concurrent use; reading takes no lock.
type Names struct {
	ids   sync.Map // string → NameID
	mu    sync.Mutex
	texts atomic.Pointer[[]string] // index is the id; replaced when it grows
}

// NewNames returns a table that holds the well-known names.
func NewNames() *Names {
	n := &Names{}
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

// ErrTooManyNames is returned by Intern when the table is full.
var ErrTooManyNames = fmt.Errorf("more than %d different names of fields and event types: put varying text into values, not into names", MaxNames)

// Intern returns the id of name, giving it one if it has none yet. The name is copied.
func (n *Names) Intern(name string) (NameID, error) {
	if id, ok := n.ids.Load(name); ok {
		return id.(NameID), nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if id, ok := n.ids.Load(name); ok {
		return id.(NameID), nil
	}
	texts := *n.texts.Load()
	if len(texts) >= MaxNames {
		return NameNone, ErrTooManyNames
	}
	id := NameID(len(texts))
	name = string([]byte(name))
	texts = append(texts, name) // readers hold older, shorter slices of the same array
	n.texts.Store(&texts)
	n.ids.Store(name, id)
	return id, nil
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
