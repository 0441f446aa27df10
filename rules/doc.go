// Package rules turns a folder of .expr files into a Plan: what the engine runs.
//
// The path of a folder, one step per file of this package:
//
//	ReadFolder   source.go    the files, as text; EncodeSources is the form that a deploy record holds
//	readShape    parse.go     text → tokens (lex.go, guard.go) → expr-lang's syntax tree → the shape of a rule (shape.go), or of its pieces (cut.go, salvage.go)
//	catalog      catalog.go   which events and fields there are, and their types
//	checker      check.go     the world of event tests: tree → term (term.go), names resolved, types checked
//	conditions   cond.go      the world of conditions: tree → cond, operator calls (operators.go) cut out of the tree
//	actions      action.go    what then does: a name and a payload
//	planner      planner.go   equal tests, operators and scopes become one; terms and conds become closures
//	parts        leaves.go    conditions taken apart and calls as they are written, for those who explain them
//	index        index.go     which tests a row can match at all: by texts (filed.go), by ranges (spans.go)
//	never        never.go     tests that contradict themselves (fact.go), counts that do (ranges.go), what is always the same (same.go), rules that are (twins.go)
//	remarks      diag.go      what is reported: its code (codes*.go), its range (caret.go), its forms (output.go, sarif.go)
//	words        words.go     the words of the language for editors (completion.go)
//
// Its nouns: a source is one file. A term is a checked piece of an event test; its canonical text is its identity. A cond is a
// checked condition. An ask is one operator's call in a rule: which operator, and how that place looks at it.
//
// What holds:
//
//   - I2, I4: a plan is a function of the sources, the time zone and MaxKept alone. Nothing depends on map order, on the order in which
//     files are given, or on the numbers that Names gives out.
//   - Whatever text is given, Compile returns, and it reports every problem that it can tell apart, not only the first.
//   - Matching a row allocates nothing, but for texts that lower, upper or + make anew, and uses no reflection: tests are typed closures over a flat row, not a virtual machine over a map.
//   - The text of an operator says what its state means. Two operators with one text have one state; a changed rule keeps the
//     state of every operator whose text is unchanged.
//
// It does not hold any state of a key, run operators, read clocks, deliver, or watch folders: that is engine, deliver and cmd.
//go:generate go test -run TestPageOfCodesIsFresh -update

package rules
