// Package bench measures Nudge the way a doubter would: with a workload that is written down, beside a floor that does the same work
// with nothing in between, in the same process and in interleaved rounds.
//
// Its nouns: a workload is a seeded stream of events and its rules; a level is a part of Nudge that is measured (the core: operators and rules in memory; the whole
// engine with its log; the server over HTTP, a decision in the response, timers, streams, a replay, a restart); a floor is what a level is compared with; a peer is another engine with the workload's rules, in a process of its
// own (peers/README.md), or another server with rules that both can say; a round measures each of them once; a spread is the median of the rounds with the least and the most; a report is what came out, for people and as JSON.
//
// Order of operations in Run: warm up every measured thing once, unrecorded; then Options.Rounds rounds, each of which measures every thing once, beginning
// with another one each time, so that what the machine does meanwhile falls on all of them; then the medians. Ratios are taken within a round. Where a
// floor gives answers, they must be Nudge's, or nothing is reported; a peer whose answers are others is left out, with the reason, as is one that cannot run here.
//
// Everything is bounded and ends by itself, and the data folders that are made are removed. The load generator shares the cores with what it
// loads: figures are those of one small machine, not of a server with clients elsewhere.
//
// Invariants it leans on: I1 (what is answered is durable, so the disk is in every figure over HTTP) and I2 (equal answers on any number of shards).
//
// It parses no flags and reads no environment: callers fill in Options.
package bench
