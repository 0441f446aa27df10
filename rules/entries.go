package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

// rule is one checked rule file.
type rule struct {
	*reporter
	id       string
	kind     nudge.Kind
	per      *term // KindOther only
	when     *cond
	whenNode ast.Node // its syntax tree
	follows  []string // rules that when follows, sorted
	spared   []string // rules that unless asks for, sorted
	unless   *cond
	actions  []*action
	cooldown nudge.Millis
	limit    *Cap
	limitAt  pos
	priority float64
	mode     Mode
	title    string
	owner    string
	tags     []string
	whenAt   pos    // of the entry when
	sense    string // what per, when and then say, told apart by nothing else

	unlessNode ast.Node // the syntax tree of unless
}

// checkRule checks one file. The rule is of use only if the reporter then holds no error.
func checkRule(r *reporter, words *vocabulary) *rule {
	out := &rule{reporter: r, id: strings.TrimSuffix(r.file, fileSuffix)}
	s := r.readShape()
	if s == nil {
		return out
	}
	c := &checker{reporter: r, words: words}
	c.defineLets(s.lets)
	for _, name := range ruleEntries {
		if p, ok := s.entries[name]; ok {
			out.entry(c, p)
		}
	}
	out.checkOperators()
	if !r.diags.HasErrors() {
		c.warnUnusedLets(s.lets)
		r.warnMixed()
		if !r.deployed {
			out.sense, out.whenAt = s.sense(), s.entries["when"].at
		}
	}
	if out.when != nil {
		out.follows = out.named()
	}
	if out.unless != nil {
		out.spared = firedIn(out.unless)
	}
	return out
}

// MaxOperators bounds the operators that one rule asks, each call counted.
const MaxOperators = 200

func (r *rule) checkOperators() {
	n := 0
	r.eachAsk(func(*ask) { n++ })
	if n > MaxOperators {
		r.errorf(noPos, "split the rule", "a rule asks at most %d operators; this one asks %d", MaxOperators, n)
	}
}

// entry checks one entry. per comes first: what then may do depends on it.
func (r *rule) entry(c *checker, p pair) {
	switch p.key {
	case "per":
		r.checkPer(c, p)
	case "when":
		r.when, r.whenNode = (&conditions{checker: c}).condition(p.value), p.value
	case "unless":
		r.unless, r.unlessNode = (&conditions{checker: c, unless: true}).condition(p.value), p.value
	case "then":
		r.actions = (&conditions{checker: c}).actions(p.value, r.kind)
	case "cooldown":
		r.checkCooldown(c, p)
	case "limit":
		r.checkLimit(c, p)
	case "priority":
		t := c.value(p.value)
		if t != nil && (t.kind != termConst || t.typ != typeNumber) {
			r.errorf(nodePos(p.value), "priority: 10", "`priority` is a number; the highest is settled first")
		} else if t != nil {
			r.priority = t.val.Num
		}
	case "mode":
		r.checkMode(p)
	case "title":
		r.title = r.constText(p)
	case "owner":
		r.owner = r.constText(p)
	case "tags":
		r.checkTags(p)
	}
}

func (r *rule) checkPer(c *checker, p pair) {
	at := nodePos(p.value)
	if s, ok := p.value.(*ast.StringNode); ok {
		r.errorf(at, "per: "+s.Value, "`per` is written without quotes")
		return
	}
	t := c.value(p.value)
	if t == nil {
		return
	}
	reads := false
	t.each(func(t *term) { reads = reads || t.kind == termField })
	switch {
	case t.kind == termField && t.name == "visitor":
		r.kind = nudge.KindVisitor
	case t.kind == termField && t.name == "user":
		r.kind = nudge.KindUser
	case t.kind == termField && t.name == "company":
		r.kind = nudge.KindCompany
	case !reads:
		r.errorf(at, "per: visitor, per: user, per: company, or a field", "`per` is the same for every event")
	case t.typ == typeBool:
		r.errorf(at, "per: visitor, per: user, per: company, or a field that is text", "true and false are not keys")
	default:
		r.kind, r.per = nudge.KindOther, t
	}
}

func (r *rule) checkCooldown(c *checker, p pair) {
	if s, ok := p.value.(*ast.StringNode); ok {
		if s.Value == "ever" {
			r.errorf(nodePos(p.value), `cooldown: "3660d" is the longest`, "\"ever\" cannot be used here")
			return
		}
		r.cooldown = c.duration(p.value, s.Value)
		return
	}
	r.errorf(nodePos(p.value), `cooldown: "1d"`, "`cooldown` is a text with a unit")
}

func (r *rule) checkMode(p pair) {
	modes := []string{"live", "shadow", "paused"}
	if s, ok := p.value.(*ast.StringNode); ok {
		if i := slices.Index(modes, s.Value); i >= 0 {
			r.mode = Mode(i)
			return
		}
		if near := closest(s.Value, modes); near != "" {
			r.errorf(nodePos(p.value), fmt.Sprintf("did you mean %q?", near), "there is no mode %s", quote(s.Value))
			return
		}
	}
	r.errorf(nodePos(p.value), `mode: "live", "shadow" or "paused"`, "`mode` is one of three texts")
}

func (r *rule) constText(p pair) string {
	if s, ok := p.value.(*ast.StringNode); ok {
		return s.Value
	}
	r.errorf(nodePos(p.value), p.key+`: "…"`, "`%s` is a text in quotes", p.key)
	return ""
}

func (r *rule) checkTags(p pair) {
	list, ok := p.value.(*ast.ArrayNode)
	if !ok {
		r.errorf(nodePos(p.value), `tags: ["growth", "q3"]`, "`tags` is a list of texts")
		return
	}
	for _, n := range list.Nodes {
		s, ok := n.(*ast.StringNode)
		if !ok {
			r.errorf(nodePos(n), `tags: ["growth", "q3"]`, "`tags` is a list of texts")
			continue
		}
		r.tags = append(r.tags, s.Value)
	}
}
