package ingest

import (
	"strconv"

	"nudge"
)

// complete gives the nth event of a message what it lacks.
func (c *Codec) complete(n int) {
	d, from := &c.draft, &c.origin
	if from.ID != "" && !d.has(nudge.NameID_) {
		id := from.ID
		if n > 0 {
			id += ":" + strconv.Itoa(n)
		}
		d.put(nudge.NameID_, rankTop, id)
	}
	if from.Ts != 0 && !d.hasTs {
		d.ts, d.hasTs, d.hasSnt = from.Ts, true, false
	}
}

// finish checks the draft as a whole, decides what depends on tables that change (the page's parts, the mail domain, the skew of the
// sender's clock) and appends the record.
func (c *Codec) finish(received nudge.Millis, hasReceived bool, b *nudge.RecordBuilder) *Error {
	d := &c.draft
	typ, err := c.typeID(d.typ)
	if err != nil {
		return err
	}
	hash, ok := d.hash()
	if !ok {
		return refuse(CodeMissing, where{name: "visitor"}, "is missing, and so are user, email and company: an event needs one of them")
	}
	if err := d.correctSkew(received, hasReceived); err != nil {
		return err
	}
	c.derivePage()

	b.Begin(nudge.RecordEvent, typ)
	names := len(d.others) // that are spelled out
	if typ == nudge.NameOther {
		b.OtherType(d.typ)
		names++
	}
	if d.hasTs {
		b.Ts(d.ts)
	}
	for id := nudge.NameID_; id <= nudge.NameUTMContent; id++ {
		if d.has(id) {
			b.Text(id, d.texts[id])
		}
		if id == nudge.NameEmail {
			if domain := c.mail.workDomain(d.texts[id]); domain != "" {
				b.Text(nudge.NameMailDomain, domain)
			}
		}
	}
	for i := range d.fields {
		b.Value(d.fields[i].name, d.fields[i].value)
	}
	for i := range d.others {
		b.Other(d.others[i].name, d.others[i].value)
	}
	if n := b.Fields() - names; n > MaxFields {
		b.Abort()
		return refuse(CodeTooManyFields, where{}, "the event has %d fields, the limit is %d: send fewer, or put a list into an array", n, MaxFields)
	}
	b.End(hash)
	return nil
}

// typeID checks the event's type and returns its name's id.
func (c *Codec) typeID(typ string) (nudge.NameID, *Error) {
	at := where{name: "type"}
	if typ == "" {
		return 0, refuse(CodeMissing, at, "is missing: say what happened, as in \"page_view\"")
	}
	id, err := c.names.id(typ, at)
	if err != nil {
		return 0, err
	}
	if id == nudge.NameFired {
		return 0, refuse(CodeReserved, at, "is \"fired\", which only the engine itself makes")
	}
	if c.reserved(id) {
		return 0, refuse(CodeReserved, at, "is %q, which a rule emits: from outside it must have another name", typ)
	}
	return id, nil
}

// hash is that of the record's primary key; false where the event has no key at all.
func (d *draft) hash() (nudge.KeyHash, bool) {
	switch {
	case d.has(nudge.NameVisitor):
		return nudge.HashKey("visitor", d.texts[nudge.NameVisitor]), true
	case d.has(nudge.NameUser):
		return nudge.HashKey("user", d.texts[nudge.NameUser]), true
	case d.has(nudge.NameEmail):
		return nudge.HashKey("email", d.texts[nudge.NameEmail]), true
	case d.has(nudge.NameCompany):
		return nudge.HashKey("company", d.texts[nudge.NameCompany]), true
	}
	return 0, false
}

// correctSkew moves ts from the sender's clock to ours: the time between happening and sending is the same on both.
func (d *draft) correctSkew(received nudge.Millis, hasReceived bool) *Error {
	if !d.hasTs || !d.hasSnt || !hasReceived {
		return nil
	}
	ts := received - (d.sent - d.ts)
	if ts < 0 || ts > MaxTs {
		return refuse(CodeBadValue, where{name: "sentAt"}, "and ts lie %d ms apart, which puts the event at %d ms since 1970", d.sent-d.ts, ts)
	}
	d.ts = ts
	return nil
}
