// Package ingest takes events in: it decodes, authorises and normalises what sites and Segment's libraries send, hands each request's
// records to the engine at once, and answers when they are durable.
//
// # Nouns
//
//   - Codec: bytes in, records out; one goroutine's own, with nothing allocated per event in the steady state.
//   - draft: one event between the two, whatever form it came in.
//   - Server: the HTTP side: keys, limits, CORS, answers. It carries other packages' routes too.
//   - Sink: who takes the records, once per request, never per event.
//   - Eraser: who erases persons, and knows how far that has come.
//
// An event passes scan.go (where does it start and end), native.go, msgpack.go, csv.go or segment_event.go (its form), draft.go (its
// members), finish.go (the record).
//
// # What a native event becomes
//
// Named fields are id, type, ts, visitor, user, email, company and the page context (url, path, host, referrer, title, utm_source,
// utm_medium, utm_campaign, utm_term, utm_content). They are texts, ts a number of milliseconds or RFC 3339. A whole number in id,
// visitor, user or company is taken as its exact text; null is missing, and so is empty text in id, visitor, user, email and company; any
// other wrong type is refused with an error that names the field. email is trimmed and in lower case. sentAt, the sender's clock at the
// moment of sending, corrects ts and is not kept. at counts in a replay only. writeKey is never a field.
//
// Everything else is a property: text, number (a float of 64 bits), bool or null; an object is flattened to dotted names ("card.brand"),
// an array is kept as JSON text. Members of props are properties under their bare names; page context counts there too, but id, type, ts,
// at, visitor, user, email and company do not: they become "props.id" and so on, since a product's id is no message id and a company typed
// into a form is nobody's employer. A top-level member wins over the same one in props, and of two alike the later.
//
// Decided here and stored, because the tables change: the registrable domain of a work mail address (freemail.txt and the public suffix
// list; in ASCII form), path, host and utm_* from url where not given (host with its port and path still escaped, as a browser's location
// shows them), and the skew of the sender's clock.
//
// Text that is not UTF-8 has U+FFFD in place of what is wrong.
//
// # What a Segment event becomes
//
//	track      type: event             properties are props
//	identify   type: "identify"        traits are props; traits.email is email
//	page       type: "page_view"       properties are props; name and category too; name is title where there is none
//	screen     type: "screen_view"     as page
//	group      type: "group"           groupId is company; traits are props
//	alias      type: "alias"           previousId is visitor where there is no anonymousId, and a property; to itself: no record
//
// anonymousId is visitor, userId is user, messageId is id. context.page (url, path, referrer, title) and context.campaign (source, medium,
// name, term, content) are page context where properties give none, context.traits.email is email; the rest of context is not kept. A
// batch's context stands behind its items' own. properties.email is the property "props.email": only traits say who somebody is.
// With sentAt, ts = received − (sentAt − originalTimestamp), or timestamp where there is no original; without, ts = timestamp, else
// originalTimestamp. A sentAt that cannot be read is as if it were missing. sentAt may be on the item or the batch.
//
// # Invariants
//
//   - I1: 2xx is answered only after Sink.Submit has returned, which it does when the records are durable.
//   - I8: every limit is a constant in limits.go or an option, with an answer of its own; a full engine is answered 429, never 2xx.
//
// A body that is cut off or not well formed is refused whole; events that are well formed but wrong are rejected one by one, and the
// others are taken. A request of which nothing is taken never reaches the Sink.
//
// It does not de-duplicate, resolve identity or stamp log time: those depend on the order of the log and are the engine's.
package ingest
