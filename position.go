package nudge

// A position says how far a source of events has been read, or how far firings have been sent on. It is a record of its own kind, logged in one
// request with what it covers: so the two are durable together or not at all, and a restart goes on exactly there, however long it was away.
// It changes no answer.

// Position appends the record that puts name at a place. The place is its owner's affair: only the newest is kept, as it was written.
func (b *RecordBuilder) Position(name, place string) {
	b.Begin(RecordPosition, NameNone)
	b.Text(NameKey, name)
	b.Text(NameSettings, place)
	b.End(0)
}

// Position reads a position record. The texts point into it.
func (r Record) Position() (name, place string) {
	return r.Field(NameKey).Text, r.Field(NameSettings).Text
}
