package rules

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// pair is one entry of a map in a file.
type pair struct {
	key   string
	at    pos
	value ast.Node
}

// pairs lists a map's entries in the order written; what names them in messages, as in "entry". A pair's own position in the tree is
// that of the map's bracket, so the key's is used.
func (r *reporter) pairs(m *ast.MapNode, what string) []pair {
	var out []pair
	seen := map[string]bool{}
	for _, n := range m.Pairs {
		p, ok := n.(*ast.PairNode)
		if !ok {
			continue
		}
		key, ok := p.Key.(*ast.StringNode)
		if !ok {
			r.errorf(nodePos(p.Key), "", "a key is a name or a quoted text")
			continue
		}
		at := pos(key.Location().From)
		if seen[key.Value] {
			r.errorf(at, "", "the %s %s stands here twice", what, quote(key.Value))
			continue
		}
		seen[key.Value] = true
		out = append(out, pair{key: key.Value, at: at, value: p.Value})
	}
	return out
}

// The entries of a rule, and those of versions to come.
var (
	ruleEntries  = []string{"per", "when", "then", "unless", "cooldown", "limit", "priority", "mode", "title", "owner", "tags"}
	laterEntries = map[string]bool{
		"delay": true, "between": true, "variants": true, "holdout": true, "goal": true, "for": true, "repeat": true,
		"rearm": true, "expires": true, "hours": true, "assume": true,
	}
)

// letDef is one let of a file.
type letDef struct {
	name string
	at   pos
	node ast.Node
}

// ruleShape is a rule file taken apart, nothing in it checked yet.
type ruleShape struct {
	lets    []letDef
	entries map[string]pair
}

// MaxLets bounds the lets of one file.
const MaxLets = 100

const ruleExample = `{ per: visitor, when: happened(page_view, "7d"), then: popup("hello") }`

// shape takes a tree apart into its lets and the entries of its map.
func (r *reporter) shape(tree ast.Node) *ruleShape {
	s := &ruleShape{entries: map[string]pair{}}
	for {
		let, ok := tree.(*ast.VariableDeclaratorNode)
		if !ok {
			break
		}
		s.lets = append(s.lets, letDef{let.Name, pos(let.Location().From), let.Value})
		tree = let.Expr
	}
	if len(s.lets) > MaxLets {
		r.errorf(s.lets[MaxLets].at, "", "a file has at most %d lets", MaxLets)
		return nil
	}
	m, ok := tree.(*ast.MapNode)
	if !ok {
		r.errorf(nodePos(tree), ruleExample, "a rule file is one map in braces, with any `let`s before it")
		return nil
	}
	for _, p := range r.pairs(m, "entry") {
		if r.checkEntry(p) {
			s.entries[p.key] = p
		}
	}
	for _, required := range [...]string{"per", "when", "then"} {
		if !hasKey(m, required) && !misspelt(m, required) {
			r.errorf(pos(m.Location().From), missingEntryFix[required], "the rule has no `%s`", required)
		}
	}
	return s
}

var missingEntryFix = map[string]string{
	"per":  "per: visitor, per: user or per: company: whom the rule watches",
	"when": `when: count(page_view, "7d") >= 3, for instance`,
	"then": `then: popup("template") or then: alert("text")`,
}

func hasKey(m *ast.MapNode, key string) bool {
	for _, n := range m.Pairs {
		if p, ok := n.(*ast.PairNode); ok {
			if k, ok := p.Key.(*ast.StringNode); ok && k.Value == key {
				return true
			}
		}
	}
	return false
}

// misspelt says whether an entry of m has been reported as another spelling of key.
func misspelt(m *ast.MapNode, key string) bool {
	return slices.ContainsFunc(m.Pairs, func(n ast.Node) bool {
		p, ok := n.(*ast.PairNode)
		if !ok {
			return false
		}
		k, ok := p.Key.(*ast.StringNode)
		return ok && !laterEntries[k.Value] && entryMeant(k.Value) == key
	})
}

// otherEntries are entries as others call them.
var otherEntries = map[string]string{
	"if": "when", "where": "when", "condition": "when", "trigger": "when", "who": "per", "by": "per", "key": "per", "do": "then", "action": "then",
	"actions": "then", "name": "title", "description": "title", "except": "unless", "status": "mode",
}

// entryMeant is the entry that was most likely meant, "" if none is near.
func entryMeant(key string) string {
	if meant := otherEntries[key]; meant != "" {
		return meant
	}
	return closest(key, ruleEntries)
}

func (r *reporter) checkEntry(p pair) bool {
	for _, e := range ruleEntries {
		if p.key == e {
			return true
		}
	}
	list := "the entries are " + strings.Join(ruleEntries, " ")
	if laterEntries[p.key] {
		r.errorf(p.at, list, "`%s` is not in this version", p.key)
		return false
	}
	if near := entryMeant(p.key); near != "" {
		list = "did you mean `" + near + "`?"
	}
	r.errorf(p.at, list, "a rule has no entry `%s`", p.key)
	return false
}
