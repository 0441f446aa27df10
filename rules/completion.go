package rules

import (
	"maps"
	"slices"
	"strings"
)

// Completion is what an editor needs to complete and explain what is written in a folder of rules. Lists are in order of their names, entries and
// units in the order in which they are written.
type Completion struct {
	Events    []string            `json:"events"`
	Fields    []FieldWord         `json:"fields"`
	Lets      map[string][]string `json:"lets"` // by file, those that have any
	Operators []OperatorWord      `json:"operators"`
	Inside    []Word              `json:"inside"` // words that stand only inside an operator's call or a limit
	Functions []Word              `json:"functions"`
	Actions   []Word              `json:"actions"`
	Entries   []Word              `json:"entries"`
	Units     []Word              `json:"units"` // of durations
	Rules     []string            `json:"rules"` // ids
}

// Word is a word of the language.
type Word struct {
	Name string `json:"name"`
	Form string `json:"form"` // how it is written
	Doc  string `json:"doc"`
}

// OperatorWord is an operator. Is says what it is: a number, a pulse (true at one instant), a level (true or false for a while), a list or a value.
type OperatorWord struct {
	Word
	Example string `json:"example"`
	Is      string `json:"is"`
	Ever    bool   `json:"ever"` // its window may be "ever"
}

// FieldWord is a field with its type: text, number, bool, or any where nothing tells.
type FieldWord struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Complete lists the words of a folder. Files with mistakes give what can be read of them.
func Complete(sources []Source) *Completion {
	vocabulary := newVocabulary()
	c := &Completion{Lets: map[string][]string{}, Rules: []string{}}
	sources = sortedSources(sources)
	for i, s := range sources {
		r := newReporter(s)
		switch {
		case checkSource(s) != nil, i > 0 && sources[i-1].File == s.File:
		case r.file == catalogFile:
			vocabulary.readCatalog(r)
		default:
			c.Rules = append(c.Rules, strings.TrimSuffix(r.file, fileSuffix))
			if shape := r.readShape(); shape != nil {
				for _, l := range shape.lets {
					c.Lets[r.file] = append(c.Lets[r.file], l.name)
				}
			}
		}
	}
	c.Events = vocabulary.eventNames
	for _, name := range vocabulary.fieldNames {
		c.Fields = append(c.Fields, FieldWord{name, typeWord[vocabulary.fieldType(name)]})
	}
	c.addLanguage()
	return c
}

var typeWord = map[valueType]string{typeAny: "any", typeText: "text", typeNumber: "number", typeBool: "bool"}

// addLanguage adds what is the same in every folder.
func (c *Completion) addLanguage() {
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		op, w := operators[name], operatorWord[name]
		c.Operators = append(c.Operators, OperatorWord{Word{name, w.form, w.doc}, op.usage, op.is(name), op.ever})
	}
	c.Inside = wordsOf(insideWord, slices.Sorted(maps.Keys(insideWord)))
	c.Functions = wordsOf(functionWord, testFunctions)
	c.Actions = wordsOf(actionWord, actionWords)
	c.Entries = wordsOf(entryWord, ruleEntries)
	for _, u := range durationUnits {
		c.Units = append(c.Units, Word{u.name, "\"1" + u.name + "\"", unitWord[u.name]})
	}
}

func wordsOf(table map[string]word, names []string) []Word {
	out := make([]Word, len(names))
	for i, name := range names {
		out[i] = Word{name, table[name].form, table[name].doc}
	}
	return out
}

// is says what an operator's call gives.
func (op operator) is(name string) string {
	switch {
	case op.pulse:
		return "pulse"
	case op.payload:
		return "list"
	case name == "happened":
		return "level"
	case name == "last":
		return "value"
	}
	return "number"
}

// JSON renders the words as one JSON object, with a newline at the end.
func (c *Completion) JSON() []byte { return marshal(c) }
