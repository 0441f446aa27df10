package engine

import (
	"testing"

	"nudge"
)

// What names a person in a firing of somebody else becomes null; the rest stays to the byte.
func TestRedact(t *testing.T) {
	p := newPerson()
	p.addUser("Ana")
	p.addVisitor(`v"1`)
	p.sources[5] = true
	for _, c := range []struct{ data, want string }{
		{`{}`, `{}`},
		{`{"who":["ana","bob"],"n":2}`, `{"who":[null,"bob"],"n":2}`},
		{`{"ana":"anabel", "x" : "see ANA, please"}`, `{"ana":"anabel", "x" : null}`},
		{`{"a":"v\"1","b":"\\","c":{"d":["v\"1"]}}`, `{"a":null,"b":"\\","c":{"d":[null]}}`},
		{`{"a":"A\u006ea"}`, `{"a":null}`},
		{`"ana`, `"ana`},
	} {
		f := nudge.Firing{Rule: "r", Actions: []nudge.Action{{Kind: nudge.ActionAlert, Name: "seen", Data: []byte(c.data)}}}
		before := f.Actions[0]
		if changed := p.redact(&f); string(f.Actions[0].Data) != c.want || changed != (c.data != c.want) || f.Actions[0].Name != "seen" {
			t.Errorf("%s becomes %s %q (%v), want %s", c.data, f.Actions[0].Data, f.Actions[0].Name, changed, c.want)
		}
		if string(before.Data) != c.data {
			t.Errorf("%s was changed in place", c.data)
		}
	}
	f := nudge.Firing{Rule: "r", Sources: []nudge.KeyHash{3, 5}, Actions: []nudge.Action{{Kind: nudge.ActionAlert, Name: "hi", Data: []byte(`{"a":1}`)}, {Kind: nudge.ActionTag, Name: "t", Data: []byte(`{}`)}}}
	for _, want := range []bool{true, false} {
		if got := p.redact(&f); got != want || f.Actions[0].Name != "" || string(f.Actions[0].Data) != "{}" || f.Actions[1].Name != "t" {
			t.Errorf("%v: %+v", got, f)
		}
	}
	f = nudge.Firing{Rule: "r", Actions: []nudge.Action{{Kind: nudge.ActionAlert, Name: "hot: anabel", Data: []byte(`{}`)}, {Kind: nudge.ActionAlert, Name: "hot: ana.", Data: []byte(`{}`)}}}
	if p.redact(&f); f.Actions[0].Name != "hot: anabel" || f.Actions[1].Name != "" {
		t.Errorf("%+v", f.Actions)
	}
}
