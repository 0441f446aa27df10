// Command nudge is the whole engine in one binary.
//
// Each sub-command is a file of its own: serve, replay, check, test, demo, version. This package owns what the other parts must not know
// about: flags, environment variables, nudge.yaml, signals, exit codes, the terminal. It wires the parts together and holds no rule of
// its own about what a rule means.
//
// Two things here decide bytes: the clock of a replay (replay_clock.go), which stamps each line as SEMANTICS.md section 6 says, and the
// order in which a replay's blocks are applied (replay_pipeline.go). Both are functions of the input alone (I2).
package main
