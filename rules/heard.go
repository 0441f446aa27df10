package rules

import (
	"fmt"
	"slices"
	"strings"

	"nudge"
)

// heard is who sees a rule's firings: the rules of the same key, and those of the kinds above it. A rule in shadow, or paused, makes none.
type heard struct {
	known bool
	kind  nudge.Kind
	per   string // of a key of another kind
	mode  Mode
}

func (r *rule) heard() heard {
	h := heard{known: true, kind: r.kind, mode: r.mode}
	if r.per != nil {
		h.per = r.per.String()
	}
	return h
}

// whom is a kind of key as authors write it.
func (h heard) whom() string {
	if h.kind == nudge.KindOther {
		return h.per
	}
	return h.kind.String()
}

// unheard says why the rule never sees the firings of one that is heard by h, "" where it may.
func (r *rule) unheard(h heard) string {
	mine := r.heard()
	below := h.kind < mine.kind && mine.kind != nudge.KindOther
	switch {
	case !h.known:
	case !below && (h.kind != mine.kind || h.per != mine.per):
		return fmt.Sprintf("it is per %s, and this rule per %s", h.whom(), mine.whom())
	case h.mode == ModeShadow:
		return "it is in shadow"
	case h.mode == ModePaused:
		return "it is paused"
	}
	return ""
}

// firedIn is the rules whose firings a condition names, each once, sorted.
func firedIn(k *cond) (ids []string) {
	k.each(func(a *ask) {
		for _, t := range a.tests() {
			if t.isFired() {
				more, _ := followed(t)
				ids = append(ids, more...)
			}
		}
	})
	slices.Sort(ids)
	return slices.Compact(ids)
}

// warnUnheard warns of the rules that when and unless name and that are not there, or never heard.
func warnUnheard(rules []*rule, sources []Source, files []ruleFile) {
	for _, r := range rules {
		for _, id := range r.follows {
			r.warnOf(id, firedPos(r.when, id), sources, files)
		}
		for _, id := range r.spared {
			r.warnOf(id, firedPos(r.unless, id), sources, files)
		}
	}
}

func (r *rule) warnOf(id string, at pos, sources []Source, files []ruleFile) {
	i, found := slices.BinarySearchFunc(sources, id+fileSuffix, func(s Source, file string) int { return strings.Compare(s.File, file) })
	if !found || id+fileSuffix == catalogFile {
		r.warnf(at, nearest(id, sources), "there is no rule %s, so this test never matches", quote(id))
		return
	}
	if why := r.unheard(files[i].heard); why != "" {
		r.warnf(at, "", "the firings of %s never come here: %s", quote(id), why)
	}
}

// nearest suggests a rule with about that id.
func nearest(id string, sources []Source) string {
	var ids []string
	for i := range sources {
		if other := strings.TrimSuffix(sources[i].File, fileSuffix); sources[i].File != catalogFile {
			ids = append(ids, other)
		}
	}
	if near := closest(id, ids); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	return ""
}
