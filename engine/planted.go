//go:build !planted

package engine

// planted is a bug put in on purpose, to see that the tests catch it: see planted_on.go. Here there is none, and the compiler leaves the
// places out.
const planted = noBug
