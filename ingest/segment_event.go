package ingest

import (
	"github.com/valyala/fastjson"

	"nudge"
)

// segmentEvent is one event in Segment's form, on its way into the codec's draft.
type segmentEvent struct {
	c        *Codec
	v        *fastjson.Value
	contexts [2]*fastjson.Value // its own, then the batch's; nil where there is none
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
func (e *segmentEvent) named(id nudge.NameID, r rank, v *fastjson.Value, at where) *Error {
	if v == nil {
		return nil
	}
	val, err := e.c.jsonValue(v, at, 1)
	if err != nil {
		return err
	}
	return e.c.named(id, r, val, at)
}

func (e *segmentEvent) identity() *Error {
	for _, m := range [...]struct {
		name string
		id   nudge.NameID
	}{{"messageId", nudge.NameID_}, {"anonymousId", nudge.NameVisitor}, {"userId", nudge.NameUser}} {
		if err := e.named(m.id, rankTop, e.v.Get(m.name), where{name: m.name}); err != nil {
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

func (e *segmentEvent) context(ctx *fastjson.Value) *Error {
	if ctx == nil {
		return nil
	}
	for _, f := range contextFields {
		v := ctx.Get(f.object, f.member)
		if err := e.named(f.id, rankContext, v, where{"context." + f.object + ".", f.member}); err != nil {
			return err
		}
	}
	return nil
}

// bag takes the members of properties or traits.
func (e *segmentEvent) bag(name, prefix string, emailIsTheirs bool) *Error {
	v := e.v.Get(name)
	if v == nil || v.Type() == fastjson.TypeNull {
		return nil
	}
	if v.Type() != fastjson.TypeObject {
		return refuse(CodeWrongType, where{name: name}, "must be an object, not %s", jsonKind(v))
	}
	var err *Error
	v.GetObject().Visit(func(key []byte, m *fastjson.Value) {
		switch {
		case err != nil:
		case emailIsTheirs && string(key) == "email":
			err = e.named(nudge.NameEmail, rankProps, m, where{prefix, "email"})
		default:
			err = e.c.jsonMember(rankProps, view(key), m, prefix, MaxDepth)
		}
	})
	return err
}

func (e *segmentEvent) properties() *Error { return e.bag("properties", "properties.", false) }

// traits takes identify's or group's. Only a person's traits hold the person's address.
func (e *segmentEvent) traits(ofPerson bool) *Error { return e.bag("traits", "traits.", ofPerson) }

func (e *segmentEvent) track() *Error {
	at := where{name: "event"}
	if err := e.named(nudge.NameType, rankTop, e.v.Get("event"), at); err != nil {
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
	for _, name := range [...]string{"name", "category"} {
		v := e.v.Get(name)
		if v == nil || v.Type() == fastjson.TypeNull {
			continue
		}
		if v.Type() != fastjson.TypeString {
			return refuse(CodeWrongType, where{name: name}, "must be text, not %s", jsonKind(v))
		}
		if err := e.c.jsonMember(rankTop, name, v, "", MaxDepth); err != nil {
			return err
		}
		if name == "name" && !e.c.draft.has(nudge.NameTitle) {
			e.c.draft.put(nudge.NameTitle, rankContext, view(v.GetStringBytes()))
		}
	}
	return nil
}

func (e *segmentEvent) group() *Error {
	e.c.draft.typ = "group"
	if err := e.named(nudge.NameCompany, rankTop, e.v.Get("groupId"), where{name: "groupId"}); err != nil {
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
	v := e.v.Get("previousId")
	if v == nil {
		return refuse(CodeMissing, at, "is missing: alias needs the id that was used before")
	}
	val, err := e.c.jsonValue(v, at, 1)
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
	d.sent, d.hasSnt = lenientInstant(e.v.Get("sentAt"))
	if !d.hasSnt {
		d.sent, d.hasSnt = r.sentAt, r.hasSent
	}
	names := [...]string{"originalTimestamp", "timestamp"} // the later one wins
	if d.hasSnt {
		names = [...]string{"timestamp", "originalTimestamp"}
	}
	for _, name := range names {
		if err := e.named(nudge.NameTs, rankTop, e.v.Get(name), where{name: name}); err != nil {
			return err
		}
	}
	return nil
}
