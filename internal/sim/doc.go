// Package sim simulates whole processes on a disk that fails them, among clients and consumers that do not give up, and holds what came out
// against the oracle. It is the real code from ingest's codec to the deliverers' cursors, on virtual time and with all its goroutines; only the
// disk, the clock on the wall and the HTTP connections are ours.
//
// The nouns:
//
//   - seed: decides everything, so that a run can be repeated.
//   - world: everything outside the process. It lives through all of a run's processes.
//   - life: one process, from opening the folder to its end: a signal, a kill, a power cut, or a disk that failed.
//   - disk: what a process asks for changes of files. It counts them, pulls the plug before one of them, lets one fail, and is slow.
//   - medium: the files as processes see them and as they are on the disk, entry by entry and sector by sector.
//   - ledger: what the log must hold, record by record, written before each append.
//   - client: sends requests, each until it is answered. Walker: a consumer that keeps a cursor, of all firings, of the alerts, or of a visitor's popups.
//   - fault: a crash before any operation on a file, also while the process still recovers, and one that leaves any of several changes of a folder; a
//     failed write or sync; a slow sync; a wall clock that is set; an event that comes twice, late, or from the future; a deployment while others run;
//     another number of shards; an erasure.
//
// What is wanted after every start, and at the end of the last life:
//
//   - I1: what was answered is in the log, once per sending, in order and whole; nothing is answered that the disk failed to take.
//   - I2, I3, I4: the feed is, to the byte, what the oracle says that the rules mean on the events of the log.
//   - I5: what was ever seen outside is in the feed, under the same cursor; every walk saw the whole feed, each firing once and in order.
//   - I6: log time never goes back.
//   - I7: no crash is taken for damage.
//   - I9: a failed write or sync of the log ends the process.
//   - Each event that was answered counts once; the popups that are pending are those that were fired, neither expired nor seen.
//
// Where persons and companies are erased the oracle says who they are, and what comes after is about somebody new. Their firings are gone from the
// feed, at once and behind every crash, and the others lose what they say of them; their popups are not pending; a receipt that was answered stays. At
// the end all erasures are complete, and exactly their events are voids in the log.
//
// A rule that is deployed late warms: the oracle is told from which record on it may fire, and that it was there from the beginning. So that this is
// known from the log alone, such a rule's tests are nobody else's.
//
// What it does not do: it runs no server and no browser, and it injects no error where Pebble answers with the end of the process, which here is the
// simulation's own. Where persons are erased no rule is deployed late, since that counts without them, the disk is never slow or full, since a commit waits for it
// under a lock that others want, and no table of the store fails, since a compaction of all of it would never end.
package sim
