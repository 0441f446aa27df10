// Package oracle says what a set of rules fires on a stream of events, slowly and obviously. It keeps every event and recomputes
// everything at every instant, straight from the text of the rule language's definition, so that the engine's answers can be compared
// with it, byte for byte, on random rules and streams.
//
// The nouns, one file each:
//
//   - rule (rule.go): a parsed .expr file. Its parts stay syntax trees, which the other files walk. One that is deployed late rises only behind the
//     place (a line and its instant) at which it goes live, and up to the one at which it is removed.
//   - row (line.go): one event as rules see it, its identity resolved (identity.go).
//   - event test (test.go): SQL's three values over one row.
//   - condition (condition.go): two values over one key's rows at one instant; its operators (operators.go numbers.go newest.go score.go)
//     recompute from the rows.
//   - wait (wait.go): the state machine of absent and dwell, folded anew over all that the key took each time.
//   - match (sequence.go): the same for sequence.
//   - past (past.go): what a key took: rows, and the pasts of anonymous visitors that turned out to be this user.
//   - wake-up (wake.go): the instants at which time alone changes an answer.
//   - kept (kept.go): up to how many events a number is known that is used as it is, where Options.MaxKept says so.
//   - limit (limit.go) and action (action.go): what becomes of a rule that rises.
//   - key (key.go): the past of one visitor, user, company or other text; decides and settles its rules.
//   - world (world.go): all keys; lets one instant (a record, or all timers of one ms) pass through the kinds.
//
// Generate (gen.go, gen_features.go, gen_forms.go) makes rules and streams to compare on, and Shrink (shrink.go) makes a difference small enough to read.
//
// What it relies on: a row never changes once stamped; keys of one kind never touch each other (but an anonymous past joins its user), they
// only send firings upwards; so an instant is one sweep over the kinds visitor, user, company, other. The answers are a function of the lines
// alone (I2, I4).
//
// What it does not do: it is no checker (a rule that `nudge check` refuses may mean anything here), it knows no catalog. Whether an anonymous past goes to its user is an option. It shares only the root package's vocabulary with the engine.
package oracle
