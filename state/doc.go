// Package state keeps what must outlive the process: the log and the checkpoint store, in one data folder.
//
//	DIR/LOCK    held while a process uses the folder
//	DIR/log     the log: segments and a manifest
//	DIR/store   the checkpoint store: Pebble
//
// The nouns:
//
//   - entry: the records of one micro-batch under one header; the unit that is written, synced and checked.
//   - segment: one file of entries. It defines the name ids that it uses and stands alone. All but the last are sealed: never appended to again.
//   - shape: what records have in common: type and names and kinds of their fields. A packed record names it and holds but its values.
//   - block: many entries of a rewritten segment, compressed together. It stands alone.
//   - rewriting: a sealed segment is written anew, under another name: smaller, and with voids where records were dropped. Offsets stay.
//   - manifest: the list of the sealed segments with their offsets and final checksums. Replaced as a whole, never changed in place.
//   - spare: the next segment, made ahead.
//   - damage: bytes that no crash of ours leaves behind. The log stops there and says where (I7).
//   - sums: notes of how much of Pebble's manifests was synced. Pebble would take a damaged one for an older state.
//   - read only: how a folder is opened by somebody who only wants to look at it.
//   - backup: a folder of its own with the store's newest commit and the log up to its durable end, made while the folder is used.
//   - commit: one atomic, durable change of the store.
//   - purge: the store's files are written anew until none holds what a row was before.
//
// The order of operations, on which everything rests:
//
//   - Append writes one entry; Sync makes it durable. At most one entry is unsynced at any time (Append syncs the one before if its caller
//     did not), so a crash can tear only the very last entry.
//   - A new segment is on disk under its name before the manifest calls the one before it sealed, and takes entries only after.
//     So a segment that the manifest expects and the folder lacks is damage, never a crash.
//   - A backup copies the store first and the log after, with trimming held, so its commit is never ahead of its log nor behind its beginning.
//   - A rewritten segment is durable under its name, and was read back, before the manifest names it; the old file goes after.
//   - Opening syncs the log's folder before it reads it: a process that was killed may have renamed a file and not come to that.
//   - Opening checks the last segment entry by entry. Only the very last entry may be dropped, only where its bytes look as a torn write
//     looks (see torn), and only if nothing valid follows. What is kept is written and synced once more, because a page that a failed sync left
//     clean would otherwise be trusted without being on disk; what is dropped is overwritten with zeros before anything is appended.
//   - A commit of the store is flushed when it returns. Pebble's own log is off: the log here is what a checkpoint is rebuilt from.
//
// Invariants kept here: I1 (Sync returns after the entry is durable; Confirm refuses a checkpoint ahead of the log), I3 (one commit holds a whole
// checkpoint or nothing of it), I6 (at never decreases, across restarts too), I7 (gap, bad checksum, offset beyond the end: an error that
// names file, byte and offset) and I9 (after a failed write or sync every call returns that error).
//
// The package does not know what records mean, what keys the store holds, or when to take a checkpoint; it starts no goroutine but the one that
// makes a spare and the one that reads ahead, which ends with ReadAhead. The formats are described in docs/format/log.md, record.md and checkpoint.md.
package state
