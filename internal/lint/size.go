package lint

import (
	"go/ast"
	"strings"
)

// A file and a function beyond these lengths hold more than one thing.
const (
	maxFileLines     = 600
	maxFunctionLines = 100
)

// sizeRule finds long files and functions. The table of a test may be as long as it needs.
func sizeRule(t *tree) (found []finding) {
	for _, f := range t.goFiles(func(*file) bool { return true }) {
		if n := strings.Count(f.text, "\n"); n > maxFileLines {
			found = append(found, finding{f.path, 0, "more than 600 lines: one file is one concept"})
		}
		if f.isTest() {
			continue
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
				found = append(found, t.at(f, fn.Pos(), "%s has %d lines, at most %d fit a screen", fn.Name.Name, n, maxFunctionLines))
			}
		}
	}
	return found
}
