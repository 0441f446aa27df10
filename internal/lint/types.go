package lint

import (
	"go/ast"
	"go/types"
	"strings"
)

// checked is a package with the types of its expressions, as far as they follow from our own source: what comes from other modules and
// the standard library has no type here, which is enough to tell our maps and variables.
type checked struct {
	files []*file
	info  *types.Info
	pkg   *types.Package
}

// checker type-checks packages of ours on demand.
type checker struct {
	tree *tree
	done map[string]*checked
}

func newChecker(t *tree) *checker { return &checker{tree: t, done: make(map[string]*checked)} }

// Import makes checker a types.Importer: our packages from source, all others empty.
func (c *checker) Import(name string) (*types.Package, error) {
	if name == module {
		return c.check("").pkg, nil
	}
	if dir, ours := strings.CutPrefix(name, module+"/"); ours {
		return c.check(dir).pkg, nil
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	if len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" { // a major version
		short := strings.TrimSuffix(name, "/"+last)
		last = short[strings.LastIndexByte(short, '/')+1:]
	}
	pkg := types.NewPackage(name, last)
	pkg.MarkComplete()
	return pkg, nil
}

// check types the package in dir, tests left out.
func (c *checker) check(dir string) *checked {
	if p, ok := c.done[dir]; ok {
		return p
	}
	p := &checked{info: &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue), Uses: make(map[*ast.Ident]types.Object), Defs: make(map[*ast.Ident]types.Object),
	}}
	c.done[dir] = p
	p.files = c.tree.goFiles(func(f *file) bool { return f.dir() == dir && !f.isTest() })
	var asts []*ast.File
	for _, f := range p.files {
		asts = append(asts, f.ast)
	}
	config := types.Config{Importer: c, Error: func(error) {}} // most errors are about packages that are empty here
	name := dir
	if name == "" {
		name = module
	}
	p.pkg, _ = config.Check(name, c.tree.fset, asts, p.info)
	return p
}
