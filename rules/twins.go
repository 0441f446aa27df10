package rules

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/expr-lang/expr/ast"
)

// twins warns of live rules whose per, when and then say the same: everybody gets what they do twice.
func twins(sources []Source, files []ruleFile) (diags Diagnostics) {
	first := make(map[string]int, len(files))
	warn := func(i, other int) {
		r := newReporter(sources[i])
		r.warnf(files[i].whenAt, "", "this rule does the same as %s", sources[other].File)
		diags = append(diags, r.diags...)
	}
	for i := range files {
		sense := files[i].sense
		if sense == "" {
			continue
		}
		twin, found := first[sense]
		if !found {
			first[sense] = i
			continue
		}
		warn(i, twin)
		warn(twin, i)
	}
	return diags
}

// sense is a hash of what per, when and then say. White space, comments, parentheses, and whether a test has a name or stands in its
// place make no difference to it.
func (s *ruleShape) sense() string {
	h := &senses{lets: map[string]string{}}
	for _, l := range s.lets {
		h.lets[l.name] = h.of(l.node)
	}
	return h.sum("rule", h.of(s.entries["per"].value), h.of(s.entries["when"].value), h.of(s.entries["then"].value))
}

// senses hashes syntax trees. A let has its hash once, however often it is used.
type senses struct {
	lets map[string]string
}

func (h *senses) sum(what string, parts ...string) string {
	d := sha256.New()
	for _, p := range append(parts, what) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		d.Write(size[:])
		d.Write([]byte(p))
	}
	return string(d.Sum(nil))
}

func (h *senses) all(what string, nodes ...ast.Node) string {
	parts := make([]string, len(nodes))
	for i, n := range nodes {
		parts[i] = h.of(n)
	}
	return h.sum(what, parts...)
}

func (h *senses) of(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if let, ok := h.lets[n.Value]; ok {
			return let
		}
		return h.sum("name", n.Value)
	case *ast.StringNode:
		return h.sum("text", n.Value)
	case *ast.UnaryNode:
		return h.all(oneWord(n.Operator), n.Node)
	case *ast.BinaryNode:
		return h.all(oneWord(n.Operator), n.Left, n.Right)
	case *ast.CallNode:
		return h.all("call", append([]ast.Node{n.Callee}, n.Arguments...)...)
	case *ast.ArrayNode:
		return h.all("list", n.Nodes...)
	case *ast.MapNode:
		return h.all("map", n.Pairs...)
	case *ast.PairNode:
		return h.all("pair", n.Key, n.Value)
	case *ast.MemberNode:
		return h.all("member", n.Node, n.Property)
	case nil:
		return ""
	}
	return h.sum("constant", fmt.Sprintf("%T", n), n.String())
}

// oneWord is an operator in the one way of writing it.
func oneWord(operator string) string {
	switch operator {
	case "&&":
		return "and"
	case "||":
		return "or"
	case "!":
		return "not"
	}
	return operator
}
