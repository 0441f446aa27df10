// Package lint holds the house rules that a compiler does not check, as tests that read the source: which part imports which, what the
// deterministic parts must not use (I2), how long a file and a function may be, what words the tree must not hold, and what the README,
// the Makefile and .ci/run promise each other.
//
// Its nouns: a tree is the files of the repository, a rule reads a tree and returns findings. The rules read with go/parser and a
// type check of their own rather than through `go list`, whose answer the test cache would keep after the tree has changed.
//
// It does not judge style: gofumpt, vet and staticcheck do, in `make check`.
package lint
