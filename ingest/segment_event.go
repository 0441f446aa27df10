package ingest

import (
	"slices"

	"nudge"
)

// segmentEvent is one event in Segment's form, on its way into the codec's draft.
type segmentEvent struct {
	c        *Codec
	m        segmentMembers
	contexts [2][]byte // its own, then the batch's; nil where there is none
}

// read takes the event as the call says.
func (e *segmentEvent) read(call string) *Error {
	if err := e.identity(); err != nil {
		return err
	}
	for i := len(e.contexts) - 1; i >= 0; i-- { // the event's own comes last and wins
		if err := e.context(e.contexts[i]); err != nil {
			return err
		}
	}
	switch call {
	case "track":
		return e.track()
	case "identify":
		e.c.draft.typ = "identify"
		return e.traits(true)
	case "page":
		return e.page("page_view")
	case "screen":
		return e.page("screen_view")
	case "group":
		return e.group()
	case "alias":
		return e.alias()
	}
	return refuse(CodeBadValue, where{name: "type"}, "is %q: it must be track, identify, page, screen, group or alias", clip(call, 40))
}

// named takes a member with a fixed meaning, if it is there.
func (e *segmentEvent) named(id nudge.NameID, r rank, value []byte, at where) *Error {
	if value == nil {
		return nil
	}
	return e.namedHere(&scanner{b: value, room: maxBodyDepth}, id, r, at)
}

// namedHere takes the member whose value starts here.
func (e *segmentEvent) namedHere(s *scanner, id nudge.NameID, r rank, at where) *Error {
	val, err := e.c.nativeValue(s, at, 1)
	if err != nil {
		return err
	}
	return e.c.named(id, r, val, at)
}

func (e *segmentEvent) identity() *Error {
	for _, m := range [...]struct {
		name  string
		id    nudge.NameID
		value []byte
	}{{"messageId", nudge.NameID_, e.m.messageID}, {"anonymousId", nudge.NameVisitor, e.m.anonymousID}, {"userId", nudge.NameUser, e.m.userID}} {
		if err := e.named(m.id, rankTop, m.value, where{name: m.name}); err != nil {
			return err
		}
	}
	if d := &e.c.draft; !d.has(nudge.NameVisitor) && !d.has(nudge.NameUser) {
		return refuse(CodeMissing, where{name: "anonymousId"}, "is missing, and so is userId: an event needs one of them")
	}
	return nil
}

// contextFields are the parts of Segment's context that are page context or identity here. The rest of it is not kept.
var contextFields = [...]struct {
	object, member string
	id             nudge.NameID
}{
	{"page", "url", nudge.NameURL},
	{"page", "path", nudge.NamePath},
	{"page", "referrer", nudge.NameReferrer},
	{"page", "title", nudge.NameTitle},
	{"campaign", "source", nudge.NameUTMSource},
	{"campaign", "medium", nudge.NameUTMMedium},
	{"campaign", "name", nudge.NameUTMCampaign},
	{"campaign", "term", nudge.NameUTMTerm},
	{"campaign", "content", nudge.NameUTMContent},
	{"traits", "email", nudge.NameEmail},
}

// contextField is what a member of a part of the context is here; without a member, whether any of the part is something.
func contextField(object, member string) (id nudge.NameID, known bool) {
	for i := range contextFields {
		if f := &contextFields[i]; f.object == object && (f.member == member || member == "") {
			return f.id, true
		}
	}
	return 0, false
}

// context takes a context, its own or the batch's.
func (e *segmentEvent) context(value []byte) *Error {
	if len(value) == 0 || value[0] != '{' {
		return nil
	}
	s := scanner{b: value, room: maxBodyDepth}
	for more := s.first(); more; more = s.another() {
		object := e.c.name(&s)
		if _, known := contextField(object, ""); !known || s.peek() != '{' {
			s.skip()
		} else if err := e.contextObject(&s, object); err != nil {
			return err
		}
	}
	s.whole()
	return nil
}

// contextObject takes the members of the part of a context that starts here.
func (e *segmentEvent) contextObject(s *scanner, object string) *Error {
	for more := s.first(); more; more = s.another() {
		member := e.c.name(s)
		id, known := contextField(object, member)
		if !known {
			s.skip()
		} else if err := e.namedHere(s, id, rankContext, where{"context." + object + ".", member}); err != nil {
			return err
		}
	}
	return nil
}

// bag takes the members of properties or traits, whose value is given.
func (e *segmentEvent) bag(name string, value []byte, prefix string, emailIsTheirs bool) *Error {
	if isNothing(value) {
		return nil
	}
	if value[0] != '{' {
		return refuse(CodeWrongType, where{name: name}, "must be an object, not %s", textKind(value[0]))
	}
	s := scanner{b: value, room: maxBodyDepth}
	for more := s.first(); more; more = s.another() {
		var err *Error
		if key := e.c.name(&s); emailIsTheirs && key == "email" {
			err = e.namedHere(&s, nudge.NameEmail, rankProps, where{prefix, key})
		} else {
			err = e.c.nativeMember(&s, rankProps, key, prefix, MaxDepth)
		}
		if err != nil {
			return err
		}
	}
	s.whole()
	return nil
}

// isNothing says whether a member is not there, or null.
func isNothing(value []byte) bool { return len(value) == 0 || value[0] == 'n' }

func (e *segmentEvent) properties() *Error {
	return e.bag("properties", e.m.properties, "properties.", false)
}

// traits takes identify's or group's. Only a person's traits hold the person's address.
func (e *segmentEvent) traits(ofPerson bool) *Error {
	return e.bag("traits", e.m.traits, "traits.", ofPerson)
}

func (e *segmentEvent) track() *Error {
	at := where{name: "event"}
	if err := e.named(nudge.NameType, rankTop, e.m.event, at); err != nil {
		return err
	}
	if e.c.draft.typ == "" {
		return refuse(CodeMissing, at, "is missing: say what happened, as in \"Product Viewed\"")
	}
	return e.properties()
}

// page takes page and screen. The name is kept as such, and is the title where there is none.
func (e *segmentEvent) page(typ string) *Error {
	e.c.draft.typ = typ
	if err := e.properties(); err != nil {
		return err
	}
	for _, m := range [...]struct {
		name  string
		value []byte
	}{{"name", e.m.name}, {"category", e.m.category}} {
		at := where{name: m.name}
		if isNothing(m.value) {
			continue
		}
		if m.value[0] != '"' {
			return refuse(CodeWrongType, at, "must be text, not %s", textKind(m.value[0]))
		}
		text := e.c.textOf(m.value)
		if err := e.c.member(rankTop, m.name, nudge.TextValue(text), at); err != nil {
			return err
		}
		if m.name == "name" && !e.c.draft.has(nudge.NameTitle) {
			e.c.draft.put(nudge.NameTitle, rankContext, text)
		}
	}
	return nil
}

func (e *segmentEvent) group() *Error {
	e.c.draft.typ = "group"
	if err := e.named(nudge.NameCompany, rankTop, e.m.groupID, where{name: "groupId"}); err != nil {
		return err
	}
	if !e.c.draft.has(nudge.NameCompany) {
		return refuse(CodeMissing, where{name: "groupId"}, "is missing: group needs the company's id")
	}
	return e.traits(false)
}

// alias ties previousId, which is an anonymous id unless the sender says otherwise in anonymousId, to userId. To tie an id to itself says
// nothing.
func (e *segmentEvent) alias() *Error {
	d := &e.c.draft
	at := where{name: "previousId"}
	d.typ = "alias"
	if e.m.previousID == nil {
		return refuse(CodeMissing, at, "is missing: alias needs the id that was used before")
	}
	val, err := e.c.nativeValue(&scanner{b: e.m.previousID, room: maxBodyDepth}, at, 1)
	if err != nil {
		return err
	}
	previous, err := e.c.keyText(val, at)
	if err != nil {
		return err
	}
	if previous == "" || !d.has(nudge.NameUser) {
		return refuse(CodeMissing, where{name: "userId"}, "and previousId must both be there: alias ties one to the other")
	}
	if previous == d.texts[nudge.NameUser] {
		d.void = true
		return nil
	}
	if !d.has(nudge.NameVisitor) {
		d.put(nudge.NameVisitor, rankTop, previous)
	}
	return e.c.member(rankTop, "previousId", nudge.TextValue(previous), at)
}

// times takes when the event happened and was sent. With both of one clock the difference is what counts; without, a timestamp that
// somebody has corrected already is better than the original.
func (e *segmentEvent) times(r *segmentRequest) *Error {
	d := &e.c.draft
	d.sent, d.hasSnt = e.c.lenientInstant(e.m.sentAt)
	if !d.hasSnt {
		d.sent, d.hasSnt = r.sentAt, r.hasSent
	}
	names, values := [...]string{"originalTimestamp", "timestamp"}, [...][]byte{e.m.original, e.m.timestamp} // the later one wins
	if d.hasSnt {
		slices.Reverse(names[:])
		slices.Reverse(values[:])
	}
	for i, name := range names {
		if err := e.named(nudge.NameTs, rankTop, values[i], where{name: name}); err != nil {
			return err
		}
	}
	return nil
}
