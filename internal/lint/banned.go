package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// pureDirs hold the code whose answers are a function of the log alone (I2).
var pureDirs = []string{"engine", "rules"}

// Files of pure folders that may do what the others may not, and why.
var (
	mayReadClock = map[string]string{
		"engine/node.go":      "the clock of the node, whose readings are logged before they count",
		"engine/sequencer.go": "stamps and seals batches: the one place where time becomes a part of the log",
		"engine/full.go":      "paces the tries of a full disk, for the sequencer",
		"engine/catchup.go":   "says how long catching up took, and paces its tries of a full disk, for the sequencer",
		"engine/applier.go":   "looks after the checkpoint now and then; when does not change what is in it",

		"engine/eraser.go":        "waits before it tries again what files still hold; when does not change what goes",
		"engine/warmup_reader.go": "paces the reading of the log; how fast does not change what is read",
	}
	mayStart = map[string]string{
		"engine/engine.go":            "the barrier between levels: starts one goroutine per shard and waits for them",
		"engine/node.go":              "the owner of the sequencer's and the applier's goroutine",
		"engine/checkpoint_writer.go": "the owner of the goroutine that writes a checkpoint",
		"engine/away.go":              "reads rows beside each other for a shard, which waits for them",
		"engine/feed.go":              "reads the stored firings through while the node recovers, which waits for it",
		"engine/warmup.go":            "the owner of the goroutine that reads the log back for warming rules",
	}
)

// bannedImports are packages whose answers differ from run to run.
var bannedImports = []string{"math/rand", "math/rand/v2", "crypto/rand", "hash/maphash"}

// bannedCalls of package time wait for or read the clock of the machine.
var bannedCalls = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer", "Sleep"}

func isPure(f *file) bool { return under(f.dir(), pureDirs) && !f.isTest() }

// purityRule keeps clocks, chance and stray goroutines out of the pure folders.
func purityRule(t *tree) (found []finding) {
	for _, f := range t.goFiles(isPure) {
		for _, spec := range f.ast.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); slices.Contains(bannedImports, name) {
				found = append(found, t.at(f, spec.Pos(), "%s gives other answers in every run (I2)", name))
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(bannedCalls, n.Sel.Name) && mayReadClock[f.path] == "" {
					found = append(found, t.at(f, n.Pos(), "time.%s: take the time from the record (I2)", n.Sel.Name))
				}
			case *ast.GoStmt:
				if mayStart[f.path] == "" {
					found = append(found, t.at(f, n.Pos(), "a goroutine is started here: only %s may", sortedKeys(mayStart)))
				}
			}
			return true
		})
	}
	return found
}

func sortedKeys(m map[string]string) string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// unordered marks a function that ranges over a map although its folder is pure; the reason follows it.
const unordered = "//nudge:unordered"

// mapOrderRule finds loops over maps in the engine: their order differs from run to run.
func mapOrderRule(t *tree) (found []finding) {
	p := newChecker(t).check("engine")
	for _, f := range p.files {
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			reason, marked := unorderedReason(fn)
			if marked && reason == "" {
				found = append(found, t.at(f, fn.Pos(), "%s wants a reason behind it", unordered))
			}
			if marked {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if loop, ok := n.(*ast.RangeStmt); ok && isMap(p.info, loop.X) && !perKey(loop) {
					found = append(found, t.at(f, loop.Pos(),
						"a loop over a map has no order (I2): sort, or mark the function with %s and a reason", unordered))
				}
				return true
			})
		}
	}
	return found
}

func unorderedReason(fn *ast.FuncDecl) (reason string, marked bool) {
	if fn.Doc == nil {
		return "", false
	}
	for _, c := range fn.Doc.List {
		if rest, ok := strings.CutPrefix(c.Text, unordered); ok {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// perKey says whether a loop does nothing but set what another map holds under the same key, in any order the same.
func perKey(loop *ast.RangeStmt) bool {
	key, ok := loop.Key.(*ast.Ident)
	for _, stmt := range loop.Body.List {
		set, isSet := stmt.(*ast.AssignStmt)
		if !ok || !isSet || set.Tok != token.ASSIGN || len(set.Lhs) != 1 {
			return false
		}
		at, isIndex := set.Lhs[0].(*ast.IndexExpr)
		if !isIndex {
			return false
		}
		if k, isIdent := at.Index.(*ast.Ident); !isIdent || k.Name != key.Name {
			return false
		}
	}
	return ok && len(loop.Body.List) > 0
}

func isMap(info *types.Info, x ast.Expr) bool {
	if call, ok := x.(*ast.CallExpr); ok {
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
			pkg, ok := sel.X.(*ast.Ident)
			return ok && pkg.Name == "maps"
		}
	}
	t := info.TypeOf(x)
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// initRule keeps registries out: what a program holds is put together where it is started.
func initRule(t *tree) (found []finding) {
	for _, f := range t.goFiles(func(*file) bool { return true }) {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, t.at(f, fn.Pos(), "init runs behind everybody's back: call a function where it is needed"))
			}
		}
	}
	return found
}

// sleepRule keeps waiting out of the tests: an event is waited for, or time is virtual, as in the bubbles of testing/synctest.
func sleepRule(t *tree) (found []finding) {
	for _, f := range t.goFiles(func(f *file) bool { return f.isTest() && !f.imports("testing/synctest") }) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
					found = append(found, t.at(f, n.Pos(), "a test sleeps: wait for what happens, or use virtual time"))
				}
			}
			return true
		})
	}
	return found
}

// globalsRule finds variables of packages that change: in pure folders they carry state past the log, elsewhere past their owner.
func globalsRule(t *tree) (found []finding) {
	c := newChecker(t)
	for _, dir := range t.dirs {
		if dir == "." {
			dir = ""
		}
		if under(dir, []string{"internal/tools"}) {
			continue
		}
		p := c.check(dir)
		for _, f := range p.files {
			ast.Inspect(f.ast, func(n ast.Node) bool {
				for _, target := range written(n) {
					if v := packageVar(p, target); v != nil {
						found = append(found, t.at(f, n.Pos(), "%s is a variable of the package and is changed here: give it an owner", v.Name()))
					}
				}
				return true
			})
		}
		if under(dir, pureDirs) {
			found = append(found, unsetVars(t, p)...)
		}
	}
	return found
}

// written are the expressions that a statement changes.
func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.CallExpr:
		if fn, ok := n.Fun.(*ast.Ident); ok && (fn.Name == "delete" || fn.Name == "clear" || fn.Name == "copy") && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// packageVar is the variable of the package that an expression is a part of, nil if it is none.
func packageVar(p *checked, x ast.Expr) *types.Var {
	for {
		switch e := x.(type) {
		case *ast.IndexExpr:
			x = e.X
		case *ast.SelectorExpr:
			x = e.X
		case *ast.SliceExpr:
			x = e.X
		case *ast.StarExpr:
			x = e.X
		case *ast.ParenExpr:
			x = e.X
		case *ast.Ident:
			v, ok := p.info.Uses[e].(*types.Var)
			if !ok || p.pkg == nil || v.Parent() != p.pkg.Scope() {
				return nil
			}
			return v
		default:
			return nil
		}
	}
}

// unsetVars are package variables without a value: they can only be there to be changed, if by a method.
func unsetVars(t *tree, p *checked) (found []finding) {
	for _, f := range p.files {
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				if len(v.Values) == 0 {
					found = append(found, t.at(f, v.Pos(), "%s has no value, so it is there to be changed: give it an owner", v.Names[0].Name))
				}
			}
		}
	}
	return found
}
