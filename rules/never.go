package rules

import (
	"fmt"
	"slices"
	"strings"

	"nudge"
)

// A test whose parts contradict each other can never be true. What is found here is certain: a claim is that a piece of a test is true, or that it
// is false, and both say more than the piece's opposite does under SQL's three values, for a comparison that is true or false has looked at
// a value of its own type. What is not understood claims nothing.

// claim is that a piece of a test is true, or false.
type claim struct {
	piece *term
	holds bool
}

// maxClaims bounds the work on one test: what is larger is taken as it is.
const maxClaims = 4000

// refuseNever reports an and whose parts contradict each other.
func (c *checker) refuseNever(t *term, at pos) bool {
	if c.deployed {
		return false
	}
	why := contradiction(t)
	if why == "" {
		return false
	}
	fix := "`or` between them, or two operators, each with its own test"
	if strings.Contains(why, neverIs) {
		fix = ""
	}
	c.errorf(at, fix, "this can never be true: %s", why)
	return true
}

// checkAlways warns of an operator that looks at every event, and reports one that looks at none.
func (c *checker) checkAlways(t *term, at pos) *term {
	switch {
	case t == nil || c.deployed:
	case alwaysTrue(t):
		c.warnf(at, "name the event: page_view, for instance", "this test is true of every event")
	case t.kind == termConst && c.refuseNever(t, at):
		return nil
	}
	return t
}

func alwaysTrue(t *term) bool {
	switch t.kind {
	case termConst:
		return t.val.Num != 0
	case termOr:
		return slices.ContainsFunc(t.args, alwaysTrue)
	case termAnd:
		return !slices.ContainsFunc(t.args, func(t *term) bool { return !alwaysTrue(t) })
	}
	return false
}

// contradiction says why t can never be true; "" where it may be.
func contradiction(t *term) string {
	budget := maxClaims
	return contradictionOf([]claim{{t, true}}, &budget)
}

// contradictionOf says why not all of the claims can be so.
func contradictionOf(claims []claim, budget *int) string {
	var plain, choices []claim
	for _, cl := range claims {
		cl.split(&plain, &choices)
	}
	if *budget -= len(plain); *budget < 0 {
		return ""
	}
	if contradicts(plain) {
		return excluding(plain)
	}
	for _, choice := range choices {
		if fits(plain, choice, budget) {
			continue
		}
		return fmt.Sprintf("no side of `%s` fits with the rest", shorten(choice.String()))
	}
	return ""
}

// split takes a claim apart: plain ones that are all so, and choices, of whose sides at least one is so.
func (cl claim) split(plain, choices *[]claim) {
	t := cl.piece
	switch {
	case t.kind == termNot:
		claim{t.args[0], !cl.holds}.split(plain, choices)
	case t.kind == termAnd && cl.holds, t.kind == termOr && !cl.holds:
		for _, a := range t.args {
			claim{a, cl.holds}.split(plain, choices)
		}
	case t.kind == termAnd, t.kind == termOr:
		*choices = append(*choices, cl)
	default:
		*plain = append(*plain, cl)
	}
}

// fits says whether some side of a choice may be so together with the plain claims.
func fits(plain []claim, choice claim, budget *int) bool {
	for _, side := range choice.piece.args {
		if contradictionOf(append(slices.Clip(plain), claim{side, choice.holds}), budget) == "" {
			return true
		}
	}
	return false
}

// excluding names two claims that contradict each other, if it takes no more than two.
func excluding(claims []claim) string {
	claims = claims[:min(len(claims), 100)]
	for i, a := range claims {
		if contradicts(claims[i : i+1]) {
			return "`" + shorten(a.String()) + neverIs + whyAlone(a.piece)
		}
		for _, b := range claims[:i] {
			if contradicts([]claim{b, a}) {
				return fmt.Sprintf("`%s` and `%s` exclude each other", shorten(b.String()), shorten(a.String()))
			}
		}
	}
	return "the parts joined by `and` exclude each other"
}

// neverIs stands behind a piece that contradicts itself.
const neverIs = "` never is"

// whyAlone says why a piece contradicts itself, where it asks what lower, upper or trim leaves.
func whyAlone(t *term) string {
	if len(t.args) == 0 || t.args[0].kind != termCall || leaves[t.args[0].op].all == "" {
		return ""
	}
	return fmt.Sprintf(": `%s` leaves %s", t.args[0].op, leaves[t.args[0].op].all)
}

// leaves is what a function leaves of a text. Doing it again changes nothing, so that a text which it would change is none that it leaves, nor,
// where it looks at each letter alone, a part of one.
var leaves = map[string]struct {
	of   func(string) string
	each bool // it looks at each letter alone
	all  string
}{
	"lower": {strings.ToLower, true, "small letters only"},
	"upper": {strings.ToUpper, true, "capital letters only"},
	"trim":  {strings.TrimSpace, false, "no space around a text"},
}

// String is the claim as an author would write it.
func (cl claim) String() string {
	text := spelled(cl.piece)
	if cl.holds {
		return text
	}
	return "not (" + text + ")"
}

// spelled is a test with its events by their names.
func spelled(t *term) string {
	switch t.kind {
	case termTypeIs:
		if isIdentifier(t.name) {
			return t.name
		}
		return fmt.Sprintf("event(%q)", t.name)
	case termNot:
		return "not (" + spelled(t.args[0]) + ")"
	case termAnd, termOr:
		parts := make([]string, len(t.args))
		for i, a := range t.args {
			if parts[i] = spelled(a); a.kind == termOr {
				parts[i] = "(" + parts[i] + ")"
			}
		}
		return strings.Join(parts, choose(t.kind == termAnd, " and ", " or "))
	}
	return t.String()
}

// shorten keeps a text for a message on one line.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// contradicts says whether plain claims contradict each other.
func contradicts(claims []claim) bool {
	known := facts{}
	for _, cl := range claims {
		if known.claim(cl.piece, cl.holds); known.broken {
			return true
		}
	}
	for _, name := range known.names {
		if known.of[name].impossible() {
			return true
		}
	}
	return false
}

// facts is what claims say of values, by the values' canonical texts.
type facts struct {
	of     map[string]*fact
	names  []string // of of, in order of their first claims
	broken bool     // a claim is false by itself
}

func (fs *facts) about(t *term) *fact {
	f := fs.named(t.String())
	if by := leaves[t.op]; t.kind == termCall && by.of != nil && f.left == nil {
		f.left = func(s string) bool { return by.of(s) == s }
		f.leftParts = by.each
		f.tests = append(f.tests, f.left)
	}
	return f
}

func (fs *facts) named(name string) *fact {
	if fs.of == nil {
		fs.of = map[string]*fact{}
	}
	if fs.of[name] == nil {
		fs.of[name] = &fact{}
		fs.names = append(fs.names, name)
	}
	return fs.of[name]
}

// claim notes what it means that t is true, or false.
func (fs *facts) claim(t *term, holds bool) {
	switch t.kind {
	case termConst:
		fs.broken = fs.broken || (t.val.Num != 0) != holds
	case termTypeIs:
		fs.named("type").compare(choose(holds, "==", "!="), nudge.TextValue(t.name))
	case termHas:
		if f := fs.about(t.args[0]); holds {
			f.present = true
		} else {
			f.missing = true
		}
	case termCompare:
		fs.compare(t, holds)
	case termIn:
		fs.needs(t.args[0])
		if f := fs.about(t.args[0]); holds {
			f.among(t.list)
		} else {
			f.notAmong(t.list)
		}
	case termStarts, termEnds, termContains, termMatches:
		fs.textTest(t, holds)
	}
}

func choose[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

func (fs *facts) compare(t *term, holds bool) {
	l, r := t.args[0], t.args[1]
	fs.needs(l)
	fs.needs(r)
	if r.kind == termConst && l.kind != termConst {
		fs.about(l).compare(choose(holds, t.op, opposite[t.op]), r.val)
	}
}

func (fs *facts) textTest(t *term, holds bool) {
	for _, a := range t.args {
		fs.needs(a)
		if a.kind != termConst {
			fs.about(a).is(nudge.Text)
		}
	}
	f := fs.about(t.args[0])
	if t.kind == termMatches {
		f.tests = append(f.tests, func(s string) bool { return t.re.MatchString(s) == holds })
		return
	}
	if part := t.args[1]; part.kind == termConst {
		f.part(t.kind, part.val.Text, holds)
	}
}

// needs notes what has to be there for a value to be known at all.
func (fs *facts) needs(t *term) {
	switch t.kind {
	case termField:
		fs.about(t).present = true
	case termCall, termArith, termNeg:
		for _, a := range t.args {
			if a.kind == termField && t.kind == termCall {
				fs.about(a).is(nudge.Text)
			}
			fs.needs(a)
		}
	}
}
