// Command nudge is the whole engine in one binary.
//
// Each sub-command is a file of its own: serve, replay, check, test, demo, version. This package owns what the other parts must not know
// about: flags, environment variables, nudge.yaml, signals, exit codes, the terminal. It wires the parts together and holds no rule of
// its own about what a rule means.
//
// What a replay prints depends on its input alone (I2): internal/replay.
package main
