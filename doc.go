// Package nudge is the vocabulary that every other package of the module shares. It imports only the standard library and a hash.
//
// The words, one per concept:
//
//   - event: one fact about one visitor at one instant, as a site sends it.
//   - record: an event (or a tick, deployment, erasure, receipt) in the flat binary form that is logged and applied.
//   - void: the record that stands where one was that is gone. It keeps the offset and the log time.
//   - log: the one durable, ordered file of records of a node; the whole state is a function of it.
//   - offset: a record's position in the log. Consecutive, never given out twice.
//   - shard: a goroutine over a slice of the key space. Answers never depend on how many there are.
//   - key: whom a rule watches: a visitor, a user, a company, or the text of an expression over one event.
//   - past: what an anonymous visitor did, kept under the visitor until the identifying event merges it into the user.
//   - operator: a small state machine per key (count, distinct, dwell, …) that rules share.
//   - timer: an instant at which a key must be looked at though no event came.
//   - tick: a record that carries nothing but the time.
//   - rule: one .expr file: per whom, when, then what.
//   - firing: a rule's condition became true for a key. Its id, order and cursor follow from the log alone (I4).
//   - suppression: a firing that unless, cooldown or limit held back; recorded with its reason, never delivered.
//   - action: what a firing does: a popup, an alert.
//   - erasure: a person, one visitor or a user with its visitors, is removed from state, feed and files. Its receipt says what was removed.
//   - source: the hash of the primary key of the event that brought something. An erasure goes by it.
//   - checkpoint: the whole state at one offset, in one store.
//   - snapshot: a copy of a checkpoint that can be carried elsewhere.
//   - delivery: handing a firing's actions to whom they are for.
//   - position: how far a source of events has been read, or firings have been sent on; logged with what it covers.
//   - cursor: a firing's place in the one order of firings: (offset, n).
package nudge
