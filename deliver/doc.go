// Package deliver hands firings to whom they are for: popups to a visitor's browser, alerts to the sales feed.
//
// Nouns:
//
//   - popup: one popup action of a delivered firing. It is pending until a receipt or until it expires.
//   - inbox: the pending popups of one visitor, oldest first.
//   - receipt: an event by which the browser says that it showed, clicked or dismissed a popup.
//   - alert: one alert action of a delivered firing. Alerts are not kept here: the feed is the truth, this package walks it.
//   - stream: one open response of server-sent events. It runs on its connection's own goroutine.
//   - poll: one request that waits for something to come.
//
// The ids of a firing's popups are the firing's own id for the first, and "<id>.1", "<id>.2" … for the others; a firing's alerts are
// numbered in the same way. The cursor of each is its firing's: pages and resumption never split a firing.
//
// Order of operations for a popup: Publish puts all popups of one firing into the visitor's inbox under one lock, then rings the
// inbox's bell; each stream and poll of that visitor wakes, reads the inbox from its own cursor on, and writes. So the inbox is the
// queue of every stream of a visitor at once, and there is no other: what a stream has not sent yet costs nothing extra, is bounded
// by MaxPopupsPerVisitor (I8), and a popup that was answered in another tab is not sent any more. Publish writes to no connection and
// waits for none; a consumer that takes no bytes for StallTimeout is closed and comes back with Last-Event-ID.
//
// For an alert: Publish rings one bell, and each consumer reads the feed from its own cursor on. It asks for the bell before it reads,
// so that nothing falls between, and nothing comes twice (I5). A bell is a hint: streams also look at each heartbeat.
//
// Invariants kept here: I4 (ids and cursors are the firings'), I5 (a firing once per cursor walk; one that comes out again while the
// engine recovers is taken once), I8 (streams, polls, pending popups are bounded; at the bound those streams and polls count no more
// whose connection the other side has closed, and a request that finds no room even so is refused with 429; of the popups the oldest go, counted).
//
// An erased visitor's popups are not pending any more; who reads alerts does not see what the feed hides.
//
// Not here: deciding what fires, caps and cooldowns, storing anything. After a restart the engine publishes again what fired within the
// life of a popup, and then the receipts that it keeps: what was pending is pending again.
package deliver
