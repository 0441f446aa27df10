//go:build !planted

package state

// planted says whether a bug was put in on purpose, to see that the tests catch it: see planted_on.go. Here there is none, and the compiler
// leaves the places out.
func planted(bug) bool { return false }
