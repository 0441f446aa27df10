package rules

import (
	"slices"
	"strings"
)

// A rule follows another when a test in its `when` looks at the other's firings: fired and rule == "other".

// followed is the rules whose firings a test can be true of. named: it can be true of no others.
func followed(t *term) (ids []string, named bool) {
	switch t.kind {
	case termTypeIs:
		return nil, t.name != firedEvent // another type: of no firing at all
	case termCompare:
		if t.op == "==" && t.args[0].kind == termField && t.args[0].name == "rule" && t.args[1].kind == termConst {
			return []string{t.args[1].val.Text}, true
		}
	case termIn:
		if t.args[0].kind == termField && t.args[0].name == "rule" {
			for _, v := range t.list {
				ids = append(ids, v.Text)
			}
			return ids, true
		}
	case termConst:
		return nil, t.val.Num == 0
	case termNot:
		if t.args[0].kind == termTypeIs && t.args[0].name == firedEvent {
			return nil, true
		}
	case termAnd:
		return followedByAll(t.args)
	case termOr:
		for _, a := range t.args {
			more, ok := followed(a)
			if !ok {
				return nil, false
			}
			ids = append(ids, more...)
		}
		return ids, true
	}
	return nil, false
}

// followedByAll is the rules that every part names which names any.
func followedByAll(parts []*term) (ids []string, named bool) {
	for _, a := range parts {
		more, ok := followed(a)
		switch {
		case !ok:
		case !named:
			ids, named = more, true
		default:
			ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !slices.Contains(more, id) })
		}
	}
	return ids, named
}

// named is the rules that r's when follows, each once, sorted; it reports tests of fired that name none.
func (r *rule) named() []string {
	var ids []string
	r.when.each(func(a *ask) {
		for _, t := range a.tests() {
			if !t.isFired() {
				continue
			}
			more, named := followed(t)
			if !named {
				r.errorf(a.at, `fired and rule == "other-rule"`, "a test of `fired` in `when` must name the rules that it follows")
			}
			ids = append(ids, more...)
		}
	})
	slices.Sort(ids)
	return slices.Compact(ids)
}

// checkFollowing reports of the rules that follow each other cycles, and those that fire too often by one event.
func checkFollowing(rules []*rule) {
	byID := map[string]*rule{}
	var ids []string
	for _, r := range rules {
		if r.follows != nil {
			byID[r.id] = r
			ids = append(ids, r.id)
		}
	}
	edges := map[string][]string{}
	for _, id := range ids {
		r := byID[id]
		for _, other := range r.follows {
			if byID[other] != nil {
				edges[id] = append(edges[id], other)
			}
		}
	}
	if !reportCycles(byID, ids, edges) {
		reportMany(byID, ids, edges)
	}
}

// MaxFollowing bounds how often one event can make a rule fire through the rules that it follows. Each rule that follows all before it doubles that.
const MaxFollowing = 100_000

// reportMany reports the rules that can fire more often by one event, but for those that follow one of them.
func reportMany(byID map[string]*rule, ids []string, edges map[string][]string) {
	most := map[string]int{}
	var times func(id string) int
	times = func(id string) int {
		r := byID[id]
		if r == nil {
			return 1
		}
		n, known := most[id]
		if !known {
			if r.hearsMore() {
				n = 1
			}
			n += len(r.follows) - len(edges[id])
			for _, other := range edges[id] {
				n = min(n+times(other), MaxFollowing+1)
			}
			most[id] = n
		}
		return n
	}
	for _, id := range ids {
		r := byID[id]
		if times(id) > MaxFollowing && !r.deployed && !slices.ContainsFunc(edges[id], func(other string) bool { return times(other) > MaxFollowing }) {
			r.errorf(r.whenPos(edges[id][0]), "follow the first rules alone, not also those that follow them",
				"one event can make this rule fire more than %d times through the rules that it follows", MaxFollowing)
		}
	}
}

// hearsMore says whether the rule's when looks at other events than firings too.
func (r *rule) hearsMore() (more bool) {
	r.when.each(func(a *ask) {
		for _, t := range a.tests() {
			types, bound := requiredTypes(t)
			more = more || !bound || slices.ContainsFunc(types, func(name string) bool { return name != firedEvent })
		}
	})
	return more
}

// whenPos is where the operator stands that follows id.
func (r *rule) whenPos(id string) pos { return firedPos(r.when, id) }

// firedPos is where the operator of a condition stands that looks at id's firings.
func firedPos(k *cond, id string) pos {
	at := noPos
	k.each(func(a *ask) {
		for _, t := range a.tests() {
			if at != noPos || !t.isFired() {
				continue
			}
			if ids, _ := followed(t); slices.Contains(ids, id) {
				at = a.at
			}
		}
	})
	return at
}

// reportCycles reports each cycle once, at its first rule in order of ids, and says whether there is one.
func reportCycles(byID map[string]*rule, ids []string, edges map[string][]string) (found bool) {
	done := map[string]bool{}
	var path []string
	var walk func(id string)
	walk = func(id string) {
		if i := slices.Index(path, id); i >= 0 {
			cycle := path[i:]
			first := slices.Index(cycle, slices.Min(cycle))
			cycle = append(slices.Clone(cycle[first:]), cycle[:first]...)
			r := byID[cycle[0]]
			r.errorf(r.whenPos(cycle[1%len(cycle)]), "take one of these rules out of the circle", "rules follow each other in a circle: %s",
				strings.Join(append(slices.Clone(cycle), cycle[0]), " → "))
			found = true
			return
		}
		if done[id] {
			return
		}
		path = append(path, id)
		for _, next := range edges[id] {
			walk(next)
		}
		path = path[:len(path)-1]
		done[id] = true
	}
	for _, id := range ids {
		walk(id)
	}
	return found
}
