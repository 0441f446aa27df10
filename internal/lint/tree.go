package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// tree is the repository as the rules see it.
type tree struct {
	fset  *token.FileSet
	files []*file // sorted by path
	dirs  []string
}

// file is one text file.
type file struct {
	path string // from the root of the repository, with slashes
	text string
	ast  *ast.File // of Go files
}

// finding is one place where a rule is broken.
type finding struct {
	path    string
	line    int
	message string
}

func (f finding) String() string {
	if f.line == 0 {
		return fmt.Sprintf("%s: %s", f.path, f.message)
	}
	return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.message)
}

func (t *tree) at(f *file, pos token.Pos, format string, args ...any) finding {
	return finding{f.path, t.fset.Position(pos).Line, fmt.Sprintf(format, args...)}
}

func (f *file) dir() string {
	if d := path.Dir(f.path); d != "." {
		return d
	}
	return ""
}

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// Folders and files that are not part of the source: what builds, runs and package managers leave behind.
var (
	notSourceNames = []string{".git", "node_modules", "target"} // a folder; .git is a file in a second work tree, target is what Maven builds
	notSourcePaths = []string{"bin", "data", "examples/data"}
	notSourceEnds  = []string{".prof", ".png", ".ico", ".woff2", ".gz", ".zst"}
)

// readTree reads the repository at root.
func readTree(root string) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if slices.Contains(notSourceNames, d.Name()) || slices.Contains(notSourcePaths, rel) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			t.dirs = append(t.dirs, rel)
			return nil
		}
		if !d.Type().IsRegular() || slices.Contains(notSourceEnds, path.Ext(rel)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return nil // a binary
		}
		return t.add(rel, string(text))
	})
	return t, err
}

// add parses one file.
func (t *tree) add(rel, text string) error {
	f := &file{path: rel, text: text}
	if strings.HasSuffix(rel, ".go") {
		parsed, err := parser.ParseFile(t.fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f.ast = parsed
	}
	t.files = append(t.files, f)
	return nil
}

func (f *file) imports(name string) bool {
	return slices.ContainsFunc(f.ast.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == `"`+name+`"` })
}

func (t *tree) find(rel string) *file {
	for _, f := range t.files {
		if f.path == rel {
			return f
		}
	}
	return nil
}

// goFiles are the Go files for which keep says yes.
func (t *tree) goFiles(keep func(*file) bool) (out []*file) {
	for _, f := range t.files {
		if f.ast != nil && keep(f) {
			out = append(out, f)
		}
	}
	return out
}

// under says whether a folder is one of dirs or inside one; "" is the root package alone.
func under(dir string, dirs []string) bool {
	for _, d := range dirs {
		if dir == d || d != "" && strings.HasPrefix(dir, d+"/") {
			return true
		}
	}
	return false
}
