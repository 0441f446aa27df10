// Package nats is both ends of Nudge on a NATS broker: a source reads events from a JetStream stream, the sink publishes firings. It is the one
// place that knows NATS; both ends share the connection, its faults and their cure.
//
// # Nouns
//
//   - link: keeps one end connected. It opens a session, and another one when that ends, for ever.
//   - session: one connection and what an end does with it. Nothing outlives it but the end's place.
//   - source: one stream of events, read by a durable consumer.
//   - place: how far an end has got. It is logged as a position record (package nudge), so it is durable together with what it covers.
//   - sink: the publisher of firings.
//   - dead letter: a message that holds events which cannot be taken, published to RejectedSubject.
//
// # A source
//
// A message is decoded, and its records are submitted in one request with the place behind it. Only then is it acknowledged (I1). The place
// decides what is new, not the broker's memory: a message at or before it is acknowledged and passed over, however late it comes again, and so the
// events count once. The order of the stream is kept: where a sequence number is left out, the stream itself is asked for what is missing.
// What it has is taken; what it has not is gone (by the stream's limits, a purge, a deletion, or damage), counted and logged.
//
// A stream that was made anew, which its time of creation shows, is read from its first message. One that has lost its end (a broker that does not
// sync, or a restored backup) gives out numbers again: the message at the place is then missing or another one, as its time shows, and
// reading goes on behind the last message that is not younger than the place.
//
// # The sink
//
// It walks the feed of firings from a cursor of its own, which moves over a firing when the broker has confirmed it, and is logged now
// and then. So it lags and never runs ahead: after a crash some firings go out again under the same ids. What of them the stream already holds
// is looked up first, whatever the stream's window for duplicates.
//
// Invariants kept here: I1, I5 (a firing is published after its cause is durable), I8 (what is in flight is bounded: pullMessages and pullBytes,
// window; a busy engine is asked again, later).
//
// It does not know rules, keep firings, or create streams.
package nats
