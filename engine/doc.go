// Package engine applies records to state: (state, record) → (state, firings), for any number of shards with the same answers.
//
// Its nouns: a Batch of records goes through Apply; the identity stage settles who each record is about; three levels (visitors,
// users, companies and every other key) take their inputs in order, each level spread over the shards, with a barrier between
// levels; what a set of tests means to each scope, its reactions, is worked out once (met.go), and what rows
// of the same values mean is recalled (memo.go), and so is the hash of a long text (long_ids.go); what most events do to a key's slots is done without asking its table (quick.go); memory that is far away is met for a block of records together (ahead.go); forwards carry matching events and fired
// events upwards; a table holds the flat records of one shard's keys on one level and a heap their timers; a past, in the visitor's own
// record, holds what users' rules will want to know of a visitor without a user; a shelf holds, under a memory budget, the records that are away (away.go), of which those that the next batch needs are read early (early.go); a bin is a range of a checkpoint's rows that after a
// restart is either in the store, unread, or in memory (bins.go), and a hint says when one of its timers may be due (hints.go); an erase record takes a person out of all that, and of
// what is not the person's its texts (erase.go, scrub.go); a Node puts the log, the clock, the checkpoints and what follows from an
// erasure for the files (eraser.go) around it.
//
// Order of operations in Apply:
//
//  1. identity: every record is de-duplicated and given its user and company, in stamp order;
//  2. level 0, 1, 2: per shard, inputs sorted by order = (instant, timers before events, offset, source kind, source key, n);
//     the timers due at or before an input's instant run before it;
//  3. the firings of all shards are merged by their path, and numbered: cursor = (offset, n).
//
// Invariants kept here: I2 (no clock, no randomness, no map order, no batch boundary in any answer), I3 (one aligned checkpoint),
// I4 (ids and cursors from the log alone), I5 (firings leave only after every level is done), and in Node I1, I6, I8, I9.
//
// It does not parse rules (package rules), store bytes (package state) or talk to anybody (packages ingest and deliver).
package engine
