package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"nudge"
)

const firedEvent = "fired"

// browserEvents are what the browser SDK sends by itself. They are known with and without a catalog, and so is fired.
var browserEvents = []string{
	"page_view", "page_leave", "page_return", "form_view", "form_start", "form_submit", "form_leave", "click", "identify",
	"popup_shown", "popup_clicked", "popup_dismissed",
}

// knownFields are the fields that every event may have, whatever a catalog says: identity, page context, and what the SDK and the
// engine add. Those of a type can hold nothing else: ingest refuses it.
var knownFields = map[string]valueType{
	"id": typeText, "type": typeText, "ts": typeNumber, "at": typeNumber,
	"visitor": typeText, "user": typeText, "email": typeText, "company": typeText,
	"url": typeText, "path": typeText, "host": typeText, "referrer": typeText, "title": typeText,
	"utm_source": typeText, "utm_medium": typeText, "utm_campaign": typeText, "utm_term": typeText, "utm_content": typeText,
	"rule": typeText, "popup": typeAny, "form": typeAny,
}

// laterWords are names that a coming version gives a meaning; they are free for nothing else.
var laterWords = map[string]bool{
	"tagged": true, "delay": true, "same": true, "usual": true, "hour": true, "weekday": true, "between": true, "variants": true, "holdout": true,
	"goal": true, "for": true, "repeat": true, "rearm": true, "expires": true, "hours": true, "assume": true,
}

// vocabulary is which events and fields there are.
type vocabulary struct {
	catalog    bool // there is a catalog: names outside it are errors
	broken     bool // it has errors itself: it is no measure of names
	events     map[string]bool
	fields     map[string]valueType
	remarks    Diagnostics // about the catalog
	eventNames []string    // sorted, for suggestions
	fieldNames []string
}

func newVocabulary() *vocabulary {
	v := &vocabulary{events: map[string]bool{firedEvent: true}, fields: maps.Clone(knownFields)}
	for _, e := range browserEvents {
		v.events[e] = true
	}
	v.sortNames()
	return v
}

func (v *vocabulary) sortNames() {
	v.eventNames = slices.Sorted(maps.Keys(v.events))
	v.fieldNames = slices.Sorted(maps.Keys(v.fields))
}

const catalogExample = `{purchase: {amount: "number", plan: "text"}}`

// readCatalog adds what catalog.expr lists.
func (v *vocabulary) readCatalog(r *reporter) {
	v.catalog = true
	if err := checkSource(Source{r.file, r.text}); err != nil {
		r.errorf(noPos, "", "%v", err)
	}
	defer func() { v.remarks, v.broken = r.diags, r.diags.HasErrors() }()
	if r.diags != nil {
		return
	}
	var events []pair
	switch tree, pieces := r.parse(catalogForm); m := tree.(type) {
	case *ast.MapNode:
		events = r.pairs(m, "event")
	case nil:
		if pieces != nil {
			events = pieces.pairs
		}
	default:
		r.errorf(nodePos(tree), catalogExample, "a catalog is one map from events to their fields")
	}
	for _, p := range events {
		r.checkName(p.at, p.key)
		if _, clash := v.fields[p.key]; clash {
			r.errorf(p.at, "", "`%s` is the name of a field, so no event can have it", p.key)
			continue
		}
		v.events[p.key] = true
		if p.value == nil { // it has been reported
			continue
		}
		fields, ok := p.value.(*ast.MapNode)
		if !ok {
			r.errorf(nodePos(p.value), catalogExample, "the fields of `%s` are a map from names to types, {} if there are none", p.key)
			continue
		}
		for _, f := range r.pairs(fields, "field") {
			v.addField(r, f)
		}
	}
	v.sortNames()
}

func (v *vocabulary) addField(r *reporter, f pair) {
	r.checkName(f.at, f.key)
	if v.events[f.key] {
		r.errorf(f.at, "", "`%s` is the name of an event, so no field can have it", f.key)
		return
	}
	word, ok := f.value.(*ast.StringNode)
	if _, nested := f.value.(*ast.MapNode); nested {
		r.errorf(f.at, `"`+f.key+`.name": "text"`, "a nested field is written with a dot in its name")
		return
	}
	types := map[string]valueType{"text": typeText, "number": typeNumber, "bool": typeBool}
	if !ok || types[word.Value] == typeAny {
		r.errorf(nodePos(f.value), `one of "text", "number", "bool"`, "this is not the type of a field")
		return
	}
	typ := types[word.Value]
	if always := knownFields[f.key]; always != typeAny && always != typ {
		r.errorf(nodePos(f.value), "", "`%s` is always %s", f.key, always)
		return
	}
	if old, ok := v.fields[f.key]; ok && old != typ {
		typ = typeAny // two events use the name for values of two types
	}
	v.fields[f.key] = typ
}

func (r *reporter) checkName(at pos, name string) {
	switch {
	case name == "":
		r.errorf(at, "", "a name cannot be empty")
	case len(name) > nudge.MaxNameBytes:
		r.errorf(at, "", "a name has at most %d bytes", nudge.MaxNameBytes)
	}
}

// fieldType is the type of a field, typeAny where nothing tells.
func (v *vocabulary) fieldType(name string) valueType { return v.fields[name] }

func (v *vocabulary) isField(name string) bool {
	_, ok := v.fields[name]
	return ok
}

// insideKnown says whether name is looked for inside a field that is always text or a number, as in path.x.
func insideKnown(name string) (field string, inside bool) {
	field, _, nested := strings.Cut(name, ".")
	return field, nested && knownFields[field] != typeAny
}
